"""The squared error of cosines (Reimers & Gurevych 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from numpy.typing import NDArray
from torch import Tensor

from acclimate.objectives.losses.columns import GOLD, cosines, of_first
from acclimate.objectives.vector_loss_settings import VectorLossSettings


@dataclass(frozen=True)
class Cosine:
    """(cosine - score)^2."""

    together: ClassVar[bool] = False

    @classmethod
    def of(cls, settings: VectorLossSettings) -> Self:
        """It has no settings."""
        return cls()

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """Pairs."""
        return float(len(of_first(targets, GOLD)))

    def summed(self, vectors_BE: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed over pairs."""
        cosines_n, scores_n = cosines(vectors_BE, targets)
        return (cosines_n - scores_n).square().sum()
