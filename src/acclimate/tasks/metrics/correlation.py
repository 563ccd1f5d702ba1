"""Scores of numbers that are estimated: correlations and errors, and what every item contributes to them.

Gold is float64 [N]; of the answers `predicted` is float64 [N]. Where all predictions, or all gold, are alike, correlations are 0.
"""

import numpy as np

from acclimate.tasks.metrics.metric import Metric, Numbers, jackknifed, mean_of, of_sums
from acclimate.tasks.split import Answers, Split


def both(split: Split, answers: Answers) -> tuple[Numbers, Numbers]:
    """Gold and predicted numbers [N]."""
    return np.asarray(split.gold, dtype=np.float64), np.asarray(answers["predicted"], dtype=np.float64)


def _moments(split: Split, answers: Answers) -> Numbers:
    """[N, 6] what each item adds to the sums of 1, x, y, xx, yy and xy, of gold x and predicted y in units of their own spread."""
    x, y = (_standard(values) for values in both(split, answers))
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1)


def _standard(values: Numbers) -> Numbers:
    # A correlation is the same in every unit, and sums of squares keep their digits in this one.
    if len(values) == 0 or values.min() == values.max():
        return np.zeros(len(values))
    centred = values - values.mean()
    return np.asarray(centred / np.abs(centred).max())


def _pearson(sums: Numbers) -> float:
    """Pearson's correlation from such sums."""
    count, x, y, xx, yy, xy = sums.tolist()
    spread = (count * xx - x * x) * (count * yy - y * y)
    return float((count * xy - x * y) / np.sqrt(spread)) if spread > 0 else 0.0


def middle_ranks(values: Numbers) -> Numbers:
    """[N] the share of values below each, half of equal ones: ranks, of which equal values have the mean, on a scale from 0 to 1."""
    ranked = np.sort(values)
    below, not_above = (np.searchsorted(ranked, values, side=side) for side in ("left", "right"))
    return np.asarray((below + not_above) / (2 * len(values)))


def _spearman_parts(split: Split, answers: Answers) -> tuple[Numbers, Numbers, float, float, float]:
    """Ranks u and v of gold and predicted, their covariance, and the variance of each; the mean of ranks is always one half."""
    u, v = (middle_ranks(values) for values in both(split, answers))
    covariance, of_u, of_v = (float((one * other).mean()) - 0.25 for one, other in ((u, v), (u, u), (v, v)))
    return u, v, covariance, of_u, of_v


def _spearman(split: Split, answers: Answers) -> float:
    """Spearman's correlation: Pearson's of ranks, equal values having their mean."""
    _, _, covariance, of_u, of_v = _spearman_parts(split, answers)
    return covariance / float(np.sqrt(of_u * of_v)) if _vary(of_u, of_v) else 0.0


def _spearman_slope(split: Split, answers: Answers) -> Numbers:
    """[N] its derivative by the weight of each item.

    The rank of i is the weighted share of items below it, so an item k counts in three places: its own product u[k] v[k], in u of all items
    above it, and in v of all that are predicted above it. With E the mean of u v over items, N times the derivative of E is
    u[k] v[k] + (mean of v over items above k in gold) + (mean of u over items above k in predictions) - 3 E, sums taken over all N.
    """
    u, v, covariance, of_u, of_v = _spearman_parts(split, answers)
    if not _vary(of_u, of_v):
        return np.zeros(len(u))
    x, y = both(split, answers)
    moved = u * v + _mean_above(x, v) + _mean_above(y, u) - 3 * (covariance + 0.25)
    moved_u = u * u + 2 * _mean_above(x, u) - 3 * (of_u + 0.25)
    moved_v = v * v + 2 * _mean_above(y, v) - 3 * (of_v + 0.25)
    spread = np.sqrt(of_u * of_v)
    return np.asarray((moved / spread - covariance / spread * (moved_u / of_u + moved_v / of_v) / 2) / len(u))


def _vary(of_u: float, of_v: float) -> bool:
    return min(of_u, of_v) > 1e-12  # of all alike it is 0, but for rounding


def _mean_above(values: Numbers, what: Numbers) -> Numbers:
    """[N] for each item the sum of `what` over the items with larger values, and half of that over equal ones, by N."""
    _, group = np.unique(values, return_inverse=True)
    sums = np.bincount(group, weights=what).astype(np.float64)
    above = np.cumsum(sums[::-1])[::-1] - sums
    return np.asarray((above + sums / 2)[group] / len(values))


def absolute_error(split: Split, answers: Answers) -> Numbers:
    """[N] how far each prediction is from gold."""
    gold, predicted = both(split, answers)
    return np.asarray(np.abs(gold - predicted))


def _squared_error(split: Split, answers: Answers) -> Numbers:
    return np.asarray(absolute_error(split, answers) ** 2)


SPEARMAN = jackknifed("spearman", "Spearman correlation", _spearman, _spearman_slope, hub="spearmanr")
PEARSON = of_sums("pearson", "Pearson correlation", _moments, _pearson, hub="pearsonr")
MAE = mean_of("mae", "mean absolute error", absolute_error, better="lower", hub="mae")
MSE = mean_of("mse", "mean squared error", _squared_error, better="lower", hub="mse")
METRICS: tuple[Metric, ...] = (SPEARMAN, PEARSON, MAE, MSE)
