"""The plain baseline stage that looks at no text: how far one comes with the classes' shares alone."""

from typing import ClassVar, Literal

from acclimate.stages.base import Context, Outcome, Stage
from acclimate.tasks.task import Task


class Majority(Stage):
    """Always the most frequent class of the training texts, the shares of the classes as probabilities: the least to be beaten."""

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    stage: Literal["majority"] = "majority"

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def draws(self) -> bool:
        return False

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.baselines.majority_model import MajorityModel
        from acclimate.stages.plain import Fitted, plain_outcome

        def fit(task: Task) -> Fitted:
            model = MajorityModel.of(task.train.labels, task.labels)
            return Fitted(model, len(model.shares))

        return plain_outcome(context, fit)
