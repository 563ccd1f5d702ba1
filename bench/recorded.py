"""A peer's very batches as an objective of our loop."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.modeling.tensors import TensorBatch


@dataclass(frozen=True)
class Recorded:
    """The objective: batches that somebody else made."""

    batches: list[Batch]
    summed: Callable[[nn.Module, TensorBatch], Tensor]
    """The summed cross-entropy of the tokens that are asked for, by model and batch."""

    def batch(self, step: int) -> Batch:
        """The recorded batch of a step."""
        return self.batches[step]

    def count(self, batch: Batch) -> float:
        """Tokens in the batch that are asked for."""
        return float(len(batch.targets["target_ids"]))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """What is minimised, before it is divided by `count`."""
        return self.summed(model, batch)
