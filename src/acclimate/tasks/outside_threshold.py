"""One threshold for tags, that of O: the lower it is the fewer entities are found; chosen on dev for the highest entity F1."""

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.tasks.metrics.spans import ENTITY_F1, OUTSIDE, rows
from acclimate.tasks.split import Split
from acclimate.tasks.thresholds import HALF, Thresholds, largest_multiple

AT_ONCE = 32  # places that are tried before it is known where to look closer


def best_entity_f1(probabilities_WL: NDArray[np.float64], dev: Split) -> Thresholds:
    """[L] one half each, but for O's threshold where another one gives a higher entity F1 on dev than the most likely tags.

    `probabilities_WL` are those of all words. With a rising threshold of O one word after another is given its most likely other tag, and
    it is best just after a word that is of an entity. Of these places `AT_ONCE` are tried, then those around the best, until none is left
    out between its neighbours: some hundred at most.
    """
    tags, outside = rows(dev.gold), dev.names.index(OUTSIDE)
    found = np.full(len(dev.names), HALF)

    def score(threshold: float) -> float:
        thresholds = np.where(np.arange(len(found)) == outside, threshold, found)
        return ENTITY_F1.score(dev, {"predicted": Ragged(largest_multiple(probabilities_WL, thresholds), tags.offsets)})

    places = _places(probabilities_WL, tags.values != outside, outside)
    known: dict[float, float] = {HALF: score(HALF)}
    low, high = 0, len(places) - 1
    while low <= high:
        tried = np.unique(np.linspace(low, high, AT_ONCE).round().astype(np.int64))
        known |= {place: score(place) for place in places[tried].tolist() if place not in known}
        if len(tried) > high - low:
            break
        best = int(np.argmax([known[place] for place in places[tried].tolist()]))
        low, high = int(tried[max(best - 1, 0)]), int(tried[min(best + 1, len(tried) - 1)])
    # Of equals the one next to one half, which is there itself.
    found[outside] = max(known, key=lambda place: (known[place], -abs(np.log(place / HALF))))
    return found


def _places(probabilities_WL: NDArray[np.float64], entity_W: NDArray[np.bool_], outside: int) -> NDArray[np.float64]:
    """The thresholds of O that stand between a word of an entity, which is no longer O, and the next word."""
    others = np.delete(probabilities_WL, outside, axis=1).max(axis=1)
    # O is said below this.
    turns = HALF * np.divide(probabilities_WL[:, outside], others, out=np.full(len(others), np.inf), where=others > 0)
    ranked = np.unique(turns[np.isfinite(turns)])
    after = np.unique(turns[entity_W & np.isfinite(turns)])
    following = np.append(ranked, np.inf)[np.searchsorted(ranked, after) + 1]
    between = np.where(np.isinf(following), 2 * after, np.where(after == 0, following / 2, np.sqrt(after) * np.sqrt(following)))
    return np.asarray(between[np.isfinite(between) & (between > 0)])
