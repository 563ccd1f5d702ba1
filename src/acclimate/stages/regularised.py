"""What plain linear baselines share: several strengths of regularisation are tried, and dev decides."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from pydantic import Field

from acclimate.stages.base import USUAL_SCORE, Stage
from acclimate.stages.planned import Sizes
from acclimate.tasks.kind import Form
from acclimate.tasks.task import Task
from acclimate.tasks.thresholds import Choice

Model = TypeVar("Model")


class Regularised(Stage):
    """A plain baseline with a strength of regularisation; nothing in it is random."""

    silent: ClassVar[Mapping[str, Any]] = {"thresholds": "half"}
    strengths: tuple[float, ...] = Field(default=(0.1, 1.0, 10.0), min_length=1)
    """Inverse regularisation strengths to try; dev decides."""
    select_by: str | None = None
    """The dev score that decides on the strength; the task's own first one (macro F1, entity F1, ...) when not given."""
    thresholds: Choice = "half"
    """How probabilities become answers: `half`, the most likely name, of several labels those above one half; or by a threshold a name,
    `tuned` on dev for the highest macro F1, of several labels each for its own F1 (docs/rare-classes.md)."""

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        if task is not None:
            task.kind.check_thresholds(self.thresholds, task.names)
        return given

    def draws(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | {"select_by": self.select_by or USUAL_SCORE}

    def sliver(self) -> Self:
        return self.model_copy(update={"strengths": self.strengths[:1]})

    def best_on_dev(self, task: Task, fitted: Iterable[tuple[float, Model]], form: Form) -> tuple[float, Model, tuple[dict[str, Any], ...]]:
        """The strength and the model that do best on dev, of models `fitted` with each; and a line of the log for each of them."""
        from acclimate.modeling.baselines.table import outputs_of
        from acclimate.stages.decision import Decision

        metric = task.kind.metric(self.select_by)
        tried = []
        for strength, model in fitted:
            decision = Decision.of(task, self.thresholds, outputs_of(model, task.dev), form)
            tried.append((metric.score(task.dev, decision.answers(decision.dev, task.dev)), strength, model))
        # The first of equals: the strongest regularisation that reaches the best dev score.
        _, strength, best = max(tried, key=lambda entry: metric.merit(entry[0]))
        return strength, best, tuple({"strength": strength, f"dev_{metric.name}": score} for score, strength, _ in tried)
