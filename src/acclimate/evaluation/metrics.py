"""Scores of a classifier. Those that only look at labels are functions of confusion counts, so that statistics can ask how they move.

Those that look at probabilities stand below. Of them `pr_auc` is better when higher, `loss`, `brier` and `ece` are better when lower; none
of these is compared, or chooses a model.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import TrainingError

if TYPE_CHECKING:
    from acclimate.data.task import Split

Counts = NDArray[np.float64]  # [..., L, L]: gold in rows, predicted in columns

SMALLEST_PROBABILITY = 1e-12  # a sure mistake costs 27.6 nats, not infinitely many
CALIBRATION_BINS = 15  # Guo et al. 2017


def confusion(gold: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> Counts:
    """Counts [L, L] of gold (rows) against predicted (columns) class numbers [N]."""
    cells = np.bincount(gold * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.float64)


def accuracy(counts: Counts) -> NDArray[np.float64]:
    """Share of texts labelled rightly."""
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)))


def class_f1(counts: Counts) -> NDArray[np.float64]:
    """F1 of each class [..., L]; 0 where a class neither occurs nor is predicted."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return _ratio(2 * right, counts.sum(-1) + counts.sum(-2))


def macro_f1(counts: Counts) -> NDArray[np.float64]:
    """The mean F1 over all known classes, also those that this split does not hold (their F1 is 0, as in scikit-learn)."""
    return _mean(class_f1(counts))


def macro_precision(counts: Counts) -> NDArray[np.float64]:
    """The mean over classes of the share of a class's predictions that are right."""
    return _mean(_ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-2)))


def macro_recall(counts: Counts) -> NDArray[np.float64]:
    """The mean over classes of the share of a class's texts that are found."""
    return _mean(_ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1)))


def mcc(counts: Counts) -> NDArray[np.float64]:
    """Matthews' correlation coefficient for several classes (Gorodkin 2004); 0 where it is undefined."""
    total = counts.sum((-2, -1))
    gold, predicted = counts.sum(-1), counts.sum(-2)
    covariance = np.trace(counts, axis1=-2, axis2=-1) * total - (gold * predicted).sum(-1)
    spread = (total**2 - (gold**2).sum(-1)) * (total**2 - (predicted**2).sum(-1))
    return _ratio(covariance, np.sqrt(np.maximum(spread, 0)))


# With one label a text, micro-averaged F1 is accuracy; papers report it under its own name.
METRICS: dict[str, Callable[[Counts], NDArray[np.float64]]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "micro_f1": accuracy,
    "macro_precision": macro_precision,
    "macro_recall": macro_recall,
    "mcc": mcc,
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
    scores = {name: float(metric(counts)) for name, metric in METRICS.items()}
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
    from sklearn.metrics import average_precision_score

    counts = np.bincount(gold, minlength=probabilities_NL.shape[1])
    judged = np.flatnonzero(counts)
    if len(counts) == len(judged) == 2:
        judged = judged[[int(counts[1] <= counts[0])]]
    areas = [average_precision_score(gold == number, probabilities_NL[:, number]) for number in judged.tolist()]
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


def _ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    out = np.zeros(np.broadcast(part, whole).shape)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean(each_L: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(each_L.mean(-1), dtype=np.float64)
