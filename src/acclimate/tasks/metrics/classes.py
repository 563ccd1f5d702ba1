"""Scores of a classifier. Those that only look at labels are functions of confusion counts and know how a text more would move them.

Those that look at probabilities stand below. Of them `pr_auc` is better when higher, `loss`, `brier` and `ece` are better when lower; none
of these is compared, or chooses a model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import TrainingError

if TYPE_CHECKING:
    from acclimate.tasks.task import Split

Numbers = NDArray[np.float64]
Classes = NDArray[np.integer]  # [N] class numbers

SMALLEST_PROBABILITY = 1e-12  # a sure mistake costs 27.6 nats, not infinitely many
CALIBRATION_BINS = 15  # Guo et al. 2017


@dataclass(frozen=True)
class Counts:
    """What every score needs of a confusion matrix: its diagonal and the sums of its rows and columns, linear in the number of classes."""

    right: Numbers  # [L] texts of each class that are labelled rightly
    gold: Numbers  # [L] texts of each class
    predicted: Numbers  # [L] texts that are taken for each class

    @property
    def total(self) -> float:
        return float(self.gold.sum())


def confusion(gold: Classes, predicted: Classes, classes: int) -> Counts:
    """The counts of gold and predicted class numbers [N]."""
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    each = (gold[gold == predicted], gold, predicted)
    return Counts(*(np.bincount(numbers, minlength=classes).astype(np.float64) for numbers in each))


@dataclass(frozen=True)
class Metric:
    """A score of confusion counts, and its slope: the derivative of the score by the weight of a text, for texts [N] given their classes.

    A text of class g that is taken for p counts in g's row and in p's column only, so that its slope looks at these two alone.
    """

    score: Callable[[Counts], float]
    slope: Callable[[Counts, Classes, Classes], Numbers]

    def __call__(self, counts: Counts) -> float:
        return self.score(counts)


def _accuracy(counts: Counts) -> float:
    """Share of texts labelled rightly."""
    return float(_ratio(counts.right.sum(), counts.total))


def _accuracy_slope(counts: Counts, gold: Classes, predicted: Classes) -> Numbers:
    return np.asarray(((gold == predicted) - _accuracy(counts)) / counts.total, dtype=np.float64)


def _of_classes(part: Callable[[Counts], Numbers], in_row: float, in_column: float, right: float) -> Metric:
    """The mean over all known classes of `right x (texts labelled rightly) / part`, 0 where the part is 0.

    `in_row` and `in_column` say how much of a text stands in its gold class's and its predicted class's part. Classes that this split does
    not hold count as well (with 0, as in scikit-learn).
    """

    def score(counts: Counts) -> float:
        return float(_ratio(right * counts.right, part(counts)).mean())

    def slope(counts: Counts, gold: Classes, predicted: Classes) -> Numbers:
        whole = part(counts)
        # d(a/b) = da/b - (a/b) db/b
        loss = _ratio(_ratio(right * counts.right, whole), whole)
        gain = np.where(gold == predicted, _ratio(right, whole)[gold], 0.0)
        return np.asarray((gain - in_row * loss[gold] - in_column * loss[predicted]) / len(whole), dtype=np.float64)

    return Metric(score, slope)


def _correlation(counts: Counts) -> tuple[float, float, float]:
    """Gorodkin's covariance and the two variances, all times the squared number of texts."""
    total = counts.total
    covariance = counts.right.sum() * total - (counts.gold * counts.predicted).sum()
    return float(covariance), float(total**2 - (counts.gold**2).sum()), float(total**2 - (counts.predicted**2).sum())


def _mcc(counts: Counts) -> float:
    """Matthews' correlation coefficient for several classes (Gorodkin 2004); 0 where it is undefined."""
    covariance, of_gold, of_predicted = _correlation(counts)
    return float(_ratio(covariance, np.sqrt(max(of_gold * of_predicted, 0))))


def _mcc_slope(counts: Counts, gold: Classes, predicted: Classes) -> Numbers:
    covariance, of_gold, of_predicted = _correlation(counts)
    if of_gold <= 0 or of_predicted <= 0:  # all texts are of one class, or taken for one: it stays undefined
        return np.zeros(len(gold))
    total = counts.total
    up = total * (gold == predicted) + counts.right.sum() - counts.predicted[gold] - counts.gold[predicted]
    more_gold, more_predicted = 2 * (total - counts.gold[gold]), 2 * (total - counts.predicted[predicted])
    spread = np.sqrt(of_gold * of_predicted)
    return np.asarray(up / spread - covariance / spread * (more_gold / of_gold + more_predicted / of_predicted) / 2, dtype=np.float64)


ACCURACY = Metric(_accuracy, _accuracy_slope)
METRICS: dict[str, Metric] = {
    "accuracy": ACCURACY,
    "macro_f1": _of_classes(lambda counts: counts.gold + counts.predicted, in_row=1, in_column=1, right=2),
    "micro_f1": ACCURACY,  # with one label a text, micro-averaged F1 is accuracy; papers report it under its own name
    "macro_precision": _of_classes(lambda counts: counts.predicted, in_row=0, in_column=1, right=1),
    "macro_recall": _of_classes(lambda counts: counts.gold, in_row=1, in_column=0, right=1),
    "mcc": Metric(_mcc, _mcc_slope),
}


