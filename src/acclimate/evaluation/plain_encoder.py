"""Plain baselines that give texts vectors, static ones and Doc2Vec, asked as encoders are: no transformer, and every word is read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.exact_search import unit
from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.trained_folder import checked_files, refuse_one_text
from acclimate.evaluation.unread import Unread
from acclimate.files import digest_file, digest_json, read_json
from acclimate.modeling.base_files import CONFIG, TOKENIZER, WEIGHTS
from acclimate.modeling.baselines.table import BASELINES, DOC2VEC, STATIC
from acclimate.modeling.embedding_form import Side
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.evaluation.inference import Told
    from acclimate.modeling.baselines.paragraph_vectors import ParagraphVectors
    from acclimate.modeling.baselines.static_model import StaticVectors

COUNTED = ("texts", "units")  # of `Unread`; nothing is cut
RULES = 1  # raise it when the same files would now give other vectors
TEXTS_AT_ONCE = 256  # between two looks at whether to stop


class PlainEncoding:
    """How texts are to become vectors, before the model is read."""

    def __init__(self, folder: Path, config: Mapping[str, Any], dimensions: int | None) -> None:
        self.folder, self.name, self._type = folder, str(folder), config["model_type"]
        width = int(config["dimensions"] if self._type == STATIC else config["network"]["vector_size"])
        if dimensions is not None and not 1 <= dimensions <= width:
            raise SettingsError(f"`dimensions:` {dimensions}: the vectors of {folder} have {width}, and 1 to {width} of them can be taken")
        self.dimensions, self.cut = dimensions or width, dimensions is not None
        self.unit = "tokens" if self._type == STATIC else "words"

    @classmethod
    def of(cls, model: str | Path, pooling: str | None, dimensions: int | None, precision: str) -> "PlainEncoding | None":
        """That of a folder of static vectors or of Doc2Vec; None where it is something else.

        Raises:
            ModelError: it is another plain baseline, or its config.json is damaged.
            SettingsError: something is said that such a model does not know, or it has fewer `dimensions`.
        """
        folder = Path(model).expanduser()
        if not (folder / CONFIG).is_file():
            return None
        config = read_json(folder / CONFIG)
        kind = config.get("model_type") if isinstance(config, dict) else None
        if kind not in (STATIC, DOC2VEC):
            if isinstance(kind, str) and kind in BASELINES:
                raise ModelError(f"{model}: {kind} gives texts no vectors; of the plain baselines static and doc2vec do")
            return None
        for name, said in (("pooling", pooling), ("precision", None if precision == "float32" else precision)):
            if said is not None:
                raise SettingsError(f"`{name}:` {said}: {model} holds vectors of words, and no states of an encoder; leave it out")
        return checked_files(folder, lambda: cls(folder, config, dimensions))

    def told(self) -> list[str]:
        """Nothing: the folder says all of it."""
        return []

    def key(self, side: Side | None) -> str:
        """Of all that decides the vector of a text; a side is none of it, for there are no prompts."""
        files = {name: digest_file(self.folder / name) for name in (CONFIG, WEIGHTS, TOKENIZER) if (self.folder / name).is_file()}
        libraries = {name: version(name) for name in (("tokenizers",) if self._type == STATIC else ("gensim",))}
        return digest_json({"rules": RULES, "files": files, "dimensions": self.dimensions, "cut": self.cut, "libraries": libraries})

    def load(self) -> "PlainEncoder":
        """The model, ready to be asked.

        Raises:
            MissingExtraError: gensim is needed, and not installed.
            ModelError: it is damaged.
        """
        return PlainEncoder(self, checked_files(self.folder, self._read))

    def _read(self) -> "StaticVectors | ParagraphVectors":
        from acclimate.modeling.baselines.doc2vec_model import read_doc2vec
        from acclimate.modeling.baselines.static_model import read_static

        return read_static(self.folder) if self._type == STATIC else read_doc2vec(self.folder)


class PlainEncoder:
    """The vectors of texts; counts words without one, and texts that have no other."""

    def __init__(self, encoding: PlainEncoding, model: "StaticVectors | ParagraphVectors") -> None:
        self._encoding, self._model = encoding, model
        self.unread = Unread(0, encoding.unit)
        """How much was read so far; nothing is cut."""
        self.unknown = 0
        """Tokens, or words, of the texts so far that have no vector."""
        self.empty = 0
        """Texts so far of which no word has a vector: theirs is nothing but zeros."""

    @property
    def dimensions(self) -> int:
        """D, of each vector."""
        return self._encoding.dimensions

    @property
    def counts(self) -> dict[str, int]:
        """All that was counted so far."""
        return {name: getattr(self.unread, name) for name in COUNTED} | {"unknown": self.unknown, "empty": self.empty}

    def count_from(self, counts: Mapping[str, int]) -> None:
        """Go on counting from here; what is not named is 0."""
        self.unread = Unread(0, self._encoding.unit, texts=counts.get("texts", 0), units=counts.get("units", 0))
        self.unknown, self.empty = counts.get("unknown", 0), counts.get("empty", 0)

    def encode(self, texts: Sequence[str], side: Side | None = None, told: "Told | None" = None) -> NDArray[np.float32]:
        """The vectors [N, D] of N texts, whatever the side; zeros where no word of a text has one. `told` as of `Encoder.encode`.

        Raises:
            DataError: a text is not valid Unicode.
            TypeError: one text stands in the place of several.
        """
        refuse_one_text(texts)
        found = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            part = self._model.vectors(texts[first : first + TEXTS_AT_ONCE], each=self._count)[:, : self.dimensions]
            # Those of Doc2Vec have lengths of their own, static ones the length 1.
            found[first : first + len(part)] = unit(part) if self._encoding.cut and self._encoding.unit == "tokens" else part
            if told is not None:
                told(min(first + TEXTS_AT_ONCE, len(texts)), len(texts))
        self.empty += int((~found.any(axis=1)).sum())
        return found

    def _count(self, words: int, unknown: int) -> None:
        self.unread.count(1, 0, words, 0)
        self.unknown += unknown
