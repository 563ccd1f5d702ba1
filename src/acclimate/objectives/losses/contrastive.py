"""Contrast of pairs that belong together or apart (Hadsell et al. 2006)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import relu

from acclimate.objectives.losses.columns import GOLD, cosines, of_first
from acclimate.objectives.vector_loss_settings import VectorLossSettings


@dataclass(frozen=True)
class Contrastive:
    """d^2 / 2 of a pair together, max(0, margin - d)^2 / 2 of one apart, with d = 1 - cosine."""

    margin: float
    together: ClassVar[bool] = False

    @classmethod
    def of(cls, settings: VectorLossSettings) -> Self:
        """With its margin."""
        return cls(settings.margin)  # type: ignore[attr-defined]

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """Pairs."""
        return float(len(of_first(targets, GOLD)))

    def summed(self, vectors_BE: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed over pairs."""
        cosines_n, together_n = cosines(vectors_BE, targets)
        distance_n = 1 - cosines_n
        pulled_n, pushed_n = together_n * distance_n.square(), (1 - together_n) * relu(self.margin - distance_n).square()
        return (pulled_n + pushed_n).sum() / 2
