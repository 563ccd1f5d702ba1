"""Scores of labels of which a text may have several or none, and what every text contributes to them.

Gold is bool [N, L]; of the answers `predicted` is bool [N, L], `probabilities` float64 [N, L]. All equal scikit-learn's: F1, precision and
recall are 0 where they are 0/0, except that a text without a label of which none is said has an example F1 of 1 (`zero_division=1`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.tasks.metrics.areas import average_precision, average_precision_slope
from acclimate.tasks.metrics.classes import PROBABILITIES, SMALLEST_PROBABILITY, ratio
from acclimate.tasks.metrics.metric import Metric, Numbers, jackknifed, mean_of, of_sums
from acclimate.tasks.split import Answers, Split

Flags = NDArray[np.bool_]  # [N, L] which labels


def both(split: Split, answers: Answers) -> tuple[Flags, Flags]:
    """Gold and predicted labels [N, L]."""
    return np.asarray(split.gold, dtype=bool), np.asarray(answers["predicted"], dtype=bool)


def example_f1(split: Split, answers: Answers) -> Numbers:
    """[N] the F1 of each text's labels; 1 where it has none and none is said."""
    gold, predicted = both(split, answers)
    right, whole = (gold & predicted).sum(axis=1), gold.sum(axis=1) + predicted.sum(axis=1)
    return np.where(whole == 0, 1.0, ratio(2 * right, whole))


def by_label(gold: Flags, predicted: Flags) -> tuple[Numbers, Numbers, Numbers]:
    """Precision, recall and F1 of each label [L], 0 where they are 0/0."""
    right, of_gold, of_predicted = (gold & predicted).sum(axis=0), gold.sum(axis=0), predicted.sum(axis=0)
    return ratio(right, of_predicted), ratio(right, of_gold), ratio(2 * right, of_gold + of_predicted)


def _sums(split: Split, answers: Answers) -> Numbers:
    """[N, 3] of each text: labels that are right, its own, and those that are said."""
    gold, predicted = both(split, answers)
    return np.stack([(gold & predicted).sum(axis=1), gold.sum(axis=1), predicted.sum(axis=1)], axis=1).astype(np.float64)


def _macro(name: str, words: str, in_gold: int, in_predicted: int, **more: Any) -> Metric:
    """The mean over labels of (in_gold + in_predicted) x right / (in_gold x gold + in_predicted x predicted)."""
    times = in_gold + in_predicted

    def parts(split: Split, answers: Answers) -> tuple[Flags, Flags, Numbers, Numbers]:
        gold, predicted = both(split, answers)
        return gold, predicted, times * (gold & predicted).sum(axis=0), in_gold * gold.sum(axis=0) + in_predicted * predicted.sum(axis=0)

    def score(split: Split, answers: Answers) -> float:
        _, _, right, whole = parts(split, answers)
        return float(ratio(right, whole).mean())

    def slope(split: Split, answers: Answers) -> Numbers:
        gold, predicted, right, whole = parts(split, answers)
        # d(a/b) = da/b - (a/b) db/b, of each label
        gain, loss = ratio(times, whole), ratio(ratio(right, whole), whole)
        return np.asarray(((gold & predicted) @ gain - in_gold * (gold @ loss) - in_predicted * (predicted @ loss)) / gold.shape[1])

    return jackknifed(name, words, score, slope, **more)


def _judged(split: Split) -> NDArray[np.intp]:
    """The labels that this split holds: of one without an example there is nothing to find."""
    return np.flatnonzero(np.asarray(split.gold, dtype=bool).any(axis=0))


def _over_labels(of_one: Callable[[Flags, Numbers], Any], split: Split, answers: Answers) -> Any:
    gold, probabilities_NL = np.asarray(split.gold, dtype=bool), np.asarray(answers["probabilities"])
    found = [of_one(gold[:, number], probabilities_NL[:, number]) for number in _judged(split)]
    return np.mean(found, axis=0) if found else np.zeros(len(gold))


