"""The part of `pretrain` in which the rows of entries that `extend` added learn alone."""

from acclimate.modeling.base_files import NEW_FROM
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.vocabulary_rows import vocabulary_parameters
from acclimate.stages.pace import Course
from acclimate.stages.trainer import EncoderTrainer
from acclimate.training.loop import Judge, Objective, TrainResult
from acclimate.training.new_rows import only_rows_learn


def fit_rows_first(
    trainer: EncoderTrainer, folder: ModelFolder, objective: Objective, first: Objective, judge: Judge | None, course: Course, share: float
) -> TrainResult:
    """Train the new rows of embeddings and head alone for a share of the course's steps, and then everything for the rest of them.

    The first part reads `first`, and is not judged; with a share of 1 there is no other, and it is the one that is judged. `folder` is what
    the model was loaded from.
    """
    alone = round(course.steps * share)
    rows, new = vocabulary_parameters(trainer.model, folder.architecture), int(folder.config[NEW_FROM])
    # Weight decay would move the other rows of the same tensors.
    pace = trainer.pace.model_copy(update={"weight_decay": 0.0})
    if alone == course.steps:
        with only_rows_learn(trainer.model, rows, new):
            return trainer.fit(objective, judge, course, pace=pace)
    if alone:
        with only_rows_learn(trainer.model, rows, new):
            trainer.fit(first, None, Course(alone, alone), "new rows", pace)
    return trainer.fit(objective, judge, course._replace(steps=course.steps - alone))
