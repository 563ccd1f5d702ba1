"""Two objectives in one training: most steps learn from labels, and text without labels is read in the steps between them, evenly spread.

Multi-task training by steps in turn (Liu et al. 2019, MT-DNN). That a language model goes on learning words while it learns a task is the
auxiliary objective of Radford et al. (2018); on text of the domain or the task, that of Dery et al. (2022).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.modeling.tensors import TensorBatch
from acclimate.modeling.two_heads import of_words
from acclimate.training.loop import Objective


@dataclass(frozen=True)
class Turns:
    """Which of the steps of a training learn from labels, and which read text."""

    labelled: int
    """Steps of the whole training that learn from labels."""
    words: int
    """Steps that read text."""

    @property
    def steps(self) -> int:
        """Of both."""
        return self.labelled + self.words

    def read(self, step: int) -> int:
        """How many of the first `step` steps read text."""
        return step * self.words // self.steps

    def of_words(self, step: int) -> bool:
        """Whether this step reads text."""
        return self.read(step + 1) > self.read(step)

    def whole(self, labelled: int) -> int:
        """About how many steps of both it takes to learn so many times from labels."""
        return max(1, round(labelled * self.steps / self.labelled))


@dataclass(frozen=True)
class Alternating:
    """The objective: `labels` in some steps, `words` in others; a network of `TwoHeads` tells them apart by their targets."""

    labels: Objective
    words: Objective
    turns: Turns
    weight: float
    """Of a step's loss where it reads text, beside one of labels."""

    def batch(self, step: int) -> Batch:
        """The global batch of a step, of the one or of the other."""
        read = self.turns.read(step)
        return self.words.batch(read) if self.turns.of_words(step) else self.labels.batch(step - read)

    def count(self, batch: Batch) -> float:
        """What the summed loss is divided by."""
        return self.words.count(batch) / self.weight if of_words(batch) else self.labels.count(batch)

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The summed loss of a micro-batch."""
        return (self.words if of_words(batch) else self.labels).loss(model, batch)
