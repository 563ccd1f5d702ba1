"""Self-adjusting dice loss."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from acclimate.objectives.loss_settings import DiceSettings
from acclimate.objectives.losses.log_probabilities import log_complements
from acclimate.objectives.losses.loss import Given


@dataclass(frozen=True)
class Dice:
    """1 - (2 q y + smooth) / (q + y + smooth) with q = (1 - p)^alpha p, of every name against the others (Li et al. 2020, section 3.3).

    A soft F1 of single answers, in which an easy one hardly counts. Of one name among L the sum over names, as the authors' own code has it
    for several classes (with plain, not squared, terms in the denominator, as in the paper).
    """

    alpha: float
    smooth: float

    @classmethod
    def of(cls, given: Given) -> Self:
        """By its settings."""
        settings: DiceSettings = given.settings
        return cls(settings.alpha, settings.smooth)

    def one(self, logits_ML: Tensor, labels_M: Tensor, weights_M: Tensor) -> Tensor:
        """[M] of the probabilities that softmax gives, summed over names."""
        q_ML = (self.alpha * log_complements(logits_ML) + logits_ML.log_softmax(dim=-1)).exp()
        return self._of(q_ML, one_hot(labels_M, logits_ML.shape[-1])).sum(dim=-1) * weights_M

    def each(self, logits_BL: Tensor, labels_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """[B, L] of the probabilities that sigmoid gives."""
        q_BL = (self.alpha * logsigmoid(-logits_BL) + logsigmoid(logits_BL)).exp()
        return self._of(q_BL, labels_BL) * weights_BL

    def _of(self, q: Tensor, y: Tensor) -> Tensor:
        return (q + y - 2 * q * y) / (q + y + self.smooth)
