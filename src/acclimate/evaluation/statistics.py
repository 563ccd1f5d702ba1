"""Whether a recipe differs from the reference: a two-way model with seeds and test texts as its sources of variance.

For seed s and text i let d[s, i] be the text's first-order contribution to the difference of the scores (its influence, the infinitesimal
jackknife of Efron 1982), so that the mean over texts is the difference D[s] of that seed. Seeds and texts are crossed random effects:

    variance of the mean difference = seeds/S + texts/N + (seed x text)/(S N)

and each mean square estimates a sum of these. Where texts belong together (those of one patient, of one sentence), their groups take the
place of texts, each with the contribution of all of its texts (`by_group`): what is resampled is what stands by itself.

Satterthwaite's formula (1946) gives the degrees of freedom, Holm's (1979) correction keeps
the error over all recipes of a budget.
"""

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray
from acclimate.tasks.grouping import numbered

Word = Literal["better", "worse", "cannot tell"]
POWER = 0.8  # with which `detectable` would be found
BOUND = 0.8  # confidence of the upper bound with which the seeds' variance enters the degrees of freedom
Contributions = Mapping[int, NDArray[np.float64]]
"""By seed, what every item contributes to the score [N] (`Metric.each`); the mean is the score."""


class Score(Protocol):
    """What is asked of a score here: a `Metric` answers it, and so does what result files say of one."""

    @property
    def name(self) -> str:
        """As it stands in result files."""

    @property
    def span(self) -> float:
        """From worst to best."""

    @property
    def lower_is_better(self) -> bool:
        """Whether less of it is more."""


@dataclass(frozen=True)
class Level:
    """A recipe's score by itself, with its 95 % interval over seeds and items; None where seeds or items are too few to give one."""

    mean: float
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True)
class Verdict:
    """One recipe against the reference at one label budget. Numbers are None where nothing is common to both."""

    recipe: str
    reference: str
    labels: str
    metric: str
    mean: float | None  # of the recipe's score over its seeds
    difference: float | None  # to the reference, over common seeds
    low: float | None  # interval of the difference, 95 % by default
    high: float | None
    p: float | None
    p_holm: float | None
    detectable: float | None  # the smallest true difference found with 80 % power; None with one seed
    verdict: Word
    seeds: int  # common to both
    failed_seeds: int
    texts: int = 0  # test texts
    compared: int = 0  # recipes with which Holm's correction counts
    # What one seed and one text contribute to the variance of the difference (`Components`); None with one seed.
    seed_variance: float | None = None
    text_variance: float | None = None
    both_variance: float | None = None


@dataclass(frozen=True)
class GroupedVerdict(Verdict):
    """A verdict on texts that belong together: groups take the place of texts in all that it says, `text_variance` among it."""

    groups: int = 0  # of the test texts


@dataclass(frozen=True)
class Components:
    """The variances of the two-way model, each of a single seed, text, or pair of them, in squared units of the metric.

    Estimated from the mean squares (Searle, Casella & McCulloch 1992, section 4.3); one that comes out below zero is zero.
    """

    seeds: float
    texts: float
    both: float  # the interaction of seed and text


@dataclass(frozen=True)
class Spread:
    """The variance of a mean difference and how well it is known."""

    difference: float
    variance: float
    freedom: float  # degrees of freedom
    components: Components | None = None  # None with one seed, which tells none of them apart

    @property
    def error(self) -> float:
        """The standard error."""
        return float(np.sqrt(self.variance))


