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
    """1 - (2 q y + smooth) / (q^2 + y + smooth) with q = (1 - p)^alpha p, of every name against the others (Li et al. 2020, section 3.3).

    A soft F1 of single answers, in which an easy one hardly counts. The square (Milletari et al. 2016) is that of the authors' own
    trainings, and learns faster: what is wrong counts for more, and names that are as good as ruled out for less. `squared=False` has q in
    its place, as the paper's formula. Of one name among L it is the sum over names, as in the authors' code.
    """

    alpha: float
    smooth: float
    squared: bool = True

    @classmethod
    def of(cls, given: Given) -> Self:
        """By its settings."""
        settings: DiceSettings = given.settings
        return cls(settings.alpha, settings.smooth, settings.squared)

    def one(self, logits_ML: Tensor, labels_M: Tensor, weights_M: Tensor) -> Tensor:
        """[M] of the probabilities that softmax gives, summed over names."""
        q_ML = (self.alpha * log_complements(logits_ML) + logits_ML.log_softmax(dim=-1)).exp()
        return self._of(q_ML, one_hot(labels_M, logits_ML.shape[-1])).sum(dim=-1) * weights_M

    def each(self, logits_BL: Tensor, labels_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """[B, L] of the probabilities that sigmoid gives."""
        q_BL = (self.alpha * logsigmoid(-logits_BL) + logsigmoid(logits_BL)).exp()
        return self._of(q_BL, labels_BL) * weights_BL

    def _of(self, q: Tensor, y: Tensor) -> Tensor:
        both = (q.square() if self.squared else q) + y
        return (both - 2 * q * y) / (both + self.smooth)
