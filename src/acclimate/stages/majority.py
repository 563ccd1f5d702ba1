"""The plain baseline stage that looks at no text: how far one comes with the classes' shares alone."""

from typing import ClassVar, Literal

import numpy as np

from acclimate.data.ragged import Ragged
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.task import Task


class Majority(Stage):
    """Always the most frequent class of the training texts, the shares of the classes as probabilities: the least to be beaten.

    Where every word has a tag, it is the most frequent tag; where a number is estimated, the mean of train.
    """

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"sequence": ("softmax", "sigmoid", "none"), "tokens": ("softmax",)}
    most_texts: ClassVar[int] = 2
    stage: Literal["majority"] = "majority"

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def draws(self) -> bool:
        return False

    def work(self, given: Sizes, reads: Reads) -> Work:
        return Work(disk_bytes=0, seconds=5.0)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.baselines.majority_model import MajorityModel
        from acclimate.stages.plain import Fitted, plain_outcome

        form = self.form(context.task().kind)

        def fit(task: Task) -> Fitted:
            gold = task.train.gold.values if isinstance(task.train.gold, Ragged) else np.asarray(task.train.gold)
            head = task.kind.head(task.names, form)
            model = MajorityModel.of(gold, head.names, head.link)
            return Fitted(model, len(model.shares))

        return plain_outcome(context, fit, form=form)
