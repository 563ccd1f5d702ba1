"""Contrast over the hard pairs of a batch alone (as in sentence-transformers, `OnlineContrastiveLoss`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import relu

from acclimate.objectives.losses.columns import GOLD, cosines, of_first
from acclimate.objectives.vector_loss_settings import VectorLossSettings


@dataclass(frozen=True)
class OnlineContrastive:
    """d^2 of pairs together that are farther than the nearest pair apart, max(0, margin - d)^2 of pairs apart that are nearer than the
    farthest together; d = 1 - cosine. Where a batch has pairs of one sort alone, those beyond their mean."""

    margin: float
    together: ClassVar[bool] = True

    @classmethod
    def of(cls, settings: VectorLossSettings) -> Self:
        """With its margin."""
        return cls(settings.margin)  # type: ignore[attr-defined]

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """1: the sum over hard pairs is not divided, for nobody knows before how many they are. 0 for a single pair."""
        return float(len(np.atleast_1d(of_first(targets, GOLD))) > 1)

    def summed(self, vectors_BE: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed over hard pairs."""
        cosines_n, together_n = cosines(vectors_BE, targets)
        distance_n = 1 - cosines_n
        apart, near = distance_n[together_n == 0], distance_n[together_n == 1]
        pushed = apart[apart < (near.max() if len(near) else apart.mean())]
        pulled = near[near > (apart.min() if len(apart) else near.mean())]
        return pulled.square().sum() + relu(self.margin - pushed).square().sum()
