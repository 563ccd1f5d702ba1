"""How much more data would tell: the two-way model of `statistics`, asked for a study of another size.

The variances that one seed, one text and a pair of them contribute were estimated by the study; a study of S seeds and N texts is expected
to have seeds/S + texts/N + both/(S N) (variance components and the sizes of a design: Searle, Casella & McCulloch 1992, chapter 4; for
test sets and seeds in NLP: Card et al. 2020, Bouthillier et al. 2021). Power is taken for a difference that is named beforehand. Taking
the observed one says how large a study must be *if the truth is what was seen*, and nothing about this study (Hoenig & Heisey 2001).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from acclimate.evaluation.statistics import Components, combined, detectable_effect

RELEVANT = 0.01  # of a metric's span: a smaller difference of scores changes nobody's choice of a recipe
MOST_TIMES = 10  # a study ten times as large is another study


@dataclass(frozen=True)
class Advice:
    """What would bring the smallest detectable difference down to `target`; None where ten times as many would not."""

    target: float
    seeds: int | None  # more seeds, test texts as they are
    texts: int | None  # more test texts, seeds as they are

    @property
    def enough(self) -> bool:
        """Whether the study as it is would have found such a difference."""
        return self.seeds == 0


def detectable_at(components: Components, seeds: int, texts: int, compared: int, alpha: float = 0.05, span: float = 1.0) -> float:
    """The smallest difference that a study of this size is expected to find with 80 % power, in units of the metric.

    `seeds` and `texts` are at least two; `compared` is the number of recipes that Holm's correction counts.
    """
    both = components.both / (seeds * texts)
    variance, freedom = combined(
        np.array(components.seeds / seeds + both), np.array(components.texts / texts + both), np.array(both), seeds, texts, span
    )
    return detectable_effect(float(np.sqrt(variance)), float(freedom), compared, alpha)


def advise(
    components: Components, difference: float, seeds: int, texts: int, compared: int, alpha: float = 0.05, span: float = 1.0
) -> Advice:
    """How many more seeds, or how many more test texts, would let a study find the observed difference.

    Where the observed difference is below `RELEVANT` of the metric's span, that is what is asked for: nobody needs to tell less.
    """
    target = max(abs(difference), RELEVANT * span)
    return Advice(
        target,
        _more(lambda size: detectable_at(components, size, texts, compared, alpha, span) <= target, seeds),
        _more(lambda size: detectable_at(components, seeds, size, compared, alpha, span) <= target, texts),
    )


def _more(enough: Callable[[int], bool], size: int) -> int | None:
    """The least addition to `size` that is enough, up to `MOST_TIMES` of it in all."""
    # In steps of a twentieth and then between the last two: with few seeds more texts do not help steadily (what is known of the
    # variance comes to rest on the seeds alone), so that halving the whole range could pass the first size by.
    short, sizes = size - 1, [size]
    while sizes[-1] < MOST_TIMES * size:
        sizes.append(min(MOST_TIMES * size, sizes[-1] + max(1, sizes[-1] // 20)))
    for long in sizes:
        if enough(long):
            while long - short > 1:
                middle = (short + long) // 2
                short, long = (short, middle) if enough(middle) else (middle, long)
            return long - size
        short = long
    return None
