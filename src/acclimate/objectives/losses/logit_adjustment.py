"""Logit adjustment."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from acclimate.objectives.loss_settings import LogitAdjustmentSettings
from acclimate.objectives.losses.loss import Given
from acclimate.objectives.losses.on_device import on_device


@dataclass(frozen=True)
class LogitAdjustment:
    """Cross-entropy of logits to which tau log(prior) was added (Menon et al. 2021, equation 10), so that they need not learn the priors.

    In training alone: the model answers with its own logits, and so as if all classes were equally frequent. Of labels each by itself it is
    the logarithm of the odds that is added. Priors are those of the training examples (of words, where these are answered).
    """

    shift: tuple[float, ...]  # [L]

    @classmethod
    def of(cls, given: Given) -> Self:
        """By its settings and the training examples; a name without one counts as if it had one, and so does the lack of a label."""
        settings: LogitAdjustmentSettings = given.settings
        with_name = np.maximum(given.counts, 1)
        others = np.maximum(given.examples - given.counts, 1) if given.head.link == "sigmoid" else given.examples
        return cls(tuple((settings.tau * np.log(with_name / others)).tolist()))

    def one(self, logits_ML: Tensor, labels_M: Tensor, weights_M: Tensor) -> Tensor:
        """[M] -log softmax(logits + tau log(prior))[label], weighted."""
        return cross_entropy(logits_ML + on_device(self.shift, logits_ML.device), labels_M, reduction="none") * weights_M

    def each(self, logits_BL: Tensor, labels_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """[B, L] -log sigmoid(±(logit + tau log(odds))), weighted."""
        adjusted_BL = logits_BL + on_device(self.shift, logits_BL.device)
        return binary_cross_entropy_with_logits(adjusted_BL, labels_BL, weights_BL, reduction="none")
