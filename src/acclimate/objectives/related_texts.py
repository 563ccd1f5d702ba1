"""Vectors of texts, trained by which of them belong together: batches of examples, and one of the losses of vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import embedding

from acclimate.data.batches import PER_POSITION, TARGET_INDEX, Batch, Order
from acclimate.data.ragged import offsets_of
from acclimate.data.sequences import Sequences
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.losses.columns import COLUMN, GOLD, ITEM, TEXT, VectorLoss
from acclimate.tasks.relations import Examples

ROW, PLACE = "row", "place"  # of a text in an example: which sequence of the batch it is, and where it stands, example after example
T = TypeVar("T", NDArray[Any], Tensor)


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
        """The texts of the examples of a step."""
        return self.of(self.order.batch(step))

    def of(self, chosen: NDArray[np.integer]) -> Batch:
        """Those of these examples, each text once, however many of them it stands in; what is told of it there stands at its beginning."""
        rows = self.examples.rows[chosen]
        item, column = np.nonzero(rows >= 0)
        text = rows[item, column]
        gold = self.examples.gold[np.asarray(chosen)[item]]
        read = np.array([*dict.fromkeys(text.tolist())], dtype=np.int64)
        row = np.argsort(read)[np.searchsorted(np.sort(read), text)]
        told = {ITEM: item, COLUMN: column, TEXT: text, GOLD: gold, ROW: row, PLACE: np.arange(len(text))}
        by_row, begins = np.argsort(row, kind="stable"), offsets_of(self.texts.lengths[read])[:-1]
        targets = {f"{PER_POSITION}{name}": values[by_row] for name, values in told.items()}
        return self.texts.batch(read, {TARGET_INDEX: begins[row[by_row]], **targets})

    def read(self, batch: Batch) -> NDArray[np.int64]:
        """[B] the text of each sequence of a batch."""
        told = told_of(batch.targets)
        read = np.zeros(batch.sequences, dtype=np.int64)
        read[told[ROW]] = told[TEXT]
        return read

    def count(self, batch: Batch) -> float:
        """What the loss divides by."""
        return self.by.count(told_of(batch.targets))

    def outputs(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """Vectors [B, E]."""
        vectors: Tensor = model(batch)
        return vectors

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss of a whole batch, over all widths."""
        told = told_of(targets)
        vectors_BE = embedding(told[ROW], outputs)  # whose gradient adds up the rows of a text in an order of its own
        return sum((self.by.summed(vectors_BE[:, :width], told) for width in self.widths), outputs.new_zeros(()))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The same of a batch that fits into one pass."""
        return self.summed(self.outputs(model, batch), batch.targets)


def told_of(targets: Mapping[str, T]) -> dict[str, T]:
    """What is told of the texts of a batch, example after example, as losses take it."""
    order = targets[f"{PER_POSITION}{PLACE}"].argsort()
    return {name.removeprefix(PER_POSITION): values[order] for name, values in targets.items() if name != TARGET_INDEX}
