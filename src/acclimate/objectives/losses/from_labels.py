"""Supervised contrast (Khosla et al. 2020): texts of one label are near each other, and far from those of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.objectives.losses.columns import GOLD, column, of_first
from acclimate.objectives.vector_loss_settings import VectorLossSettings


@dataclass(frozen=True)
class FromLabels:
    """-log of the share of a text of the same class among all others of the batch, the mean over those of its class (their L_out)."""

    scale: float
    together: ClassVar[bool] = True

    @classmethod
    def of(cls, settings: VectorLossSettings) -> Self:
        """With its scale."""
        return cls(settings.scale)  # type: ignore[attr-defined]

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """Texts that are not alone in their class: of the others nothing is asked. 0 where all are of one class."""
        _, place, many = np.unique(of_first(targets, GOLD), return_inverse=True, return_counts=True)
        return float((many[place] > 1).sum()) if len(many) > 1 else 0.0

    def summed(self, vectors_BE: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed over these texts, nats."""
        vectors_BE, classes_B = column(vectors_BE, targets, 0), targets[GOLD]
        itself_BB = torch.eye(len(vectors_BE), dtype=torch.bool, device=vectors_BE.device)
        # Finite: of a batch of one text nothing else stands in its row.
        share_BB = (vectors_BE @ vectors_BE.T * self.scale).masked_fill(itself_BB, -1e9).log_softmax(-1)
        friends_BB = (classes_B[:, None] == classes_B) & ~itself_BB
        return -(share_BB * friends_BB).sum(-1).div(friends_BB.sum(-1).clamp(min=1)).sum()