def _pr_auc(split: Split, answers: Answers) -> float:
    """The mean over the labels that this split holds of the area under the precision-recall curve, as average precision."""
    return float(np.mean(_over_labels(average_precision, split, answers)))


def _base_rate(split: Split, answers: Answers) -> Numbers:
    """What a ranking by coin tosses scores: the mean share of these labels."""
    judged = _judged(split)
    gold = np.asarray(split.gold, dtype=np.float64)
    return np.asarray(gold[:, judged].mean(axis=1)) if len(judged) else np.zeros(len(gold))


def _loss(split: Split, answers: Answers) -> Numbers:
    """Binary cross-entropy, the mean over labels, nats."""
    gold, probabilities_NL = np.asarray(split.gold, dtype=bool), np.asarray(answers["probabilities"])
    right = np.where(gold, probabilities_NL, 1 - probabilities_NL)
    return np.asarray(-np.log(np.maximum(right, SMALLEST_PROBABILITY)).mean(axis=1))


def _brier(split: Split, answers: Answers) -> Numbers:
    """The Brier score: squared errors of the probabilities, the mean over labels; 0 is best, 1 worst."""
    return np.asarray(((np.asarray(answers["probabilities"]) - np.asarray(split.gold, dtype=np.float64)) ** 2).mean(axis=1))


def _exact(split: Split, answers: Answers) -> Numbers:
    """Whether all labels of a text are right (subset accuracy)."""
    gold, predicted = both(split, answers)
    return np.asarray((gold == predicted).all(axis=1), dtype=np.float64)


def _hamming(split: Split, answers: Answers) -> Numbers:
    """The share of a text's labels, those it has and those it has not, that are wrong."""
    gold, predicted = both(split, answers)
    return np.asarray((gold != predicted).mean(axis=1), dtype=np.float64)


MACRO_F1 = _macro("macro_f1", "macro F1", 1, 1, hub="f1")
MICRO_F1 = of_sums("micro_f1", "micro F1", _sums, lambda sums: float(ratio(2 * sums[0], sums[1] + sums[2])), hub="f1")
EXAMPLE_F1 = mean_of("example_f1", "example F1", example_f1, hub="f1")
EXACT_MATCH = mean_of("exact_match", "exact match", _exact, hub="accuracy")
HAMMING_LOSS = mean_of("hamming_loss", "Hamming loss", _hamming, better="lower")
MICRO_PRECISION = of_sums("micro_precision", "micro precision", _sums, lambda sums: float(ratio(sums[0], sums[2])), compared=False)
MICRO_RECALL = of_sums("micro_recall", "micro recall", _sums, lambda sums: float(ratio(sums[0], sums[1])), compared=False)
MACRO_PRECISION = _macro("macro_precision", "macro precision", 0, 1, compared=False, hub="precision")
MACRO_RECALL = _macro("macro_recall", "macro recall", 1, 0, compared=False, hub="recall")
PR_AUC = jackknifed(
    "pr_auc", "PR-AUC", _pr_auc, lambda split, answers: np.asarray(_over_labels(average_precision_slope, split, answers)),
    compared=False, reads=PROBABILITIES,
)  # fmt: skip
PR_AUC_BASE_RATE = mean_of("pr_auc_base_rate", "PR-AUC base rate", _base_rate, better="neither", compared=False, reads=PROBABILITIES)
LOSS = mean_of("loss", "binary cross-entropy", _loss, better="lower", compared=False, reads=PROBABILITIES)
BRIER = mean_of("brier", "Brier score", _brier, better="lower", compared=False, reads=PROBABILITIES)
METRICS = (
    MACRO_F1, MICRO_F1, EXAMPLE_F1, EXACT_MATCH, HAMMING_LOSS, MACRO_PRECISION, MACRO_RECALL, MICRO_PRECISION, MICRO_RECALL,
    PR_AUC, PR_AUC_BASE_RATE, LOSS, BRIER,
)  # fmt: skip
