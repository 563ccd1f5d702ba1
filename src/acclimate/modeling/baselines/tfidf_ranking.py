"""Documents in the order of the cosine of their tf-idf vectors with that of the query (Salton & Buckley 1988): weights as of `tfidf`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import ModelError
from acclimate.files import write_json
from acclimate.modeling.baselines.table import TFIDF_RANKING
from acclimate.modeling.baselines.tfidf_model import Terms, vectorizer_of

AT_ONCE = 1 << 24  # cosines: 64 or 128 MB


@dataclass(frozen=True)
class TfidfRanking:
    """The documents [M] of a collection, whose words are counted over these."""

    documents: Sequence[str]
    terms: Terms

    def ranked(
        self, queries: Sequence[str], most: int, each: Callable[[], None] = lambda: None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """[N, K] the documents of each of N queries with the highest cosines, and these, the highest first, of equals the earlier.

        K is `most`, or M where there are fewer. `each` is called after every query.
        """
        count = min(most, len(self.documents))
        rows, scores = np.zeros((len(queries), count), dtype=np.int64), np.zeros((len(queries), count))
        step = max(1, AT_ONCE // max(1, len(self.documents)))
        for first in range(0, len(queries), step):
            for number, found in enumerate(self._cosines(queries[first : first + step]), start=first):
                rows[number] = np.argsort(-found, kind="stable")[:count]
                scores[number] = found[rows[number]]
                each()
        return rows, scores

    def without_words(self, queries: Sequence[str]) -> int:
        """How many of the queries share no word with any document."""
        return len(queries) if self._fitted is None else int((np.diff(self._fitted[0].transform(queries).indptr) == 0).sum())

    @property
    def size(self) -> int:
        """Weights, one for each term of each document."""
        return 0 if self._fitted is None else int(self._fitted[1].nnz)

    def save(self, folder: Path) -> None:
        """Write what it is made with; words are counted again over the documents that are asked."""
        folder.mkdir(parents=True, exist_ok=True)
        terms = {"ngrams": self.terms.ngrams, "most": self.terms.most, "marks": self.terms.marks}
        write_json(folder / "config.json", {"model_type": TFIDF_RANKING, "documents": len(self.documents), **terms})

    @staticmethod
    def load(folder: Path) -> NoReturn:
        """Say that it labels nothing.

        Raises:
            ModelError: always.
        """
        raise ModelError(f"{folder}: this tf-idf labels no texts, it ranks documents; it is asked by `acclimate search` and `evaluate`")

    def _cosines(self, queries: Sequence[str]) -> NDArray[np.float64]:
        """[N, M]"""
        if self._fitted is None:
            return np.zeros((len(queries), len(self.documents)))
        vectorizer, matrix_MV = self._fitted
        # Rows have length 1, or are nothing but zeros.
        return np.asarray((vectorizer.transform(queries) @ matrix_MV.T).toarray())

    @cached_property
    def _fitted(self) -> tuple[Any, Any] | None:
        """The terms with their weights, and the documents [M, V]; None where no document has a word."""
        vectorizer = vectorizer_of(self.terms)
        read = vectorizer.build_analyzer()
        if not any(read(text) for text in self.documents):
            return None  # which scikit-learn refuses
        return vectorizer, vectorizer.fit_transform(self.documents)
