"""How a model that learns a task is judged: on dev after every epoch, on test once."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from acclimate.data.sequences import Sequences
from acclimate.evaluation.predictions import write_predictions
from acclimate.stages.base import dev_scores
from acclimate.stages.trainer import Trainer
from acclimate.tasks.kind import Head, split_scores
from acclimate.tasks.split import Answers, Split
from acclimate.tasks.task import Task
from acclimate.training.loop import Judge


@dataclass(frozen=True)
class Exam:
    """The task's dev and test split, put to a network."""

    task: Task
    head: Head
    texts: Mapping[str, Sequences]
    """`dev` and `test` as the network reads them."""
    trainer: Trainer

    def judge(self, select_by: str | None) -> Judge:
        """The scores of dev, one of which decides which weights are kept."""

        def scores(_: nn.Module) -> dict[str, float]:
            return dev_scores(self.task.kind, select_by, self.task.dev, self._answers("dev", self.task.dev))

        return scores

    def taken(self) -> dict[str, float]:
        """Every score of both splits; the answers stand in the stage's `predictions.parquet`."""
        splits = {"dev": self.task.dev, "test": self.task.test}
        answered = {name: (split, self._answers(name, split)) for name, split in splits.items()}
        if self.trainer.devices.is_main:
            write_predictions(self.trainer.context.output / "predictions.parquet", answered)
        return split_scores(self.task.kind, answered)

    def _answers(self, name: str, split: Split) -> Answers:
        return self.task.kind.answered[self.head.form](self.trainer.outputs(self.texts[name], self.head), split)
