"""What is told of a classifier: how well it does label by label, what it takes for what, and how far it can be believed.

Everything is counted over the answers of all seeds together.
"""

import numpy as np

from acclimate.tasks.blocks import Matrix, Points, Table
from acclimate.tasks.frequent_mistakes import frequent_mistakes
from acclimate.tasks.kind import Judged
from acclimate.tasks.metrics.classes import CALIBRATION_BINS, ECE, Classes, calibration_bins, confusion, numbers
from acclimate.tasks.split import Column

MOST_LABELS = 25  # of a confusion matrix that can still be read


def by_label(judged: Judged) -> Table | None:
    """Precision, recall and F1 of each label, and how many test examples have it."""
    gold, predicted = _together(judged)
    if not len(gold) or not judged.names:
        return None
    counts = confusion(gold, predicted, len(judged.names))
    seeds = len(judged.answers)
    rows = []
    for label, *of_label in zip(judged.names, counts.right.tolist(), counts.predicted.tolist(), counts.gold.tolist(), strict=True):
        right, said, true = map(int, of_label)
        rows.append((label, _share(right, said), _share(right, true), _share(2 * right, said + true), true // seeds))
    return Table("Each label", ("label", "precision", "recall", "F1", "test examples"), tuple(rows))


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
    gold, predicted = _together(judged)
    # Of one seed at a time: with thousands of labels, probabilities are gigabytes.
    confidence = np.concatenate([np.asarray(answers["probabilities"]).max(axis=1) for answers in judged.answers])
    place, right = calibration_bins(confidence), gold == predicted
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


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
