"""The plain baseline stage: tf-idf and logistic (or ridge) regression, its strength chosen on dev."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from acclimate.errors import SettingsError
from acclimate.stages.base import Context, Outcome, Role, Serves
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.regularised import Regularised
from acclimate.stages.words_read import WordsRead, told_of_marks
from acclimate.tasks.kind import Form
from acclimate.tasks.task import Task

RANKING: Form = "ranking"
FITTED = ("strengths", "select_by", "class_weights")  # settings of what is fitted on labels


class Tfidf(Regularised):
    """Words and word pairs weighted by tf-idf, logistic regression on top: the bar that every model must clear.

    Of pairs: the terms that stand in both texts, those of the first and those of the second alone, and how much the texts overlap. Where
    a number is estimated, it is ridge regression. Where documents are found, the cosine of their vectors with the query's ranks them.
    """

    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "numpy")
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"sequence": ("softmax", "sigmoid", "none"), RANKING: ("none",)}
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

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        if task is not None and self.form(task.kind) == RANKING:
            for name in FITTED:
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise SettingsError(f"{name}: documents are ranked by the cosine alone, and nothing is fitted; leave it out")
        return super().check(given, task)

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        task = reads().task
        assert task is not None
        return told_of_marks(self.words, task)

    def work(self, given: Sizes, reads: Reads) -> Work:
        return Work(disk_bytes=0, seconds=5.0)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.baselines.tfidf_model import Terms, fit_each
        from acclimate.modeling.baselines.tfidf_ranking import TfidfRanking
        from acclimate.stages.plain import Fitted, plain_outcome
        from acclimate.stages.plain_rankings import ranking_outcome

        terms = Terms(self.ngrams, self.most_terms, self.words == "marks")
        if self.form(context.task().kind) == RANKING:
            return ranking_outcome(context, lambda documents: TfidfRanking(documents, terms))

        def best_of_all(task: Task) -> Fitted:
            head, gold, texts = task.kind.head(task.names, "sequence"), np.asarray(task.train.gold), task.train.inputs
            fitted = fit_each(texts, gold, head.names, self.strengths, terms, self.class_weights == "balanced", head.link)
            strength, best, log = self.best_on_dev(task, fitted, "sequence")
            metrics = {"strength": strength, "terms": len(best.terms)}
            return Fitted(best, best.weights.size + best.bias.size, metrics, log, told_of_marks(self.words, task))

        return plain_outcome(context, best_of_all, self.thresholds)
