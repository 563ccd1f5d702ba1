"""What stages share that learn names by a loss, over batches of the labelled texts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from acclimate.objectives.class_weights import ClassWeights, check_class_weights
from acclimate.objectives.loss_settings import Loss, check_loss, is_cross_entropy
from acclimate.objectives.sampler import Sampler, check_sampler
from acclimate.stages.base import Stage
from acclimate.stages.in_epochs import InEpochs
from acclimate.tasks.task import Task
from acclimate.tasks.thresholds import Choice


class LearnsByLoss(InEpochs, Stage):
    """A stage with these settings, each of which has defaults and a meaning of its own there."""

    if TYPE_CHECKING:
        loss: Loss | None
        class_weights: ClassWeights
        sampler: Sampler
        thresholds: Choice

    def own_code(self) -> tuple[str, ...]:
        return () if self.loss is None else self.loss.own_code()

    def located(self, root: Path) -> Self:
        return self if self.loss is None else self.model_copy(update={"loss": self.loss.located(root)})

    def sliver(self) -> Self:
        return self.model_copy(update={"epochs": 1.0, "min_steps": 0})

    def keyed(self) -> dict[str, Any]:
        # Said or not, it is the usual loss.
        return {name: value for name, value in super().keyed().items() if name != "loss" or not is_cross_entropy(self.loss)}

    def check_learning(self, task: Task) -> None:
        """Refuse what does not fit the names of a task.

        Raises:
            SettingsError: the first of it.
        """
        check_class_weights(self.class_weights, task.names)
        check_loss(self.loss, self.class_weights, task.kind.kind, task.kind.head(task.names, self.form(task.kind)))
        check_sampler(self.sampler, task)
        task.kind.check_thresholds(self.thresholds, task.names)