def classification_metrics(gold: NDArray[np.integer], probabilities_NL: NDArray[np.float64]) -> dict[str, float]:
    """Every score of a split: those of `METRICS`, and of its probabilities.

    `gold` [N] class numbers, `probabilities_NL` [N, L]; the class with the highest probability is the predicted one. `loss` is the mean
    cross-entropy in nats; for `pr_auc` and `pr_auc_base_rate` see `pr_auc`, for `brier` see `brier`, for `ece` see `ece`.

    Raises:
        TrainingError: a probability is not a number, as those of a model whose weights are not.
    """
    if not np.isfinite(probabilities_NL).all():
        raise TrainingError(
            "the model's probabilities are not numbers: its weights grew without bound in training; "
            "a lower learning rate (lr) or longer warm-up usually mends this"
        )
    counts = confusion(gold, probabilities_NL.argmax(axis=1), probabilities_NL.shape[1])
    scores = {name: metric(counts) for name, metric in METRICS.items()}
    right = probabilities_NL[np.arange(len(gold)), gold]
    area, base_rate = pr_auc(gold, probabilities_NL)
    return scores | {
        "pr_auc": area,
        "pr_auc_base_rate": base_rate,
        "loss": float(-np.log(np.maximum(right, SMALLEST_PROBABILITY)).mean()),
        "brier": brier(gold, probabilities_NL),
        "ece": ece(gold, probabilities_NL),
    }


def split_metrics(splits: "Mapping[str, tuple[Split, NDArray[np.float64]]]") -> dict[str, float]:
    """Every score of each split with its probabilities [N, L], as `dev_macro_f1`, ..., `test_macro_f1`, ..."""
    return {
        f"{name}_{metric}": value
        for name, (split, probabilities_NL) in splits.items()
        for metric, value in classification_metrics(split.labels, probabilities_NL).items()
    }


def pr_auc(gold: NDArray[np.integer], probabilities_NL: NDArray[np.float64]) -> tuple[float, float]:
    """The area under the precision-recall curve, as average precision, and its base rate: what a ranking by coin tosses scores.

    Of a task with two classes it is that of the rarer class in this split (of equally frequent ones, the second). Of more classes it is
    the mean over those that occur in this split, each against the rest: of a class without a text there is nothing to find. The base rate
    is the share of texts that the class has, or the mean of these shares (Saito & Rehmsmeier 2015). Where a split holds one class only,
    every ranking is right, and both are 1.
    """
    counts = np.bincount(gold, minlength=probabilities_NL.shape[1])
    judged = np.flatnonzero(counts)
    if len(counts) == len(judged) == 2:
        judged = judged[[int(counts[1] <= counts[0])]]
    areas = [_average_precision(gold == number, probabilities_NL[:, number]) for number in judged.tolist()]
    return float(np.mean(areas)), float(counts[judged].mean() / len(gold))


def brier(gold: NDArray[np.integer], probabilities_NL: NDArray[np.float64]) -> float:
    """The Brier score (Brier 1950): squared errors of the probabilities, summed over classes, mean over texts; 0 is best, 2 worst."""
    errors_NL = np.array(probabilities_NL, dtype=np.float64)
    errors_NL[np.arange(len(gold)), gold] -= 1.0
    return float((errors_NL**2).sum(axis=1).mean())


def ece(gold: NDArray[np.integer], probabilities_NL: NDArray[np.float64], bins: int = CALIBRATION_BINS) -> float:
    """The expected calibration error of the predicted class (Guo et al. 2017): how far its probability is from how often it is right.

    Texts are put into `bins` of equal width by the probability of their predicted class, each bin with its upper bound; the distance
    between mean probability and accuracy of each bin, weighted by its share of the texts. 0 is best, 1 worst.
    """
    confidence = probabilities_NL.max(axis=1)
    place = calibration_bins(confidence, bins)
    gap = confidence - (probabilities_NL.argmax(axis=1) == gold)
    # |share x (mean probability - accuracy)| of a bin is its |sum of gaps| over N; an empty bin adds nothing.
    return float(np.abs(np.bincount(place, weights=gap, minlength=bins)).sum() / len(gold))


def calibration_bins(confidence: NDArray[np.float64], bins: int = CALIBRATION_BINS) -> NDArray[np.intp]:
    """The bin of each probability [N], of equal width, each bin with its upper bound."""
    return np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)


def _ratio(part: Any, whole: Any) -> Numbers:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    out = np.zeros(np.broadcast(part, whole).shape)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _average_precision(wanted: NDArray[np.bool_], scores: Numbers) -> float:
    """The mean precision [N] at the rank of each wanted text, equal scores having one rank: scikit-learn's, in a fraction of its time."""
    ranked, found = np.sort(scores), np.sort(scores[wanted])
    above = len(ranked) - np.searchsorted(ranked, found, side="left")
    return float(((len(found) - np.searchsorted(found, found, side="left")) / above).mean())
