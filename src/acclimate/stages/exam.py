"""How a model that learns a task is judged: on dev after every epoch, on test once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from acclimate.data.sequences import Sequences
from acclimate.stages.base import dev_scores
from acclimate.stages.decision import Decision
from acclimate.stages.trainer import Trainer
from acclimate.tasks.kind import Head
from acclimate.tasks.task import Task
from acclimate.tasks.thresholds import Choice
from acclimate.training.loop import Judge


@dataclass(frozen=True)
class Exam:
    """The task's dev and test split, put to a network."""

    task: Task
    head: Head
    texts: Mapping[str, Sequences]
    """`dev` and `test` as the network reads them."""
    trainer: Trainer
    thresholds: Choice = "half"

    def judge(self, select_by: str | None) -> Judge:
        """The scores of dev, one of which decides which weights are kept."""

        def scores(_: nn.Module) -> dict[str, float]:
            decision = self._decision()
            return dev_scores(self.task.kind, select_by, self.task.dev, decision.answers(decision.dev, self.task.dev))

        return scores

    def taken(self) -> dict[str, Any]:
        """Every score of both splits, and tuned thresholds; the answers stand in the stage's `predictions.parquet`."""
        decision = self._decision()
        test, path = self._outputs("test"), self.trainer.context.output / "predictions.parquet"
        scores = decision.taken(test, path if self.trainer.devices.is_main else None)
        self.trainer.notes += decision.notes(scores)
        return scores

    def _decision(self) -> Decision:
        return Decision.of(self.task, self.thresholds, self._outputs("dev"), self.head.form)

    def _outputs(self, name: str) -> NDArray[np.float64]:
        return self.trainer.outputs(self.texts[name], self.head)
