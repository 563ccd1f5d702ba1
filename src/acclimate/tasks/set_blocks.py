"""What is told of a model that gives a text several labels or none: label by label, which labels it takes for which, and how sure it is.

Everything is counted over the answers of all seeds together.
"""

import numpy as np

from acclimate.tasks.blocks import Cell, Matrix, Points, Table
from acclimate.tasks.frequent_mistakes import frequent_mistakes
from acclimate.tasks.kind import Judged
from acclimate.tasks.metrics.areas import average_precision
from acclimate.tasks.metrics.classes import CALIBRATION_BINS, calibration_bins
from acclimate.tasks.metrics.sets import Flags, by_label
from acclimate.tasks.thresholds import HALF

MOST_LABELS = 25  # of a matrix that can still be read
NONE = "no label"


def each_label(judged: Judged) -> Table | None:
    """Precision, recall and F1 of each label, PR-AUC beside what coin tosses come to, its mean threshold, and how many texts have it."""
    if not judged.answers or not judged.names:
        return None
    gold, predicted = _together(judged)
    texts = np.asarray(judged.split.gold, dtype=bool)
    known = [each for each in judged.thresholds if each is not None]
    thresholds = np.mean(known, axis=0) if known else np.full(len(judged.names), HALF)
    rows: list[tuple[Cell, ...]] = []
    for number, (label, *scores) in enumerate(zip(judged.names, *by_label(gold, predicted), strict=True)):
        has = texts[:, number]
        area = _area(judged, number) if has.any() else None
        precision, recall, f1 = map(float, scores)
        rows.append((
            label,
            precision if predicted[:, number].any() else None,
            recall if has.any() else None,
            f1 if (has.any() or predicted[:, number].any()) else None,
            area,
            float(has.mean()),
            float(thresholds[number]),
            int(has.sum()),
        ))  # fmt: skip
    headings = ("label", "precision", "recall", "F1", "PR-AUC", "base rate", "threshold", "test examples")
    tuned = "the thresholds were tuned on dev (their means over seeds)" if known else "a label is given above one half"
    return Table("Each label", headings, tuple(rows), f"the base rate is the PR-AUC of a ranking by chance; {tuned}")


def together(judged: Judged) -> Matrix | None:
    """How often a text that has one label (or none) was given another; None where there are too many labels to read."""
    if not judged.answers or not 1 < len(judged.names) <= MOST_LABELS:
        return None
    gold, predicted = (np.concatenate([flags, ~flags.any(axis=1, keepdims=True)], axis=1) for flags in _together(judged))
    counts = gold.astype(np.int64).T @ predicted.astype(np.int64)
    note = "rows are true labels, columns what the model said; a text counts once for every pair of its own labels and those it was given"
    return Matrix("Labels and what was said with them", (*judged.names, NONE), tuple(map(tuple, counts.tolist())), note)


def mistakes(judged: Judged) -> Table | None:
    """The most frequent pairs of a text's labels and the different ones it was given; None where all is right."""
    return frequent_mistakes(*_together(judged), lambda flags: _words(flags, judged.names), "the labels are")


def calibration(judged: Judged) -> Points | None:
    """How often a text has a label by the probability that the model gives it, over all labels; empty bins are left out."""
    if not judged.answers or not len(judged.split) or "probabilities" not in judged.answers[0]:
        return None
    gold, said = np.zeros(CALIBRATION_BINS), np.zeros(CALIBRATION_BINS)
    counts = np.zeros(CALIBRATION_BINS, dtype=np.int64)
    for answers in judged.answers:
        probabilities = np.asarray(answers["probabilities"]).ravel()
        place = calibration_bins(probabilities)
        gold += np.bincount(place, np.asarray(judged.split.gold, dtype=np.float64).ravel(), CALIBRATION_BINS)
        said += np.bincount(place, probabilities, CALIBRATION_BINS)
        counts += np.bincount(place, minlength=CALIBRATION_BINS)
    points = tuple((float(said[bin] / counts[bin]), float(gold[bin] / counts[bin]), int(counts[bin])) for bin in np.flatnonzero(counts))
    error = float(np.abs(said - gold).sum() / counts.sum())
    note = "on the dashed line its probabilities can be taken at their word, below it is too sure"
    measure = ("the expected calibration error of all labels together", error)
    return Points("Calibration", "probability of a label", "how often the text has it", points, note, True, True, measure)


TOLD = (each_label, together, mistakes, calibration)


def _together(judged: Judged) -> tuple[Flags, Flags]:
    """Gold and predicted labels over all seeds [N x seeds, L]."""
    gold = np.asarray(judged.split.gold, dtype=bool)
    if not judged.answers:
        return gold[:0], gold[:0]
    predicted = [np.asarray(answers["predicted"], dtype=bool) for answers in judged.answers]
    return np.concatenate([gold] * len(predicted)), np.concatenate(predicted)


def _area(judged: Judged, number: int) -> float | None:
    """The mean of the seeds."""
    if "probabilities" not in judged.answers[0]:
        return None
    gold = np.asarray(judged.split.gold, dtype=bool)[:, number]
    return float(np.mean([average_precision(gold, np.asarray(answers["probabilities"])[:, number]) for answers in judged.answers]))


def _words(flags: Flags, names: tuple[str, ...]) -> str:
    return ", ".join(name for name, holds in zip(names, flags.tolist(), strict=True) if holds) or NONE
