"""How far a training moved what was known before it: mean cosines of vectors before and after."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.modeling.baselines.paragraph_vectors import ParagraphVectors


class Drift(NamedTuple):
    """Of a second phase of training."""

    words: int
    of_words: float
    """Mean cosine of the vectors of so many words of the first phase, before and after the second."""
    documents: int
    of_documents: float
    """Of so many of its documents, whose vectors are inferred before and after."""
    by_chance: float
    """Of the same documents inferred twice before it, by other draws: what inference itself moves them."""

    @classmethod
    def of(cls, before: ParagraphVectors, after: ParagraphVectors, known: Callable[[str], bool], texts: Sequence[str]) -> "Drift":
        """Of the words that were `known`, and of documents."""
        rows = np.array([row for row, word in enumerate(before.words) if known(word)], dtype=np.int64)
        inferred = before.vectors(texts)
        return cls(
            len(rows), mean_cosine(before.trained[rows], after.trained[rows]),
            len(texts), mean_cosine(inferred, after.vectors(texts)), mean_cosine(inferred, before.vectors(texts, draw=1)),
        )  # fmt: skip

    @property
    def metrics(self) -> dict[str, float]:
        """For a stage's metrics."""
        return {f"drift_{name}": value for name, value in self._asdict().items()}

    def told(self) -> str:
        """In a sentence."""
        return (
            f"drift: in the second phase the vectors of {self.words:,} words of the first moved to a mean cosine of {self.of_words:.3f} "
            f"with what they were, those of {self.documents:,} of its documents, inferred again, to {self.of_documents:.3f} "
            f"(inferred twice without it: {self.by_chance:.3f})"
        )


def mean_cosine(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Of the rows of two matrices [N, D], without those that are zero in one of them; 0 where none is left."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    there = lengths > 0
    if not there.any():
        return 0.0
    products = np.einsum("nd,nd->n", first[there], second[there], dtype=np.float64)
    return float((products / lengths[there]).mean())
