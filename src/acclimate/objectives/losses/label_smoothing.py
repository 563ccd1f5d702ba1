"""Label smoothing."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from acclimate.objectives.loss_settings import LabelSmoothingSettings
from acclimate.objectives.losses.loss import Given
from acclimate.objectives.losses.on_device import on_device


@dataclass(frozen=True)
class LabelSmoothing:
    """Cross-entropy against names that are right by 1 - epsilon, and by epsilon spread over all names (Szegedy et al. 2016, section 7).

    With weights of classes it is that of PyTorch, `CrossEntropyLoss(weight, label_smoothing=epsilon)`: what is spread over a name has that
    name's weight.
    """

    epsilon: float
    weights: tuple[float, ...]  # [L]

    @classmethod
    def of(cls, given: Given) -> Self:
        """By its settings, and the weights of all names."""
        settings: LabelSmoothingSettings = given.settings
        return cls(settings.epsilon, tuple(given.weights.tolist()))

    def one(self, logits_ML: Tensor, labels_M: Tensor, weights_M: Tensor) -> Tensor:
        """[M] of one right name by 1 - epsilon + epsilon / L, and all others by epsilon / L."""
        weights_L = on_device(self.weights, logits_ML.device)
        smooth_M = cross_entropy(logits_ML, labels_M, weights_L, reduction="none", label_smoothing=self.epsilon)
        return smooth_M * (weights_M > 0)  # the weights themselves are in it

    def each(self, logits_BL: Tensor, labels_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """[B, L] of labels that hold by 1 - epsilon / 2, or by epsilon / 2: of two answers each is one name."""
        smooth_BL = labels_BL * (1 - self.epsilon) + self.epsilon / 2
        weights_L = on_device(self.weights, logits_BL.device)
        return binary_cross_entropy_with_logits(logits_BL, smooth_BL, pos_weight=weights_L, reduction="none") * (weights_BL > 0)
