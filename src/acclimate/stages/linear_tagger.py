"""The plain baseline stage for tags: logistic regression on how words and their neighbours are written, its strength chosen on dev."""

from typing import ClassVar, Literal

from pydantic import Field

from acclimate.data.ragged import Ragged
from acclimate.stages.base import Context, Outcome, Role, Serves
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.regularised import Regularised
from acclimate.tasks.task import Task

SPEED = 10_000  # words that a second of fitting takes, at about ten tags


class LinearTagger(Regularised):
    """Logistic regression on each word's letters, shape and neighbours: what tags come to without a pretrained model."""

    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "numpy")
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"tokens": ("softmax",)}
    stage: Literal["linear_tagger"] = "linear_tagger"
    min_count: int = Field(default=2, ge=1)
    """A feature must be seen at so many words of train to be kept."""

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        assert reads.task.train.words is not None
        return Work(disk_bytes=0, seconds=5.0 + len(reads.task.train.words.values) * len(self.strengths) / SPEED)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.baselines.linear_tagger_model import fits
        from acclimate.stages.plain import Fitted, plain_outcome

        form = self.form(context.task().kind)

        def best_of_all(task: Task) -> Fitted:
            train = task.train
            assert isinstance(train.gold, Ragged) and train.words is not None
            fitted = fits(train.inputs[0], train.words, train.gold.values, task.names, self.strengths, self.min_count)
            strength, best, log = self.best_on_dev(task, fitted, form)
            return Fitted(best, best.weights.size + best.bias.size, {"strength": strength, "features": len(best.features)}, log)

        return plain_outcome(context, best_of_all, self.thresholds, form)
