"""What `pretrain` has to do with the rows of entries that `extend` added: they may learn alone first, and how far they moved is told."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.modeling.base_files import NEW_FROM
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.tensors import TensorBatch
from acclimate.modeling.vocabulary_rows import vocabulary_parameters
from acclimate.stages.pace import Course
from acclimate.stages.trainer import EncoderTrainer
from acclimate.training.loop import Judge, Objective, TrainResult
from acclimate.training.new_rows import how_far, only_rows_learn


@dataclass(frozen=True)
class _From:
    """An objective from one of its steps on."""

    objective: Objective
    step: int

    def batch(self, step: int) -> Batch:
        return self.objective.batch(self.step + step)

    def count(self, batch: Batch) -> float:
        return self.objective.count(batch)

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        return self.objective.loss(model, batch)


def fit_rows_first(
    trainer: EncoderTrainer, folder: ModelFolder, objective: Objective, judge: Judge | None, course: Course, share: float
) -> TrainResult:
    """Train the new rows of embeddings and head alone for a share of the course's steps, and then everything for the rest of them.

    The second part goes on where the first ended in the text. The first is not judged; with a share of 1 there is no other, and it is the
    one that is judged. `folder` is what the model was loaded from.
    """
    rows, new = vocabulary_parameters(trainer.model, folder.architecture), int(folder.config[NEW_FROM])
    # Weight decay would move the other rows of the same tensors.
    pace = trainer.pace.model_copy(update={"weight_decay": 0.0})
    if share == 1.0:
        with only_rows_learn(trainer.model, rows, new):
            return trainer.fit(objective, judge, course, pace=pace)
    alone = min(max(1, round(course.steps * share)), course.steps - 1)
    if not alone:  # of a single step
        return trainer.fit(objective, judge, course)
    with only_rows_learn(trainer.model, rows, new):
        first = trainer.fit(objective, None, Course(alone, alone), "new rows", pace)
    result = trainer.fit(
        _From(objective, alone), judge, course._replace(steps=course.steps - alone, patience_from=course.patience_from - alone)
    )
    return replace(result, tokens=first.tokens + result.tokens)


def watch_new_rows(model: Any, folder: ModelFolder) -> Callable[[], dict[str, Any]]:
    """A function that tells how far the input rows of new entries have moved since now (`how_far`); nothing where no entry is new.

    `folder` is what the model was just loaded from.
    """
    if NEW_FROM not in folder.config:
        return dict
    first, last = int(folder.config[NEW_FROM]), max(folder.tokenizer().get_vocab(with_added_tokens=True).values())

    def rows() -> Tensor:
        weight: Tensor = model.get_input_embeddings().weight
        return weight.detach()[first : last + 1].float().cpu()

    began = rows().clone()
    return lambda: how_far(began, rows())
