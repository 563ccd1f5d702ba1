"""Static vectors: each entry of a vocabulary has one, whatever stands around it, and a text has the mean of those of its tokens.

Entries of an encoder go through it once each, then principal components and weights by rank stand for what is not read any more, context
and frequency (model2vec: Tulkens & van Dongen 2024; that frequent words count less: Arora et al. 2017). Vectors of words from a file, such
as GloVe's (Pennington et al. 2014), are used alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from acclimate.data.exact_search import unit
from acclimate.data.readers.compressed import open_bytes
from acclimate.data.tokens import encoded, special_tokens
from acclimate.errors import DataError, ModelError
from acclimate.files import read_json, write_json
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.baselines.table import STATIC
from acclimate.modeling.baselines.vector_model import VectorModel
from acclimate.modeling.finite import check_finite

TEXTS_AT_ONCE = 4096
UNKNOWN = "[UNK]"
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class StaticVectors:
    """`rows` [V, D] of the entries of a vocabulary; zeros for those that are no text."""

    tokenizer: Tokenizer
    rows: Vectors

    def vectors(self, texts: Sequence[str], each: Callable[[int, int], None] = lambda tokens, unknown: None) -> Vectors:
        """The vectors [N, D] of N texts, of length 1; zeros where no token of a text has one.

        `each` is called after every text with its tokens, and how many of them are unknown.

        Raises:
            DataError: a text is not valid Unicode.
        """
        from scipy.sparse import csr_matrix

        found = np.zeros((len(texts), self.rows.shape[1]), dtype=np.float32)
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            ids, counts = encoded(self.tokenizer, texts[first : first + TEXTS_AT_ONCE])
            offsets = np.concatenate([[0], np.cumsum(counts)])
            tokens_NV = csr_matrix((np.ones(len(ids), dtype=np.float32), ids, offsets), shape=(len(counts), len(self.rows)))
            found[first : first + len(counts)] = unit(tokens_NV @ self.rows)
            unknown = np.concatenate([[0], np.cumsum(self._empty[ids])])[offsets]
            for tokens, without in zip(counts.tolist(), np.diff(unknown).tolist(), strict=True):
                each(tokens, without)
        return found

    @cached_property
    def _empty(self) -> NDArray[np.bool_]:
        return np.asarray(~self.rows.any(axis=1))


class StaticModel(VectorModel):
    """Static vectors, and what answers on them."""

    @staticmethod
    def load(folder: Path) -> "StaticModel":
        """Read a folder that `write_static` and `write_head` wrote.

        Raises:
            ModelError: it is another kind of model, its numbers are not finite, or nothing answers on its vectors.
        """
        return StaticModel.of(folder, read_static(folder))


def distilled(tokenizer: Tokenizer, states: NDArray[Any], dimensions: int | None, zipf: bool) -> StaticVectors:
    """From what an encoder gives for each entry alone [V, E]: its first principal components [V, D], weighted by log(1 + rank).

    An entry's rank is its number, for vocabularies are written by falling frequency. D is at most `dimensions`, E, and V.
    """
    from sklearn.decomposition import PCA

    text = np.flatnonzero(~special_tokens(tokenizer)[: len(states)])
    kept = np.asarray(states[text], dtype=np.float64)
    if dimensions is not None:
        kept = PCA(min(dimensions, *kept.shape), svd_solver="covariance_eigh").fit_transform(kept)
    rows = np.zeros((len(states), kept.shape[1]), dtype=np.float32)
    rows[text] = kept * np.log(1 + np.arange(1, len(text) + 1))[:, None] if zipf else kept
    return StaticVectors(tokenizer, rows)


def from_file(path: Path, dimensions: int | None, zipf: bool) -> tuple[StaticVectors, int]:
    """Vectors of words from a text file (plain or compressed), a line each, and how many lines repeat a word and are not used.

    A line is a word and its numbers, separated by spaces, frequent words first; a first line of two numbers (word2vec's) is no word.

    Raises:
        DataError: a line is something else, or there is none.
    """
    words: dict[str, int] = {}
    rows: list[Vectors] = []
    repeated = width = 0
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            cells = line.decode("utf-8", "replace").rstrip("\r\n ").split(" ")
            if number == 1 and len(cells) == 2 and all(cell.isdecimal() for cell in cells):
                continue
            width = width or len(cells) - 1
            word, values = " ".join(cells[: len(cells) - width]), _numbers(cells[len(cells) - width :])
            if width < 1 or not word or values is None:
                raise DataError(f"{path}:{number}: a word and {width or 'its'} numbers are wanted, separated by spaces: {line[:60]!r}")
            if word in words:
                repeated += 1
                continue
            words[word] = len(rows)
            rows.append(values)
    if not rows:
        raise DataError(f"{path}: holds no vector")
    unknown = words.setdefault(UNKNOWN, len(rows))
    states = np.stack([*rows, np.zeros(width, np.float32)][: len(words)])
    tokenizer = Tokenizer(WordLevel(words, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = Whitespace()
    if all(word == word.lower() for word in words if word != UNKNOWN):
        tokenizer.normalizer = Lowercase()
    made = distilled(tokenizer, states, dimensions if dimensions is not None and dimensions < width else None, zipf)
    made.rows[unknown] = 0
    return made, repeated


def _numbers(cells: Sequence[str]) -> Vectors | None:
    try:
        values = np.array(cells, dtype=np.float32)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def write_static(folder: Path, texts: StaticVectors) -> None:
    """Write what gives texts vectors into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    texts.tokenizer.save(str(folder / TOKENIZER))
    write_json(folder / "config.json", {"model_type": STATIC, "dimensions": texts.rows.shape[1], "normalize": True})
    save_file({"embeddings": np.ascontiguousarray(texts.rows)}, folder / "model.safetensors")


def read_static(folder: Path) -> StaticVectors:
    """As it was written.

    Raises:
        ModelError: it is another kind of model, its files do not belong together, or its numbers are not finite.
    """
    config = read_json(folder / "config.json")
    if config.get("model_type") != STATIC:
        raise ModelError(f"{folder}: no static vectors but {config.get('model_type')!r}")
    rows = load_file(folder / "model.safetensors")["embeddings"]
    check_finite(folder, [("embeddings", bool(np.isfinite(rows).all()))])
    tokenizer = read_tokenizer(folder / TOKENIZER)
    if max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) >= len(rows):
        raise ModelError(f"{folder}: {TOKENIZER} and model.safetensors do not belong together; copy the folder again")
    return StaticVectors(tokenizer, rows)
