"""CoSENT: cosines in the order of scores (Huang et al. 2024)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.objectives.losses.columns import GOLD, cosines, of_first
from acclimate.objectives.vector_loss_settings import VectorLossSettings


@dataclass(frozen=True)
class Cosent:
    """log(1 + sum exp(scale (cos of one - cos of another))) over all couples of pairs of which the one has the lower score."""

    scale: float
    together: ClassVar[bool] = True

    @classmethod
    def of(cls, settings: VectorLossSettings) -> Self:
        """With its scale."""
        return cls(settings.scale)  # type: ignore[attr-defined]

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """1: it is one number of a batch; 0 where all scores are equal."""
        return float(len(np.unique(of_first(targets, GOLD))) > 1)

    def summed(self, vectors_BE: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """That number, nats."""
        cosines_n, scores_n = cosines(vectors_BE, targets)
        # Sorted by score, what a pair is compared with are all behind its equals: one pass in place of n x n differences.
        scores_n, order = scores_n.sort()
        cosines_n = cosines_n[order] * self.scale
        higher_n = torch.searchsorted(scores_n, scores_n, right=True)
        beyond_n = torch.cat([torch.logcumsumexp(-cosines_n.flip(0), 0).flip(0), cosines_n.new_full((1,), -torch.inf)])
        return torch.cat([cosines_n.new_zeros(1), cosines_n + beyond_n[higher_n]]).logsumexp(0)
