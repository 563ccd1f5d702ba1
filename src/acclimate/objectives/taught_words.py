"""Masked words as a teacher would fill them in: masked language modelling with soft targets beside the words (Sanh et al. 2019).

Masks are drawn anew in every step, so what the teacher says is computed in the step and not kept: of each masked token the likeliest words.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.modeling.execution import Packed
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.mlm import MaskedText
from acclimate.objectives.vocabulary_loss import summed_soft_cross_entropy


@dataclass(frozen=True)
class TaughtWords:
    """The objective: of a masked token `weight` times the cross-entropy to a teacher's `likeliest` words, the rest to the word itself."""

    text: MaskedText
    teacher: Packed
    """A masked language model of the same vocabulary, in evaluation mode."""
    weight: float
    likeliest: int

    def batch(self, step: int) -> Batch:
        """The masked global batch of a step."""
        return self.text.batch(step)

    def count(self, batch: Batch) -> float:
        """Masked tokens in the batch."""
        return self.text.count(batch)

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The summed loss, nats."""
        with torch.no_grad():
            said = self.teacher(batch).float()
            values_MK, words_MK = said.topk(min(self.likeliest, said.shape[1]), dim=1)
            shares_MK = self.weight * values_MK.softmax(dim=1)
        del said  # as large as the student's logits, which come now
        own_M1 = batch.targets["target_ids"][:, None]
        words = torch.cat([words_MK, own_M1], dim=1)
        shares = torch.cat([shares_MK, torch.full_like(shares_MK[:, :1], 1 - self.weight)], dim=1)
        logits_MV: Tensor = model(batch)
        return summed_soft_cross_entropy(logits_MV.float(), words, shares)
