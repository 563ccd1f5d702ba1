"""Learning from texts as words: in every step some words are unknown, so that the entry for unknown words is trained, too."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.modeling.baselines.word_list import UNKNOWN
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.supervised import Supervised
from acclimate.randomness import generator


@dataclass(frozen=True)
class WordDropout:
    """The objective: that of `items`, of whose texts each word is read as unknown with probability `dropout`.

    Training texts hold no unknown word where every word of theirs is kept, but those of dev and test do.
    """

    items: Supervised
    dropout: float
    seed: int

    def batch(self, step: int) -> Batch:
        """The global batch of a step."""
        batch = self.items.batch(step)
        unknown = generator(self.seed, "word dropout", step).random(batch.tokens) < self.dropout
        return replace(batch, input_ids=np.where(unknown, UNKNOWN, batch.input_ids))

    def count(self, batch: Batch) -> float:
        """What the loss divides by."""
        return self.items.count(batch)

    @property
    def together(self) -> bool:
        """Whether the items of a batch see each other."""
        return self.items.together

    def outputs(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """What the model gives for each item, [B, ...]."""
        return self.items.outputs(model, batch)

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss of such outputs, nats."""
        return self.items.summed(outputs, targets)

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The summed loss, nats."""
        return self.items.loss(model, batch)
