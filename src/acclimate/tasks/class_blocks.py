"""What is told of a classifier: how well it does label by label, what it takes for what, and how far it can be believed.

Everything is counted over the answers of all seeds together.
"""

import numpy as np
from numpy.typing import NDArray

from acclimate.tasks.blocks import Cell, Matrix, Points, Table
from acclimate.tasks.frequent_mistakes import frequent_mistakes
from acclimate.tasks.kind import Judged
from acclimate.tasks.metrics.classes import CALIBRATION_BINS, ECE, Classes, calibration_bins, confusion, numbers
from acclimate.tasks.split import Answers, Column

MOST_LABELS = 25  # of a confusion matrix that can still be read


def by_label(judged: Judged) -> Table | None:
    """Precision, recall and F1 of each label, and how many test examples have it; its mean threshold where they were tuned."""
    gold, predicted = _together(judged)
    if not len(gold) or not judged.names:
        return None
    counts = confusion(gold, predicted, len(judged.names))
    seeds = len(judged.answers)
    rows: list[tuple[Cell, ...]] = []
    for label, *of_label in zip(judged.names, counts.right.tolist(), counts.predicted.tolist(), counts.gold.tolist(), strict=True):
        right, said, true = map(int, of_label)
        rows.append((label, _share(right, said), _share(right, true), _share(2 * right, said + true), true // seeds))
    headings = ("label", "precision", "recall", "F1", "test examples")
    known = [each for each in judged.thresholds if each is not None]
    if not known:
        return Table("Each label", headings, tuple(rows))
    tuned = np.mean(known, axis=0).tolist()
    told = "the label is the one with the largest multiple of its threshold; these were tuned on dev (their means over seeds)"
    return Table("Each label", (*headings, "threshold"), tuple((*row, float(each)) for row, each in zip(rows, tuned, strict=True)), told)


def confusion_matrix(judged: Judged) -> Matrix | None:
    """What was taken for what; None where there are too many labels to read."""
    gold, predicted = _together(judged)
    classes = len(judged.names)
    if not len(gold) or not 1 < classes <= MOST_LABELS:
        return None
    counts_LL = np.bincount(gold * classes + predicted, minlength=classes**2).reshape(classes, classes)
    note = "rows are true labels, columns what the model said"
    return Matrix("Confusion matrix", judged.names, tuple(map(tuple, counts_LL.tolist())), note)


def mistakes(judged: Judged) -> Table | None:
    """The most frequent pairs of a label and what was said in its place; None where all is right."""
    return frequent_mistakes(*_together(judged), lambda number: judged.names[int(number)], "the label is")


def calibration(judged: Judged) -> Points | None:
    """How often the model is right by how sure it is (Guo et al. 2017); empty bins are left out. None without probabilities."""
    if not judged.answers or not len(judged.split) or "probabilities" not in judged.answers[0]:
        return None
    # Of one seed at a time: with thousands of labels, probabilities are gigabytes. Thresholds play no part in what a model is sure of.
    gold, found = numbers(judged.split.gold), [_surest(answers) for answers in judged.answers]
    confidence = np.concatenate([sure for sure, _ in found])
    place, right = calibration_bins(confidence), np.concatenate([gold == said for _, said in found])
    bins = ((confidence[place == number], right[place == number]) for number in range(CALIBRATION_BINS))
    error = float(np.mean([ECE.score(judged.split, answers) for answers in judged.answers]))
    return Points(
        "Calibration",
        "how sure the model is",
        "how often it is right",
        tuple((float(sure.mean()), float(hits.mean()), len(hits)) for sure, hits in bins if len(hits)),
        "on the dashed line its probabilities can be taken at their word, below it is too sure",
        diagonal=True,
        joined=True,
        measure=("the expected calibration error", error),
    )


TOLD = (by_label, confusion_matrix, mistakes, calibration)


def _together(judged: Judged) -> tuple[Classes, Classes]:
    """Gold and predicted class numbers over all seeds [N x seeds]."""
    if not judged.answers:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    predicted: list[Column] = [answers["predicted"] for answers in judged.answers]
    return np.tile(numbers(judged.split.gold), len(predicted)), np.concatenate([numbers(each) for each in predicted])


def _surest(answers: Answers) -> tuple[NDArray[np.float64], Classes]:
    """[N] the highest probability of each item, and of what."""
    probabilities_NL = np.asarray(answers["probabilities"])
    said = probabilities_NL.argmax(axis=1)
    return probabilities_NL[np.arange(len(said)), said], said


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
