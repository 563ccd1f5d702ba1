"""Above which probability a name is given: one half, or what dev says is best for each name.

Where one of several names holds it is the one whose probability is the largest multiple of its threshold.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.tasks.split import Answers, Split

Choice = Literal["half", "tuned"]
HALF = 0.5
Thresholds = NDArray[np.float64]
"""[L] one a name: it is given above this."""


class Thresholded(NamedTuple):
    """How a kind answers by thresholds, and finds those that are best on dev."""

    answer: Callable[[Any, Split, Thresholds], Answers]
    tune: Callable[[Any, Split], Thresholds]


def largest_multiple(probabilities_NL: NDArray[np.float64], thresholds: Thresholds | None) -> NDArray[np.int64]:
    """[N] the name whose probability is the largest multiple of its threshold, the first of equals; the most likely one for None."""
    multiples_NL = probabilities_NL if thresholds is None else probabilities_NL / thresholds
    return np.asarray(multiples_NL.argmax(axis=1))


def best_f1(gold: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """The threshold with the highest F1 of one name on dev: gold and probabilities [N] (Lipton, Elkan & Naryanaswamy 2014).

    It stands half way between the probabilities that it parts, or at one half where that parts them alike; of several with the same F1
    it is the one next to one half. Without an example of the name on dev it stays there: nothing can be chosen.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    last = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True) & (ranked > 0))  # equal ones are given together or not at all
    if not gold.any() or not len(last):
        return HALF
    f1 = 2 * np.cumsum(gold[order])[last] / (last + 1 + gold.sum())
    high, low = ranked[last], np.append(ranked, 0.0)[last + 1]
    middle = low + (high - low) / 2
    # Of two numbers next to each other the middle may be the higher one, which would then not be above it.
    between = np.where((low <= HALF) & (high > HALF), HALF, np.where(middle < high, middle, low))
    best = np.flatnonzero(f1 == f1.max())
    return float(between[best[np.argmin(np.abs(between[best] - HALF))]])
