"""Classification of one text into one of L labels: the batch of a step and the weighted cross-entropy."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.data.batches import Batch, CountOrder
from acclimate.data.sequences import Sequences
from acclimate.modeling.tensors import TensorBatch


@dataclass(frozen=True)
class LabelledText:
    """The objective: shuffled batches of labelled texts."""

    texts: Sequences
    labels: NDArray[np.int64]  # [N]
    order: CountOrder
    weights: NDArray[np.float64]  # [L] weight of each class in the loss

    def batch(self, step: int) -> Batch:
        """The global batch of a step."""
        indices = self.order.batch(step)
        labels = self.labels[indices]
        # Weights travel with the batch: fetched in the loss, they would make a GPU wait for the host in every step.
        return self.texts.batch(indices, {"labels": labels, "weights": self.weights[labels].astype(np.float32)})

    def count(self, batch: Batch) -> float:
        """The summed class weights of the batch's examples (their number when nothing is weighted)."""
        return float(batch.targets["weights"].sum(dtype=np.float64))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """Summed weighted cross-entropy, nats."""
        logits_BL = model(batch)
        losses_B = torch.nn.functional.cross_entropy(logits_BL.float(), batch.targets["labels"], reduction="none")
        return (losses_B * batch.targets["weights"]).sum()
