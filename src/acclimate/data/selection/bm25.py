"""The documents that are nearest to each of some texts by BM25, from bm25s, over a corpus of any size: an index of a chunk at a time.

A score must not depend on the chunk that a document stands in, so lengths and frequencies are those of all documents, counted in a first
pass: bm25s takes the mean length through its parameters, and the columns of its matrix are brought from the chunk's idf to the whole's.
"""

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray, Ragged
from acclimate.data.selection.candidates import Candidates
from acclimate.data.selection.ranked import Budget, Choice, Floats, Nearest, Size, nearest_of_each
from acclimate.data.selection.words import words_of
from acclimate.errors import MissingExtraError

K1, B = 1.5, 0.75  # bm25s's own, of Lucene's variant
MOST_COMMON = 0.5  # share of the documents; words in more than that have an idf below 0.7, and are most of the work
TEXTS_AT_ONCE = 64
JAX = ("jax", "jax.lax")


def is_installed() -> bool:
    """Whether there is something to compute BM25."""
    return importlib.util.find_spec("bm25s") is not None


def check_installed() -> None:
    """Refuse BM25 where nothing is there to compute it.

    Raises:
        MissingExtraError: bm25s is not installed.
    """
    if not is_installed():
        raise MissingExtraError('select: `method: bm25` is computed by bm25s: pip install "acclimate[select]"')


def library() -> Any:
    """bm25s, imported as if there were no JAX: where it finds that, it runs it at once, and JAX takes three quarters of a GPU's memory.

    Of what JAX would do for it, the choice of the highest scores, nothing is asked here.
    """
    kept = {name: sys.modules[name] for name in JAX if name in sys.modules}
    sys.modules.update(dict.fromkeys(JAX))  # type: ignore[arg-type]  # None: such an import fails
    try:
        import bm25s
    finally:
        for name in JAX:
            del sys.modules[name]
        sys.modules.update(kept)
    return bm25s


@dataclass
class Counts:
    """What BM25 must know of all documents."""

    vocabulary: NDArray[np.uint64]
    """[V] the hashes of the words of the texts, sorted."""
    holding: IntArray
    """[V] in how many documents each occurs."""
    documents: int = 0
    words: int = 0

    @classmethod
    def of(cls, texts: Ragged) -> "Counts":
        """Nothing counted yet, for the words of these texts."""
        vocabulary = np.unique(texts.values)
        return cls(vocabulary, np.zeros(len(vocabulary), np.int64))

    def ids(self, words: Ragged) -> NDArray[np.int64]:
        """[words] the place of each in the vocabulary; V where it is not in it."""
        places = np.searchsorted(self.vocabulary, words.values)
        if not len(self.vocabulary):
            return places
        places[places == len(self.vocabulary)] = 0
        return np.where(self.vocabulary[places] == words.values, places, len(self.vocabulary))

    def add(self, words: Ragged) -> None:
        """The words of more documents."""
        ids, vocabulary = self.ids(words), len(self.vocabulary)
        document_of = np.repeat(np.arange(len(words)), words.lengths)
        once = np.unique(document_of * (vocabulary + 1) + ids) % (vocabulary + 1)
        self.holding += np.bincount(once, minlength=vocabulary + 1)[:vocabulary]
        self.documents += len(words)
        self.words += len(words.values)

    def idf(self, holding: IntArray, documents: int) -> Floats:
        """[V] Lucene's, of words that so many of the documents hold."""
        return np.log1p((documents - holding + 0.5) / (holding + 0.5))

    def asked(self, texts: Ragged) -> list[IntArray]:
        """Of each text the words by which it asks: each once, without those that most documents hold.

        Where nothing else is asked for, as where there is one document, those are.
        """
        usual = self.holding > MOST_COMMON * self.documents
        found = [np.unique(np.searchsorted(self.vocabulary, texts[row])) for row in range(len(texts))]
        telling = [ids[~usual[ids]] for ids in found]
        return telling if any(self.holding[ids].any() for ids in telling) else found


def choose(texts: Sequence[str], candidates: Candidates, budget: Budget) -> Choice:
    """The nearest document of every text, then the second nearest, ...: one pass to count, one or more to find them."""
    asking = words_of(texts)
    counts = Counts.of(asking)
    for chunk in candidates.chunks():
        counts.add(chunk.words())
    asked = counts.asked(asking)

    def see(nearest: Nearest) -> None:
        for chunk in candidates.chunks():
            words = chunk.words()
            if len(words.values):
                _add(nearest, chunk.numbers, words, counts, asked)

    return nearest_of_each(len(texts), Size(counts.documents, counts.words), budget, see)


def _add(nearest: Nearest, numbers: IntArray, words: Ragged, counts: Counts, asked: list[IntArray]) -> None:
    index = chunk_index(words, counts)
    for first in range(0, len(asked), TEXTS_AT_ONCE):
        scores = np.array([index.get_scores_from_ids(ids) for ids in asked[first : first + TEXTS_AT_ONCE]], dtype=np.float32)
        scores[scores <= 0] = -np.inf
        nearest.add(first, scores, numbers, words.lengths)


def chunk_index(words: Ragged, counts: Counts) -> Any:
    """bm25s's index of a chunk of documents, with the scores that they have among all documents."""
    bm25s = library()
    ids, vocabulary = counts.ids(words), len(counts.vocabulary)
    here, whole = len(ids) / len(words), counts.words / counts.documents
    # k1 * (1 - b + b * length / whole), said in terms of the chunk's own mean length
    k1 = K1 * (1 - B) + K1 * B * here / whole
    index = bm25s.BM25(k1=k1, b=K1 * B * here / whole / k1, method="lucene", csc_backend="scipy")
    documents = [part.tolist() for part in np.split(ids, words.offsets[1:-1])]
    every = {str(number): number for number in range(vocabulary + 1)}
    index.index(bm25s.tokenization.Tokenized(ids=documents, vocab=every), create_empty_token=False, show_progress=False)
    matrix = index.scores
    holding = np.diff(matrix["indptr"])[:vocabulary].astype(np.int64)
    scale = np.append(counts.idf(counts.holding, counts.documents) / counts.idf(holding, len(words)), 1.0)
    matrix["data"] = matrix["data"] * np.repeat(scale, np.diff(matrix["indptr"])).astype(matrix["data"].dtype)
    return index
