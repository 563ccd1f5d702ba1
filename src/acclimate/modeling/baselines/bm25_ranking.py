"""BM25 (Robertson & Zaragoza 2009; Lucene's variant, by bm25s): documents in the order of the words that they share with a query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from acclimate.data.selection.bm25 import is_installed, library
from acclimate.errors import MissingExtraError, ModelError
from acclimate.files import write_json
from acclimate.modeling.baselines.table import BM25
from acclimate.modeling.baselines.word_list import words_and_marks_of, words_of


def check_installed() -> None:
    """Refuse BM25 where nothing is there to compute it.

    Raises:
        MissingExtraError: bm25s is not installed.
    """
    if not is_installed():
        raise MissingExtraError('bm25 needs bm25s: pip install "acclimate[select]"')


@dataclass(frozen=True)
class Bm25Ranking:
    """The documents [M] of a collection, indexed."""

    documents: Sequence[str]
    k1: float
    b: float
    marks: bool = False
    """Whether punctuation and marks are words."""

    def ranked(
        self, queries: Sequence[str], most: int, each: Callable[[], None] = lambda: None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """[N, K] the documents of each of N queries with the highest scores, and these, the highest first; of equal ones the earlier first.

        K is `most`, or M where there are fewer. `each` is called after every query.
        """
        count = min(most, len(self.documents))
        rows = np.zeros((len(queries), count), dtype=np.int64)
        scores = np.zeros((len(queries), count))
        for number, query in enumerate(queries):
            found = self._scores(query)
            rows[number] = np.argsort(-found, kind="stable")[:count]
            scores[number] = found[rows[number]]
            each()
        return rows, scores

    def without_words(self, queries: Sequence[str]) -> int:
        """How many of the queries share no word with any document."""
        return sum(not self._ids(query) for query in queries)

    @property
    def size(self) -> int:
        """Scores that are kept, one for each word of each document."""
        return len(self._index.scores["data"])

    def save(self, folder: Path) -> None:
        """Write what it is made with. The index is that of the task's documents, and made again in a moment."""
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"documents": len(self.documents), "words": len(self._vocabulary), "k1": self.k1, "b": self.b, "marks": self.marks}
        write_json(folder / "config.json", {"model_type": BM25, **facts})

    @staticmethod
    def load(folder: Path) -> NoReturn:
        """Say that it labels nothing.

        Raises:
            ModelError: always.
        """
        raise ModelError(f"{folder}: BM25 labels no texts, it ranks documents; it is asked by `acclimate search` and `acclimate evaluate`")

    def _scores(self, query: str) -> NDArray[np.float64]:
        ids = self._ids(query)
        if not ids:
            return np.zeros(len(self.documents))
        return np.asarray(self._index.get_scores_from_ids(ids), dtype=np.float64)

    def _ids(self, query: str) -> list[int]:
        return [self._vocabulary[word] for word in self._read(query) if word in self._vocabulary]

    @property
    def _read(self) -> Callable[[str], list[str]]:
        return words_and_marks_of if self.marks else words_of

    @cached_property
    def _words(self) -> tuple[list[list[int]], dict[str, int]]:
        numbers: dict[str, int] = {}
        return [[numbers.setdefault(word, len(numbers)) for word in self._read(text)] for text in self.documents], numbers

    @property
    def _vocabulary(self) -> dict[str, int]:
        return self._words[1]

    @cached_property
    def _index(self) -> Any:
        check_installed()
        bm25s = library()
        ids, vocabulary = self._words
        # A collection without any word still has an index.
        index = bm25s.BM25(k1=self.k1, b=self.b, method="lucene", csc_backend="scipy")
        tokens = bm25s.tokenization.Tokenized(ids=ids, vocab=vocabulary or {"": 0})
        index.index(tokens, create_empty_token=False, show_progress=False)
        return index
