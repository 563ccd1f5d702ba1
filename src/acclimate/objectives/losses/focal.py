"""Focal loss."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid

from acclimate.objectives.loss_settings import FocalSettings
from acclimate.objectives.losses.log_probabilities import log_complements
from acclimate.objectives.losses.loss import Given


@dataclass(frozen=True)
class Focal:
    """-(1 - p)^gamma log p of what is right (Lin et al. 2017, equation 4; with weights of classes equation 5)."""

    gamma: float

    @classmethod
    def of(cls, given: Given) -> Self:
        """By its settings."""
        settings: FocalSettings = given.settings
        return cls(settings.gamma)

    def one(self, logits_ML: Tensor, labels_M: Tensor, weights_M: Tensor) -> Tensor:
        """[M] of the probability that softmax gives the label."""
        log_wrong_M = log_complements(logits_ML).gather(1, labels_M[:, None]).squeeze(1)
        return (self.gamma * log_wrong_M).exp() * cross_entropy(logits_ML, labels_M, reduction="none") * weights_M

    def each(self, logits_BL: Tensor, labels_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """[B, L] of the probability that sigmoid gives what is right of each label, as torchvision's `sigmoid_focal_loss`."""
        towards_BL = logits_BL * (2 * labels_BL - 1)
        return -(self.gamma * logsigmoid(-towards_BL)).exp() * logsigmoid(towards_BL) * weights_BL