def compare(
    each: Mapping[str, Contributions],
    reference: str,
    metric: Score,
    *,
    labels: str = "all",
    seeds: Sequence[int] | None = None,
    alpha: float = 0.05,
    groups: Sequence[Hashable] | None = None,
) -> list[Verdict]:
    """A verdict for each recipe but the reference, for one label budget.

    `each` holds for every recipe and seed what each item contributes to the metric [N]; `seeds` are those that were meant to run, so that
    failed ones are counted; `groups` [N] says what each item belongs to, where they do not stand by themselves. With one common seed
    interval and p-value know items only, nothing is `detectable` and the verdict is always `cannot tell`; a single test item, or group,
    compares nothing.
    """
    meant = set(seeds) if seeds is not None else {seed for runs in each.values() for seed in runs}
    others = [name for name in each if name != reference]
    items = next((len(found) for runs in each.values() for found in runs.values()), 0)
    kind: Callable[..., Verdict] = Verdict
    if groups is not None:
        unit_of = numbered(groups)
        each = {name: {seed: by_group(values, unit_of) for seed, values in runs.items()} for name, runs in each.items()}
        kind = partial(GroupedVerdict, groups=int(unit_of.max(initial=-1)) + 1)
    units = next((len(found) for runs in each.values() for found in runs.values()), 0)
    found = []
    for name in others:
        common = sorted(each[name].keys() & each[reference].keys())
        failed = len(meant - set(common))
        scores = [float(values.mean()) for values in each[name].values()]
        mean = float(np.mean(scores)) if scores else None
        blank = kind(
            name, reference, labels, metric.name, mean, None, None, None, None, None, None, "cannot tell", len(common), failed,
            texts=items, compared=len(others),
        )  # fmt: skip
        if not common or units < 2:
            found.append(blank)
            continue
        spread = two_way(np.stack([each[name][seed] - each[reference][seed] for seed in common]), metric.span)
        found.append(_with_numbers(blank, spread, alpha))
    return _judged(found, alpha, metric.lower_is_better)


def level(runs: Contributions, span: float = 1.0, alpha: float = 0.05, groups: Sequence[Hashable] | None = None) -> Level:
    """The score of a recipe from what every item contributes to it, by seed [N], with the interval of the model above.

    With one seed, or one item (or group), there is no interval: nothing would be known of another.
    """
    from scipy.special import stdtrit

    score = float(np.mean([values.mean() for values in runs.values()]))
    if groups is not None:
        unit_of = numbered(groups)
        runs = {seed: by_group(values, unit_of) for seed, values in runs.items()}
    if len(runs) < 2 or min(map(len, runs.values())) < 2:
        return Level(score, None, None, len(runs))
    spread = two_way(np.stack([*runs.values()]), span)
    half = float(stdtrit(spread.freedom, 1 - alpha / 2)) * spread.error
    return Level(score, score - half, score + half, len(runs))


def by_group(each: NDArray[np.float64], units: IntArray) -> NDArray[np.float64]:
    """What each group contributes [G], from what its items do [N]; `units` [N] are the groups by number, from 0.

    The score is a mean over items, and how many a group has is chance, too: a ratio of two sums over groups. To first order a group
    contributes score + G/N * sum(each - score) over its items (Cochran 1977, section 2.11), and the mean over groups is the score exactly.
    """
    score, groups = each.mean(), int(units.max()) + 1
    return np.asarray(score + np.bincount(units, each - score, groups) * groups / len(each), dtype=np.float64)


def two_way(d_SN: NDArray[np.float64], span: float = 1.0) -> Spread:
    """The mean of contributions [S, N] over crossed seeds and texts, its variance and its degrees of freedom.

    With one seed only texts count. `span` is the metric's, from worst to best. See `combined` for how the sources are put together.
    """
    count, texts = d_SN.shape
    by_seed, by_text = d_SN.mean(axis=1), d_SN.mean(axis=0)
    difference = float(d_SN.mean())
    text_variance = float(by_text.var(ddof=1)) / texts
    if count == 1:
        return Spread(difference, max(text_variance, (span / texts) ** 2), float(texts - 1))
    seed_variance = float(by_seed.var(ddof=1)) / count
    rest = d_SN - by_seed[:, None] - by_text[None] + difference
    both = float((rest**2).sum()) / ((count - 1) * (texts - 1)) / (count * texts)
    variance, freedom = combined(np.array(seed_variance), np.array(text_variance), np.array(both), count, texts, span)
    # Either single source's mean square holds the interaction, too.
    components = Components(count * max(seed_variance - both, 0.0), texts * max(text_variance - both, 0.0), count * texts * both)
    return Spread(difference, float(variance), float(freedom), components)


