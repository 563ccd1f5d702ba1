"""Cross-entropy."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from acclimate.objectives.losses.loss import Given


@dataclass(frozen=True)
class CrossEntropy:
    """-log p of what is right."""

    @classmethod
    def of(cls, _: Given) -> Self:
        """It has no settings."""
        return cls()

    def one(self, logits_ML: Tensor, labels_M: Tensor, weights_M: Tensor) -> Tensor:
        """[M] -log softmax(logits)[label], weighted."""
        return cross_entropy(logits_ML, labels_M, reduction="none") * weights_M

    def each(self, logits_BL: Tensor, labels_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """[B, L] -log sigmoid(logit) of a label that holds, -log sigmoid(-logit) of one that does not, weighted."""
        return binary_cross_entropy_with_logits(logits_BL, labels_BL, weights_BL, reduction="none")
