"""The plain baseline stage: tf-idf and logistic (or ridge) regression, its strength chosen on dev."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from acclimate.stages.base import Context, Outcome, Role, Serves
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.regularised import Regularised
from acclimate.stages.words_read import WordsRead, told_of_marks
from acclimate.tasks.task import Task


class Tfidf(Regularised):
    """Words and word pairs weighted by tf-idf, logistic regression on top: the bar that every model must clear.

    Of pairs: the terms that stand in both texts, those of the first and those of the second alone, and how much the texts overlap. Where
    a number is estimated, it is ridge regression.
    """

    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "numpy")
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"sequence": ("softmax", "sigmoid", "none")}
    silent: ClassVar[Mapping[str, Any]] = {**Regularised.silent, "words": "letters"}
    most_texts: ClassVar[int] = 2
    stage: Literal["tfidf"] = "tfidf"
    strengths: tuple[float, ...] = Field(default=(0.1, 1.0, 10.0, 100.0, 1000.0), min_length=1)
    """Inverse regularisation strengths to try; dev decides."""
    words: WordsRead = "letters"
    """What a word is: a run of `letters` and digits, in lower case; with `marks` also every run of another sign, as `<<`, `!!!` or `@`."""
    ngrams: int = Field(default=2, ge=1, le=5)
    """Up to so many neighbouring words form a term."""
    most_terms: int = Field(default=200_000, gt=0)
    """Keep the most frequent terms only."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs each class by N / (L x its count), of labels each by itself the examples of each by (N - n) / n."""

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        task = reads().task
        assert task is not None
        return told_of_marks(self.words, task)

    def work(self, given: Sizes, reads: Reads) -> Work:
        return Work(disk_bytes=0, seconds=5.0)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.baselines.tfidf_model import Terms, fit_each
        from acclimate.stages.plain import Fitted, plain_outcome

        def best_of_all(task: Task) -> Fitted:
            head, gold, texts = task.kind.head(task.names, "sequence"), np.asarray(task.train.gold), task.train.inputs
            terms = Terms(self.ngrams, self.most_terms, self.words == "marks")
            fitted = fit_each(texts, gold, head.names, self.strengths, terms, self.class_weights == "balanced", head.link)
            strength, best, log = self.best_on_dev(task, fitted, "sequence")
            metrics = {"strength": strength, "terms": len(best.terms)}
            return Fitted(best, best.weights.size + best.bias.size, metrics, log, told_of_marks(self.words, task))

        return plain_outcome(context, best_of_all, self.thresholds)
