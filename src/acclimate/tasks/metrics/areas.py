"""Average precision, the area under a precision-recall curve, and its slope by the weight of each item."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def average_precision(wanted: NDArray[np.bool_], scores: Numbers) -> float:
    """The mean precision [N] at the rank of each wanted item, equal scores having one rank: scikit-learn's, in a fraction of its time."""
    ranked, found = np.sort(scores), np.sort(scores[wanted])
    above = len(ranked) - np.searchsorted(ranked, found, side="left")
    return float(((len(found) - np.searchsorted(found, found, side="left")) / above).mean())


def average_precision_slope(wanted: NDArray[np.bool_], scores: Numbers) -> Numbers:
    """[N] its derivative by the weight of each item.

    With weights w it is the sum over wanted i of w[i] T[i] / A[i], over the weight of all wanted: A[i] is the weight of all items that
    score at least as much, T[i] that of the wanted ones among them. An item counts in A (and, if wanted, in T) of every wanted one that
    scores no more, and a wanted one also by itself.
    """
    ranked, found = np.sort(scores), np.sort(scores[wanted])
    above = len(ranked) - np.searchsorted(ranked, found, side="left")  # A and T of the wanted, from the lowest score up
    right = len(found) - np.searchsorted(found, found, side="left")
    below = np.searchsorted(found, scores, side="right")  # [N] wanted items that score no more than each item
    lost, won = (np.concatenate([[0.0], np.cumsum(part)])[below] for part in (right / above**2, 1 / above))
    slope = -lost
    precision = (len(found) - np.searchsorted(found, scores[wanted], side="left")) / (
        len(ranked) - np.searchsorted(ranked, scores[wanted], side="left")
    )
    slope[wanted] += won[wanted] + precision - float((right / above).mean())
    return np.asarray(slope / len(found))
