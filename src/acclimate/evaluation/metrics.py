"""Scores of a classifier. Those that only look at labels are functions of confusion counts, so that statistics can ask how they move."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]  # [..., L, L]: gold in rows, predicted in columns

SMALLEST_PROBABILITY = 1e-12  # a sure mistake costs 27.6 nats, not infinitely many


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
    """Every score of a split: those of `METRICS` and `loss`, the mean cross-entropy in nats.

    `gold` [N] class numbers, `probabilities_NL` [N, L]; the class with the highest probability is the predicted one.
    """
    counts = confusion(gold, probabilities_NL.argmax(axis=1), probabilities_NL.shape[1])
    scores = {name: float(metric(counts)) for name, metric in METRICS.items()}
    right = probabilities_NL[np.arange(len(gold)), gold]
    return scores | {"loss": float(-np.log(np.maximum(right, SMALLEST_PROBABILITY)).mean())}


def per_class(gold: NDArray[np.integer], predicted: NDArray[np.integer], labels: tuple[str, ...]) -> list[dict[str, Any]]:
    """For each label its precision, recall, F1 and number of texts."""
    counts = confusion(gold, predicted, len(labels))
    right = np.diagonal(counts)
    precision, recall, f1 = _ratio(right, counts.sum(0)), _ratio(right, counts.sum(1)), class_f1(counts)
    return [
        {"label": label, "precision": float(precision[i]), "recall": float(recall[i]), "f1": float(f1[i]), "texts": int(counts[i].sum())}
        for i, label in enumerate(labels)
    ]


def _ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    out = np.zeros(np.broadcast(part, whole).shape)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean(each_L: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(each_L.mean(-1), dtype=np.float64)
