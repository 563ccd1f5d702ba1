"""Embedding distillation (Reimers & Gurevych 2020): the vector that a student gives a text is to be the one that its teacher gives it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.data.batches import Batch, Order
from acclimate.data.ragged import IntArray
from acclimate.data.sequences import Sequences
from acclimate.modeling.tensors import TensorBatch

WANTED = "wanted"  # target: the vector that a text is to have
PART = 65_536  # vectors that are looked at at a time


@dataclass(frozen=True, eq=False)
class WantedVectors:
    """A teacher's vectors of `N` texts, as a student is to give them."""

    said_NE: NDArray[np.float32]
    """As the teacher gives them, mapped from disk."""
    components_FE: NDArray[np.float32] | None
    """The F directions that are kept of them, where the student's vectors have fewer numbers; None: all."""
    unit: bool
    """Whether they have length 1."""
    kept: float = 1.0
    """The share of their variance along these directions."""

    @classmethod
    def of(cls, said_NE: NDArray[np.float32], width: int, unit: bool, rows: IntArray) -> Self:
        """Those of a student whose vectors have this `width`: where a teacher's have more, along their first principal components.

        These are found from `rows`, and vectors are projected on them as they are, without their mean, as sentence-transformers
        does where it puts them into a teacher's last layer.
        """
        if width >= said_NE.shape[1]:
            return cls(said_NE, None, unit)
        components, kept = principal(said_NE, rows, width)
        return cls(said_NE, components, unit, kept)

    def rows(self, rows: IntArray) -> NDArray[np.float32]:
        """[B, F] those of some of the texts."""
        vectors = np.asarray(self.said_NE[rows])
        if self.components_FE is None:
            return vectors
        vectors = vectors @ self.components_FE.T
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12)) if self.unit else vectors


def principal(vectors_NE: NDArray[np.float32], rows: IntArray, width: int) -> tuple[NDArray[np.float32], float]:
    """[F, E] the first F = `width` principal components of some of the vectors, and the share of their variance that these hold."""
    moments, total = np.zeros((vectors_NE.shape[1],) * 2), np.zeros(vectors_NE.shape[1])
    for begin in range(0, len(rows), PART):
        part = np.asarray(vectors_NE[rows[begin : begin + PART]], dtype=np.float64)
        moments, total = moments + part.T @ part, total + part.sum(axis=0)
    mean = total / len(rows)
    variances, directions = np.linalg.eigh(moments / len(rows) - np.outer(mean, mean))
    first = directions[:, ::-1][:, :width].T
    # The sign of a direction is nobody's: its largest number is positive.
    first = first * np.sign(first[np.arange(width), np.abs(first).argmax(axis=1)])[:, None]
    return first.astype(np.float32), float(variances[::-1][:width].sum() / max(variances.sum(), 1e-30))


@dataclass(frozen=True)
class NearVectors:
    """The objective: the squared distance between the vectors of a text, as the student gives it and as it is wanted."""

    texts: Sequences
    wanted: WantedVectors
    rows: IntArray
    """[R] the texts that an epoch reads; a text may stand there several times."""
    order: Order
    """Of these R."""

    def batch(self, step: int) -> Batch:
        """The global batch of a step."""
        return self.of(self.rows[self.order.batch(step)])

    def of(self, rows: IntArray) -> Batch:
        """The batch of these texts."""
        return self.texts.batch(rows, {WANTED: self.wanted.rows(rows)})

    def count(self, batch: Batch) -> float:
        """What the loss divides by: texts."""
        return float(len(batch.targets[WANTED]))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The summed loss: of vectors of length 1, twice what their cosines lack to 1."""
        apart: Tensor = model(batch).float() - batch.targets[WANTED]
        return apart.square().sum()


def mean_distance(vectors_NE: NDArray[np.float32], wanted_NE: NDArray[np.float32]) -> float:
    """The mean squared distance between vectors."""
    return float(np.square(vectors_NE.astype(np.float64) - wanted_NE).sum(axis=1).mean())
