"""A plain baseline that gives texts vectors, and the head that answers on them (`acclimate.modeling.vector_heads`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import ModelError
from acclimate.modeling.vector_heads import VectorHead, read_head, refuse_columns
from acclimate.tasks.kind import Link


class TextVectors(Protocol):
    """Gives texts vectors."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[N, D] of N texts."""


class VectorModel:
    """Vectors of texts, and what answers on them; `columns` of texts an item has."""

    def __init__(self, texts: TextVectors, head: VectorHead, columns: int = 1) -> None:
        self.texts, self._head, self._columns = texts, head, columns

    @classmethod
    def of(cls, folder: Path, texts: TextVectors) -> Self:
        """With the head that stands in a folder.

        Raises:
            ModelError: there is none.
        """
        kept = read_head(folder)
        if kept is None:
            why = "gives texts vectors, and answers no task: nothing was fitted on them"
            raise ModelError(f"{folder}: {why}; it is asked by `acclimate search`, `encode` and `evaluate`")
        head, told = kept
        return cls(texts, head, int(told["texts"]))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self._head.labels

    @property
    def link(self) -> Link:
        """What its numbers mean."""
        return self._head.link

    def probabilities(self, *columns: Sequence[str]) -> NDArray[np.float64]:
        """[N, L] of items of these columns of texts; of pairs with a score [N, 1] the cosine.

        Raises:
            SettingsError: these are not as many columns as an item has.
        """
        refuse_columns(len(columns), self._columns)
        if not columns[0]:
            return np.zeros((0, len(self.labels)))
        return self._head.outputs(*(self.texts.vectors(column) for column in columns))
