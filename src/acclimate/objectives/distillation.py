"""Knowledge distillation (Hinton et al. 2015): a student learns what a trained teacher says of texts, and the labels where there are some.

Of a text without a label the loss is the teacher's part alone; of one with a label alpha times that, and 1 - alpha times the label's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax, logsigmoid

from acclimate.data.batches import PER_POSITION, TARGET_INDEX, Batch, CountOrder
from acclimate.data.ragged import IntArray
from acclimate.data.sequences import Sequences
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.inner_likeness import Inside
from acclimate.objectives.losses.loss import Loss
from acclimate.tasks.kind import Link
from acclimate.tasks.split import Split

SAID, LABELLED = "said", "labelled"  # targets: the teacher's logits, and whether there is a label


@dataclass(frozen=True)
class SoftLabels:
    """How far a student's answers are from its teacher's, both softened by a temperature T.

    Of names of which one holds T^2 KL(softmax(teacher / T) || softmax(student / T)), of labels that may each hold the mean over them of the
    same of sigmoids, of numbers the squared difference. T^2 keeps gradients as large as those of labels, whatever T is.
    """

    link: Link
    temperature: float

    def each(self, student_BL: Tensor, teacher_BL: Tensor) -> Tensor:
        """[B] of logits [B, L] in float32, nats; of numbers their squared difference."""
        if self.link == "none":
            return (student_BL - teacher_BL).square().mean(dim=-1)
        student_BL, teacher_BL = student_BL / self.temperature, teacher_BL / self.temperature
        if self.link == "softmax":
            apart_BL = kl_div(log_softmax(student_BL, dim=-1), log_softmax(teacher_BL, dim=-1), reduction="none", log_target=True)
            return self.temperature**2 * apart_BL.sum(dim=-1)
        holds_BL = _of_one(student_BL, teacher_BL)
        return self.temperature**2 * (holds_BL + _of_one(-student_BL, -teacher_BL)).mean(dim=-1)


def _of_one(student_BL: Tensor, teacher_BL: Tensor) -> Tensor:
    # Of p log(p / q), with p and q the sigmoids of these.
    return teacher_BL.sigmoid() * (logsigmoid(teacher_BL) - logsigmoid(student_BL))


@dataclass(frozen=True)
class Distilled:
    """The objective: what a teacher says of `N` items, texts or words, and labels where they are known."""

    texts: Sequences
    rows: IntArray
    """[R] the sequences that an epoch reads; a sequence may stand there several times."""
    order: CountOrder
    """Of these R."""
    said_NL: NDArray[np.float32]
    """The teacher's logits (of numbers these) of every item, mapped from disk."""
    soft: SoftLabels
    gold: Split
    """What is right for every item, where that is known; anything elsewhere."""
    known_N: NDArray[np.bool_]
    hard: Loss
    alpha: float
    inside: Inside | None = None
    """What inside of the student is to be like its teacher's, too; `texts` carry this."""
    inside_weight: float = 1.0

    def batch(self, step: int) -> Batch:
        """The global batch of a step."""
        rows = self.rows[self.order.batch(step)]
        asked = self.texts.asked(rows)
        items = asked if self.texts.pieces is None else asked[:, 0]
        mine = {self._named(SAID): np.asarray(self.said_NL[items]), self._named(LABELLED): self.known_N[items]}
        return self.texts.batch(rows, {**self.hard.targets(self.gold, asked), **mine})

    def count(self, batch: Batch) -> float:
        """What the loss divides by: items, with a label or without."""
        return float(len(batch.targets[self._named(LABELLED)]))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The summed loss, nats."""
        if self.inside is None:
            return self.summed(model(batch), batch.targets)
        outputs, apart_B = self.inside.apart(model, batch)
        if self.texts.pieces is not None:  # a window counts as often as words of it are asked about
            places = torch.searchsorted(batch.targets[TARGET_INDEX], batch.offsets)
            apart_B = apart_B * places.diff()
        return self.summed(outputs, batch.targets) + self.inside_weight * apart_B.sum()

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss of the student's outputs [B, L]."""
        labelled_B = targets[self._named(LABELLED)]
        soft_B = self.soft.each(outputs.float(), targets[self._named(SAID)])
        total = soft_B.where(~labelled_B, self.alpha * soft_B).sum()
        if self.alpha == 1:
            return total
        # Beside what the labels' loss asks for stand the teacher's logits, of which it knows nothing.
        of_labels = self.hard.summed(outputs[labelled_B], {name: values[labelled_B] for name, values in targets.items()})
        return total + (1 - self.alpha) * of_labels

    def _named(self, name: str) -> str:
        return name if self.texts.pieces is None else f"{PER_POSITION}{name}"
