"""Learning from whole texts, however long: every window of a text learns what is right for the text."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.data.ragged import ranges
from acclimate.errors import SettingsError
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.supervised import Supervised

OF, FIRST = "of_windows", "first_window"  # targets: of how many windows a text is, and whether this is the first of them


@dataclass(frozen=True)
class WholeTexts:
    """The objective: that of `items`, whose order is one of texts, on all windows of the texts of a batch.

    The loss of a text is the mean of its windows' losses, so a text of k windows counts as much as one of a single window, and a batch of
    16 texts is as large a step as where they are cut. That each part has the label of its document is how Pappagari et al. (2019)
    train the encoder of long documents.

    Raises:
        SettingsError: the items of a batch see each other.
    """

    items: Supervised

    def __post_init__(self) -> None:
        if self.items.together:
            raise SettingsError("long: windows are summed text by text, and the items of this loss see each other; leave `long` out")

    def batch(self, step: int) -> Batch:
        """The global batch of a step: every window of its texts."""
        texts, rows = self.items.texts, self.items.order.batch(step)
        assert texts.document is not None
        first = texts.windows_of_text[rows]
        counts = texts.windows_of_text[rows + 1] - first
        windows = ranges(first, counts)
        of = np.repeat(counts, counts)
        targets = {**self.items.by.targets(self.items.split, texts.document[windows]), OF: of, FIRST: windows == np.repeat(first, counts)}
        return texts.batch(windows, targets)

    def count(self, batch: Batch) -> float:
        """What the loss divides by: as if each text stood there once."""
        first = np.asarray(batch.targets[FIRST], dtype=bool)
        return self.items.by.count({name: values[first] for name, values in batch.targets.items()})

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The summed loss, nats."""
        outputs, of = self.items.outputs(model, batch), batch.targets[OF]
        total = outputs.new_zeros(())
        # A loss is a sum over its items, whichever it is: those of texts of equally many windows are summed, and divided, together.
        for windows in torch.unique(of).tolist():
            rows = of == windows
            total = total + self.items.summed(outputs[rows], {name: values[rows] for name, values in batch.targets.items()}) / windows
        return total
