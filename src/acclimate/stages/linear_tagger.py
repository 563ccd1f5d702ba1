"""The plain baseline stage for tags: logistic regression on how words and their neighbours are written, its strength chosen on dev."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from acclimate.data.ragged import Ragged
from acclimate.stages.base import USUAL_SCORE, Context, Outcome, Role, Serves, Stage
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.task import Task

SPEED = 10_000  # words that a second of fitting takes, at about ten tags


class LinearTagger(Stage):
    """Logistic regression on each word's letters, shape and neighbours: what tags come to without a pretrained model."""

    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "numpy")
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"tokens": ("softmax",)}
    stage: Literal["linear_tagger"] = "linear_tagger"
    strengths: tuple[float, ...] = Field(default=(0.1, 1.0, 10.0), min_length=1)
    """Inverse regularisation strengths to try; dev decides."""
    min_count: int = Field(default=2, ge=1)
    """A feature must be seen at so many words of train to be kept."""
    select_by: str | None = None
    """The dev score that decides on the strength; the task's own first one (entity F1) when not given."""

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def draws(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | {"select_by": self.select_by or USUAL_SCORE}

    def sliver(self) -> "LinearTagger":
        return self.model_copy(update={"strengths": self.strengths[:1]})

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        assert reads.task.train.words is not None
        return Work(disk_bytes=0, seconds=5.0 + len(reads.task.train.words.values) * len(self.strengths) / SPEED)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.baselines.linear_tagger_model import fits
        from acclimate.modeling.baselines.table import outputs_of
        from acclimate.stages.decision import Decision
        from acclimate.stages.plain import Fitted, plain_outcome

        form = self.form(context.task().kind)

        def best_of_all(task: Task) -> Fitted:
            train, dev, metric = task.train, task.dev, task.kind.metric(self.select_by)
            assert isinstance(train.gold, Ragged) and train.words is not None
            tried = []
            for strength, model in fits(train.inputs[0], train.words, train.gold.values, task.names, self.strengths, self.min_count):
                decision = Decision.of(task, "half", outputs_of(model, dev), form)
                tried.append((metric.score(dev, decision.answers(decision.dev, dev)), strength, model))
            # The first of equals: the strongest regularisation that reaches the best dev score.
            _, strength, best = max(tried, key=lambda entry: metric.merit(entry[0]))
            log = tuple({"strength": strength, f"dev_{metric.name}": score} for score, strength, _ in tried)
            return Fitted(best, best.weights.size + best.bias.size, {"strength": strength, "features": len(best.features)}, log)

        return plain_outcome(context, best_of_all, form=form)