def combined(
    seed_variance: NDArray[np.float64],
    text_variance: NDArray[np.float64],
    both: NDArray[np.float64],
    seeds: int,
    texts: int,
    span: float = 1.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variance and degrees of freedom of the mean difference from its mean squares, each over S N (any shape, elementwise).

    The single sources' sum less the interaction `both`, which each of the two contains; never less than either source alone, and never less
    than one text's weight. Freedom lies between S - 1 and N - 1.
    """
    # scipy.special has the functions that scipy.stats wraps, in a twentieth of the time and loaded in a tenth: a study's advice asks often.
    from scipy.special import gammaincinv

    def whole(seed_part: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.maximum.reduce([seed_part + text_variance - both, seed_part, text_variance]), dtype=np.float64)

    # A few seeds that happen to agree would also claim many degrees of freedom, and intervals would be too narrow just then (coverage
    # 92 % at 3 seeds, 87 % at 2). So the seeds' share weighs with its 80 % upper bound here. The interaction is taken off here, too:
    # counted twice it would look like well-known variance, and equal recipes would differ in 6.3 % of studies where seeds dominate.
    bound = seed_variance * (seeds - 1) / float(2 * gammaincinv((seeds - 1) / 2, 1 - BOUND))  # a quantile of chi-square
    parts = bound**2 / (seeds - 1) + text_variance**2 / (texts - 1)
    freedom = np.divide(whole(bound) ** 2, parts, out=np.full(np.shape(parts), float(texts - 1)), where=parts > 0)
    # Identical predictions on every text still leave the next text open.
    variance = np.maximum(whole(seed_variance), (span / texts) ** 2)
    return variance, np.clip(freedom, min(seeds, texts) - 1, texts - 1)


def detectable_effect(error: float, freedom: float, compared: int, alpha: float = 0.05) -> float:
    """The smallest true difference that is found with 80 % power at Holm's first and strictest step, `compared` recipes in all.

    (t[1 - alpha / 2m] + t[power]) standard errors.
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - alpha / (2 * compared)) + stdtrit(freedom, POWER)) * error


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979) of p-values, in their order."""
    order = np.argsort(p, kind="stable")
    corrected, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        corrected[place] = highest
    return corrected


def _with_numbers(blank: Verdict, spread: Spread, alpha: float) -> Verdict:
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(spread.freedom, 1 - alpha / 2)) * spread.error
    p = 1.0 if spread.difference == 0 else float(2 * stdtr(spread.freedom, -abs(spread.difference) / spread.error))
    p = max(p, sys.float_info.min)  # no study can rule chance out: a p-value too small for a float is not 0
    low, high = spread.difference - half, spread.difference + half
    # One seed never tells, however large the difference.
    seen = detectable_effect(spread.error, spread.freedom, blank.compared, alpha) if blank.seeds > 1 else None
    found = replace(blank, difference=spread.difference, low=low, high=high, p=p, detectable=seen)
    parts = spread.components
    if parts is None:
        return found
    return replace(found, seed_variance=parts.seeds, text_variance=parts.texts, both_variance=parts.both)


def _judged(found: list[Verdict], alpha: float, lower: bool) -> list[Verdict]:
    tested = [place for place, verdict in enumerate(found) if verdict.p is not None]
    corrected = dict(zip(tested, holm([found[place].p or 0.0 for place in tested]), strict=True))
    judged = []
    for place, verdict in enumerate(found):
        p_holm = corrected.get(place)
        word: Word = "cannot tell"
        if p_holm is not None and p_holm < alpha and verdict.seeds > 1 and verdict.difference:
            word = "better" if (verdict.difference > 0) != lower else "worse"
        judged.append(replace(verdict, p_holm=p_holm, verdict=word))
    return judged
