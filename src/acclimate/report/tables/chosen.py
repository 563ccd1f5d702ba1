"""How far the chosen recipe's probabilities can be believed, label by label how well it does, and what it takes for what."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.report.results.finished import Results
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import score
from acclimate.tasks.metrics.classes import CALIBRATION_BINS, calibration_bins
from acclimate.tasks.metrics.classes import confusion as counts_of

MOST_LABELS = 25  # of a confusion matrix that can still be read


@dataclass(frozen=True)
class Bin:
    """Predictions whose highest probability lies in one stretch; the two means are over them."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Confusion:
    """Rows are the true labels, columns what the model said; `cells` are counts over all seeds, `shades` their share of the row, 0 to 9."""

    labels: tuple[str, ...]
    cells: tuple[tuple[int, ...], ...]
    shades: tuple[tuple[int, ...], ...]


def bins(results: Results) -> list[Bin]:
    """The calibration of the chosen recipe's test predictions, all seeds together (Guo et al. 2017); empty bins are left out."""
    found = results.chosen_test
    if found is None or not len(found["gold"]):
        return []
    confidence = found["confidence"]
    right = found["gold"] == found["predicted"]
    place = calibration_bins(confidence)
    chosen = ((right[place == number], confidence[place == number]) for number in range(CALIBRATION_BINS))
    return [Bin(len(hits), float(sure.mean()), float(hits.mean())) for hits, sure in chosen if len(hits)]


def confusion(results: Results) -> Confusion | None:
    """What the chosen recipe took for what; None where there are too many labels to read, or nothing was predicted."""
    found = results.chosen_test
    labels = _labels(results)
    if found is None or not 1 < len(labels) <= MOST_LABELS:
        return None
    gold, predicted = _numbers(found, labels)
    counts = np.bincount(gold * len(labels) + predicted, minlength=len(labels) ** 2).reshape(len(labels), len(labels))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = np.minimum((shares * 10).astype(int), 9)
    return Confusion(labels, tuple(map(tuple, counts.tolist())), tuple(map(tuple, shades.tolist())))


def by_label(results: Results) -> Grid | None:
    """Precision, recall and F1 of each label on the test set, all seeds of the chosen recipe together."""
    found = results.chosen_test
    labels = _labels(results)
    if found is None or not labels:
        return None
    counts = counts_of(*_numbers(found, labels), len(labels))
    seeds = max(1, len(results.values(results.chosen or "", results.budgets[-1], results.metric)))
    rows = []
    for label, *of_label in zip(labels, counts.right.tolist(), counts.predicted.tolist(), counts.gold.tolist(), strict=True):
        right, said, true = map(int, of_label)
        precision, recall = _share(right, said), _share(right, true)
        f1 = _share(2 * right, said + true)
        rows.append((label, score(precision), score(recall), score(f1), f"{true / seeds:,.0f}"))
    return Grid(
        "Each label on the test set, all seeds of the chosen recipe together",
        ("label", "precision", "recall", "F1", "test examples"),
        tuple(rows),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _labels(results: Results) -> tuple[str, ...]:
    return tuple(map(str, results.study.get("labels") or ()))


def _numbers(found: dict[str, NDArray[Any]], labels: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    number = {label: place for place, label in enumerate(labels)}
    gold, predicted = (np.array([number[label] for label in found[name].tolist()], dtype=np.int64) for name in ("gold", "predicted"))
    return gold, predicted
