"""Scores of items that have one of L classes each.

Those that look at the predicted class alone are functions of confusion counts, with the exact slope by the weight of an item; time and
memory are linear in items and classes. Those that look at probabilities stand below and are not compared.

Gold is int64 [N]; of the answers `predicted` is int64 [N], `probabilities` float64 [N, L].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.tasks.metrics.areas import average_precision, average_precision_slope
from acclimate.tasks.metrics.metric import Metric, Numbers, jackknifed, mean_of
from acclimate.tasks.split import Answers, Split

Classes = NDArray[np.integer]  # [N] class numbers

SMALLEST_PROBABILITY = 1e-12  # a sure mistake costs 27.6 nats, not infinitely many
CALIBRATION_BINS = 15  # Guo et al. 2017
PROBABILITIES = ("predicted", "probabilities")


@dataclass(frozen=True)
class Counts:
    """What every score needs of a confusion matrix: its diagonal and the sums of its rows and columns, linear in the number of classes."""

    right: Numbers  # [L] items of each class that are labelled rightly
    gold: Numbers  # [L] items of each class
    predicted: Numbers  # [L] items that are taken for each class

    @property
    def total(self) -> float:
        return float(self.gold.sum())


Slope = Callable[[Counts, Classes, Classes], Numbers]
"""The derivative of a score by the weight of each item [N], given its two classes: it counts in its own row and column only."""


def confusion(gold: Classes, predicted: Classes, classes: int) -> Counts:
    """The counts of gold and predicted class numbers [N]."""
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    each = (gold[gold == predicted], gold, predicted)
    return Counts(*(np.bincount(numbers, minlength=classes).astype(np.float64) for numbers in each))


def _accuracy(counts: Counts) -> float:
    """Share of items labelled rightly."""
    return float(ratio(counts.right.sum(), counts.total))


def _accuracy_slope(counts: Counts, gold: Classes, predicted: Classes) -> Numbers:
    return np.asarray(((gold == predicted) - _accuracy(counts)) / counts.total, dtype=np.float64)


def _of_classes(
    part: Callable[[Counts], Numbers], in_row: float, in_column: float, right: float
) -> tuple[Callable[[Counts], float], Slope]:
    """The mean over all known classes of `right x (items labelled rightly) / part`, 0 where the part is 0; and its slope.

    `in_row` and `in_column` say how much of an item stands in its gold class's and its predicted class's part. Classes that this split does
    not hold count as well (with 0, as in scikit-learn).
    """

    def score(counts: Counts) -> float:
        return float(ratio(right * counts.right, part(counts)).mean())

    def slope(counts: Counts, gold: Classes, predicted: Classes) -> Numbers:
        whole = part(counts)
        # d(a/b) = da/b - (a/b) db/b
        loss = ratio(ratio(right * counts.right, whole), whole)
        gain = np.where(gold == predicted, ratio(right, whole)[gold], 0.0)
        return np.asarray((gain - in_row * loss[gold] - in_column * loss[predicted]) / len(whole), dtype=np.float64)

    return score, slope


def _correlation(counts: Counts) -> tuple[float, float, float]:
    """Gorodkin's covariance and the two variances, all times the squared number of items."""
    total = counts.total
    covariance = counts.right.sum() * total - (counts.gold * counts.predicted).sum()
    return float(covariance), float(total**2 - (counts.gold**2).sum()), float(total**2 - (counts.predicted**2).sum())


def _mcc(counts: Counts) -> float:
    """Matthews' correlation coefficient for several classes (Gorodkin 2004); 0 where it is undefined."""
    covariance, of_gold, of_predicted = _correlation(counts)
    return float(ratio(covariance, np.sqrt(max(of_gold * of_predicted, 0))))


def _mcc_slope(counts: Counts, gold: Classes, predicted: Classes) -> Numbers:
    covariance, of_gold, of_predicted = _correlation(counts)
    if of_gold <= 0 or of_predicted <= 0:  # all items are of one class, or taken for one: it stays undefined
        return np.zeros(len(gold))
    total = counts.total
    up = total * (gold == predicted) + counts.right.sum() - counts.predicted[gold] - counts.gold[predicted]
    more_gold, more_predicted = 2 * (total - counts.gold[gold]), 2 * (total - counts.predicted[predicted])
    spread = np.sqrt(of_gold * of_predicted)
    return np.asarray(up / spread - covariance / spread * (more_gold / of_gold + more_predicted / of_predicted) / 2, dtype=np.float64)


def _counted(name: str, words: str, score: Callable[[Counts], float], slope: Slope, **more: Any) -> Metric:
    """A score of confusion counts."""

    def counts(split: Split, answers: Answers) -> tuple[Counts, Classes, Classes]:
        gold, predicted = numbers(split.gold), numbers(answers["predicted"])
        return confusion(gold, predicted, classes_of(split, answers)), gold, predicted

    return jackknifed(
        name, words, lambda split, answers: score(counts(split, answers)[0]), lambda split, answers: slope(*counts(split, answers)), **more
    )


def numbers(column: Any) -> Classes:
    """A column as class numbers."""
    return np.asarray(column)


def classes_of(split: Split, answers: Answers) -> int:
    """How many classes there are: those with a name, or else those that occur."""
    occurs = (numbers(column).max(initial=0) for column in (split.gold, answers["predicted"]))
    return len(split.names) or int(max(occurs)) + 1


def _right(split: Split, answers: Answers) -> Numbers:
    """[N] the probability of the right class."""
    gold = numbers(split.gold)
    return np.asarray(answers["probabilities"])[np.arange(len(gold)), gold]


