"""A threshold a class where one of several holds: the answer is the class whose probability is the largest multiple of its threshold.

All at one half it is the most likely class; of two classes with thresholds t and 1 - t it is the first one above t. Only the ratios of
thresholds count, so where dev has every class their mean is one half.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.tasks.metrics.classes import Classes, confusion, macro_f1, ratio
from acclimate.tasks.thresholds import HALF, Thresholds, largest_multiple

MOST_SWEEPS = 50  # over all classes; a handful is usual
EQUAL = 1e-9  # sums of F1 in another order differ by less, and another answer by more


def best_macro_f1(gold: Classes, probabilities_NL: NDArray[np.float64]) -> Thresholds:
    """[L] thresholds by which macro F1 on dev is higher than that of the most likely classes; one half each where none are. Gold [N].

    Class after class is given the threshold that is best beside the others', of all that answer dev differently, until none moves: no
    single one can then be bettered, and dev is never worse off than at one half. A class without an example in dev stays there.
    """
    held = np.flatnonzero(np.bincount(gold, minlength=probabilities_NL.shape[1]))
    found = np.full(probabilities_NL.shape[1], HALF)

    def score(answers: Classes) -> float:
        return macro_f1(confusion(gold, answers, len(found)))

    leaders = _Leaders.of(probabilities_NL / found)
    best = score(leaders.first.number)
    for _ in range(MOST_SWEEPS):
        before = best
        for number in held.tolist():
            place = _best_place(gold, probabilities_NL[:, number], leaders.without(number), number, best * len(found))
            if place is None:
                continue
            moved = np.where(np.arange(len(found)) == number, place, found)
            led = leaders.moved(probabilities_NL, moved, number)
            if (reached := score(led.first.number)) > best:
                found, best, leaders = moved, reached, led
        if best == before:
            break
    if len(held) < len(found):
        return found
    # Rounding may part what is equal: they are brought to a mean of one half where dev is then answered as well.
    scaled = found * (HALF / found.mean())
    return scaled if score(largest_multiple(probabilities_NL, scaled)) >= best else found


class _Rivals(NamedTuple):
    """Of each text a class, and what multiple of its threshold that has: [N] each."""

    number: Classes
    multiple: NDArray[np.float64]


class _Leaders(NamedTuple):
    """The two classes with the largest multiples of each text."""

    first: _Rivals
    second: _Rivals

    @classmethod
    def of(cls, multiples_NL: NDArray[np.float64]) -> "_Leaders":
        rows, rest_NL = np.arange(len(multiples_NL)), multiples_NL.copy()
        first = rest_NL.argmax(axis=1)
        largest = rest_NL[rows, first]
        rest_NL[rows, first] = -np.inf
        second = rest_NL.argmax(axis=1)
        return cls(_Rivals(first, largest), _Rivals(second, rest_NL[rows, second]))

    def moved(self, probabilities_NL: NDArray[np.float64], thresholds: Thresholds, number: int) -> "_Leaders":
        """Those by thresholds of which one is new; only texts that it concerns are looked at whole."""
        own = probabilities_NL[:, number] / thresholds[number]
        rows = np.flatnonzero((self.first.number == number) | (self.second.number == number) | (own >= self.second.multiple))
        found = _Leaders.of(probabilities_NL[rows] / thresholds)
        pairs = zip((*self.first, *self.second), (*found.first, *found.second), strict=True)
        columns = [_put(column, rows, values) for column, values in pairs]
        return _Leaders(_Rivals(*columns[:2]), _Rivals(*columns[2:]))

    def without(self, number: int) -> _Rivals:
        """What texts are given where that is not this class."""
        leads = self.first.number == number
        return _Rivals(*(np.where(leads, second, first) for first, second in zip(self.first, self.second, strict=True)))


def _put(column: NDArray[Any], rows: NDArray[np.intp], values: NDArray[Any]) -> NDArray[Any]:
    new = column.copy()
    new[rows] = values
    return new


def _best_place(gold: Classes, own: NDArray[np.float64], rivals: _Rivals, number: int, reached: float) -> float | None:
    """The threshold of one class with the highest sum of F1 over classes, the one next to one half; None where no sum is above `reached`.

    `own` are its probabilities [N]. A text is given the class where the threshold is below `own / rivals.multiple`: as it
    falls, one text after another is.
    """
    turns = np.divide(own, rivals.multiple, out=np.where(own > 0, np.inf, 0.0), where=rivals.multiple > 0)
    order = np.argsort(-turns, kind="stable")
    scores = _as_texts_change(gold[order], rivals.number[order], number)
    # A threshold stands between two turns: texts whose turns are equal go together.
    high, low = np.append(np.inf, turns[order]), np.append(turns[order], 0.0)
    # Between two it is as many times below the one as above the other.
    with np.errstate(invalid="ignore"):
        between = np.where(low == 0, high / 2, np.where(np.isinf(high), low * 2, np.sqrt(low) * np.sqrt(high)))
    possible = (high > low) & np.isfinite(between) & (between > 0)
    best = scores[possible].max(initial=0.0)
    if best <= reached + EQUAL:
        return None
    equal = between[possible & (scores >= best - EQUAL)]
    return float(equal[np.argmin(np.abs(np.log(equal / HALF)))])


def _as_texts_change(gold: Classes, rival: Classes, number: int) -> NDArray[np.float64]:
    """[N + 1] the sum of all F1 where none of N texts, the first, the first two, ... are given one class, and the others their rivals."""
    classes = int(max(gold.max(), rival.max(), number)) + 1
    counts = confusion(gold, rival, classes)
    own = ratio(2 * np.append(0, np.cumsum(gold == number)), np.arange(len(gold) + 1) + counts.gold[number])
    # Each text changes the F1 of its rival alone, by what of the rival's texts came before it.
    by_rival = np.argsort(rival, kind="stable")
    theirs, hit = rival[by_rival], gold[by_rival] == rival[by_rival]
    start, hits = np.searchsorted(theirs, theirs), np.append(0, np.cumsum(hit))
    left = (counts.gold + counts.predicted)[theirs] - (np.arange(len(theirs)) - start)
    right = counts.right[theirs] - (hits[:-1] - hits[start])
    change = np.empty(len(gold))
    change[by_rival] = ratio(2 * (right - hit), left - 1) - ratio(2 * right, left)
    rest = ratio(2 * counts.right, counts.gold + counts.predicted).sum()
    return np.asarray(own + rest + np.append(0, np.cumsum(change)))
