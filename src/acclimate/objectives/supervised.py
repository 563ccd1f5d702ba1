"""Labelled training of every kind: shuffled batches of the items of a split, and one of the losses."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from acclimate.data.batches import Batch, Order
from acclimate.data.sequences import Sequences
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.losses.loss import Loss
from acclimate.tasks.split import Split


@dataclass(frozen=True)
class Supervised:
    """The objective: what is right for a text, as its split says, by a loss."""

    texts: Sequences
    split: Split
    order: Order
    by: Loss

    def batch(self, step: int) -> Batch:
        """The global batch of a step."""
        rows = self.order.batch(step)
        return self.texts.batch(rows, self.by.targets(self.split, self.texts.asked(rows)))

    def count(self, batch: Batch) -> float:
        """What the loss divides by."""
        return self.by.count(batch.targets)

    @property
    def together(self) -> bool:
        """Whether the items of a batch see each other."""
        return self.by.together

    def outputs(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """What the model gives for each item [B, ...], or each piece of a word that is asked about [M, ...]."""
        outputs: Tensor = model(batch)
        return outputs

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss of such outputs, nats."""
        return self.by.summed(outputs, targets)

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The summed loss, nats."""
        return self.summed(self.outputs(model, batch), batch.targets)
