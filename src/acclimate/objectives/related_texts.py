"""Vectors of texts, trained by which of them belong together: batches of examples, and one of the losses of vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.data.batches import Batch, Order
from acclimate.data.sequences import Sequences
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.losses.columns import COLUMN, GOLD, ITEM, TEXT, VectorLoss
from acclimate.tasks.relations import Examples


@dataclass(frozen=True)
class RelatedTexts:
    """The objective: vectors [B, E] of the texts of a batch of examples, by a loss of them all."""

    texts: Sequences
    """[U] every text of the examples."""
    examples: Examples
    order: Order
    by: VectorLoss
    widths: tuple[int, ...]
    """So many first dimensions of the vectors the loss is asked of, each by itself, and summed (Kusupati et al. 2022)."""

    together: ClassVar[bool] = True

    def batch(self, step: int) -> Batch:
        """The texts of the examples of a step, one example after the other."""
        return self.of(self.order.batch(step))

    def of(self, chosen: NDArray[np.integer]) -> Batch:
        """Those of these examples."""
        rows = self.examples.rows[chosen]
        item, column = np.nonzero(rows >= 0)
        text = rows[item, column]
        gold = self.examples.gold[np.asarray(chosen)[item]]
        return self.texts.batch(text, {ITEM: item, COLUMN: column, TEXT: text, GOLD: gold})

    def count(self, batch: Batch) -> float:
        """What the loss divides by."""
        return self.by.count(batch.targets)

    def outputs(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """Vectors [B, E]."""
        vectors: Tensor = model(batch)
        return vectors

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss of a whole batch, over all widths."""
        return sum((self.by.summed(outputs[:, :width], targets) for width in self.widths), outputs.new_zeros(()))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The same of a batch that fits into one pass."""
        return self.summed(self.outputs(model, batch), batch.targets)
