"""A score of a kind of task, and what each item contributes to it: all that statistics ask of a score."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.tasks.split import Answers, Split

Numbers = NDArray[np.float64]
Score = Callable[[Split, Answers], float]
Each = Callable[[Split, Answers], Numbers]
Direction = Literal["higher", "lower", "neither"]
STEP = 1e-4  # of a weight, where a slope is measured: the error of central differences is its square


@dataclass(frozen=True)
class Metric:
    """A score of answers. Made by `mean_of`, `of_sums` or `jackknifed`, which say how items contribute."""

    name: str
    """As it stands in study files and, behind `dev_` or `test_`, in results."""
    words: str
    """As people call it, e.g. `macro F1`."""
    score: Score
    each: Each
    """[N] what every item contributes to first order (the infinitesimal jackknife of Efron 1982); their mean is the score."""
    better: Direction = "higher"
    """`neither` for what only stands beside a score, such as its base rate."""
    span: float = 1.0
    """From worst to best. No variance is taken to be below (span / N)^2; differences below span / 100 change nobody's choice."""
    compared: bool = True
    """Whether it may judge recipes and choose weights."""
    reads: tuple[str, ...] = ("predicted",)
    """The columns of the answers that it looks at; others need not be read."""
    hub: str | None = None
    """What the Hugging Face hub calls it, where it knows it."""

    @property
    def lower_is_better(self) -> bool:
        """Whether less of it is more."""
        return self.better == "lower"

    def merit(self, value: float) -> float:
        """A value of this score, turned so that more is better: what weights and settings are chosen by."""
        return -value if self.lower_is_better else value


def contributions(score: float, slope: Numbers) -> Numbers:
    """[N] whose mean is `score`, from the slope of the score by the weight of each item [N]."""
    each = slope * len(slope)
    return np.asarray(score + each - each.mean(), dtype=np.float64)


def mean_of(name: str, words: str, item: Each, **more: Any) -> Metric:
    """A score that is the mean of what each item [N] has by itself: accuracy, exact match, reciprocal rank."""
    return Metric(name, words, lambda split, answers: float(item(split, answers).mean()), item, **more)


def of_sums(name: str, words: str, parts: Each, score: Callable[[Numbers], float], **more: Any) -> Metric:
    """A smooth function of sums over items: F-scores, Pearson's correlation, bits per byte.

    `parts` gives what each item adds [N, K], `score` is a function of the K sums. The slope by an item's weight is the gradient at the
    sums, by central differences, times what the item adds.
    """

    def whole(split: Split, answers: Answers) -> float:
        return float(score(parts(split, answers).sum(axis=0)))

    def each(split: Split, answers: Answers) -> Numbers:
        parts_NK = parts(split, answers)
        sums = parts_NK.sum(axis=0)
        return contributions(float(score(sums)), parts_NK @ _gradient(score, sums))

    return Metric(name, words, whole, each, **more)


def jackknifed(name: str, words: str, score: Score, slope: Each, **more: Any) -> Metric:
    """A score with a slope of its own: `slope` is its derivative by the weight of each item [N], as of rank correlations and areas."""

    def each(split: Split, answers: Answers) -> Numbers:
        return contributions(score(split, answers), slope(split, answers))

    return Metric(name, words, score, each, **more)


def _gradient(score: Callable[[Numbers], float], sums: Numbers) -> Numbers:
    found = np.zeros(len(sums))
    # Of the whole and not of each sum: a part that is 0 so far has a slope, too.
    step = STEP * max(1.0, float(np.abs(sums).max(initial=0.0)))
    for place in range(len(sums)):
        up, down = sums.copy(), sums.copy()
        up[place] += step
        down[place] -= step
        found[place] = (score(up) - score(down)) / (2 * step)
    return found
