"""The triplet loss (Schroff et al. 2015)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import relu

from acclimate.objectives.losses.columns import GOLD, column, of_first
from acclimate.objectives.vector_loss_settings import VectorLossSettings


@dataclass(frozen=True)
class Triplet:
    """max(0, d(anchor, own) - d(anchor, other) + margin) with d = 1 - cosine."""

    margin: float
    together: ClassVar[bool] = False

    @classmethod
    def of(cls, settings: VectorLossSettings) -> Self:
        """With its margin."""
        return cls(settings.margin)  # type: ignore[attr-defined]

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """Triplets."""
        return float(len(of_first(targets, GOLD)))

    def summed(self, vectors_BE: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed over triplets."""
        anchors_nE, own_nE, others_nE = (column(vectors_BE, targets, number) for number in range(3))
        return relu((anchors_nE * (others_nE - own_nE)).sum(dim=-1) + self.margin).sum()