def _loss(split: Split, answers: Answers) -> Numbers:
    """Cross-entropy, nats."""
    return np.asarray(-np.log(np.maximum(_right(split, answers), SMALLEST_PROBABILITY)))


def _brier(split: Split, answers: Answers) -> Numbers:
    """The Brier score (Brier 1950): squared errors of the probabilities, summed over classes; 0 is best, 2 worst."""
    gold = numbers(split.gold)
    errors_NL = np.array(answers["probabilities"], dtype=np.float64)
    errors_NL[np.arange(len(gold)), gold] -= 1.0
    return np.asarray((errors_NL**2).sum(axis=1))


def _ece(split: Split, answers: Answers) -> Numbers:
    """The expected calibration error of the predicted class (Guo et al. 2017): how far its probability is from how often it is right.

    Items are put into bins of equal width by the probability of their predicted class, each bin with its upper bound; the distance
    between mean probability and accuracy of each bin, weighted by its share of the items. 0 is best, 1 worst.
    """
    gold, probabilities_NL = numbers(split.gold), np.asarray(answers["probabilities"])
    confidence = probabilities_NL.max(axis=1)
    place = calibration_bins(confidence)
    gap = confidence - (probabilities_NL.argmax(axis=1) == gold)
    # |share x (mean probability - accuracy)| of a bin is its |sum of gaps| over N: each item adds its gap, by the sign of its bin's.
    return np.asarray(gap * np.sign(np.bincount(place, weights=gap, minlength=CALIBRATION_BINS))[place])


def calibration_bins(confidence: NDArray[np.float64], bins: int = CALIBRATION_BINS) -> NDArray[np.intp]:
    """The bin of each probability [N], of equal width, each bin with its upper bound."""
    return np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)


def _judged(gold: Classes, classes: int) -> list[int]:
    """The classes whose precision-recall curve is looked at; see `PR_AUC`."""
    counts = np.bincount(gold, minlength=classes)
    judged = np.flatnonzero(counts)
    if len(counts) == len(judged) == 2:
        judged = judged[[int(counts[1] <= counts[0])]]
    found: list[int] = judged.tolist()
    return found


def _pr_auc(split: Split, answers: Answers) -> float:
    """The area under the precision-recall curve, as average precision.

    Of a task with two classes it is that of the rarer class in this split (of equally frequent ones, the second). Of more classes it is
    the mean over those that occur in this split, each against the rest: of a class without an item there is nothing to find. Where a split
    holds one class only, every ranking is right, and it is 1.
    """
    gold, probabilities_NL = numbers(split.gold), np.asarray(answers["probabilities"])
    judged = _judged(gold, probabilities_NL.shape[1])
    return float(np.mean([average_precision(gold == number, probabilities_NL[:, number]) for number in judged]))


def _pr_auc_slope(split: Split, answers: Answers) -> Numbers:
    gold, probabilities_NL = numbers(split.gold), np.asarray(answers["probabilities"])
    judged = _judged(gold, probabilities_NL.shape[1])
    return np.asarray(np.mean([average_precision_slope(gold == number, probabilities_NL[:, number]) for number in judged], axis=0))


def _base_rate(split: Split, answers: Answers) -> Numbers:
    """What a ranking by coin tosses scores: the share of the class, or the mean of these shares (Saito & Rehmsmeier 2015)."""
    gold = numbers(split.gold)
    judged = _judged(gold, np.asarray(answers["probabilities"]).shape[1])
    return np.asarray(np.isin(gold, judged) / len(judged), dtype=np.float64)


def ratio(part: Any, whole: Any) -> Numbers:
    """part / whole, 0 where the whole is 0."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    out = np.zeros(np.broadcast(part, whole).shape)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


_F1 = _of_classes(lambda counts: counts.gold + counts.predicted, in_row=1, in_column=1, right=2)
_PRECISION = _of_classes(lambda counts: counts.predicted, in_row=0, in_column=1, right=1)
_RECALL = _of_classes(lambda counts: counts.gold, in_row=1, in_column=0, right=1)

macro_f1 = _F1[0]

MACRO_F1 = _counted("macro_f1", "macro F1", *_F1, hub="f1")
ACCURACY = _counted("accuracy", "accuracy", _accuracy, _accuracy_slope, hub="accuracy")
# With one label an item, micro-averaged F1 is accuracy; papers report it under its own name.
MICRO_F1 = _counted("micro_f1", "micro F1", _accuracy, _accuracy_slope)
MACRO_PRECISION = _counted("macro_precision", "macro precision", *_PRECISION, compared=False, hub="precision")
MACRO_RECALL = _counted("macro_recall", "macro recall", *_RECALL, compared=False, hub="recall")
MCC = _counted("mcc", "Matthews correlation", _mcc, _mcc_slope, hub="matthews_correlation")
PR_AUC = jackknifed("pr_auc", "PR-AUC", _pr_auc, _pr_auc_slope, compared=False, reads=PROBABILITIES)
PR_AUC_BASE_RATE = mean_of("pr_auc_base_rate", "PR-AUC base rate", _base_rate, better="neither", compared=False, reads=PROBABILITIES)
LOSS = mean_of("loss", "cross-entropy", _loss, better="lower", compared=False, reads=PROBABILITIES)
BRIER = mean_of("brier", "Brier score", _brier, better="lower", span=2.0, compared=False, reads=PROBABILITIES)
ECE = mean_of("ece", "ECE", _ece, better="lower", compared=False, reads=PROBABILITIES)
METRICS = (MACRO_F1, ACCURACY, MICRO_F1, MACRO_PRECISION, MACRO_RECALL, MCC, PR_AUC, PR_AUC_BASE_RATE, LOSS, BRIER, ECE)
