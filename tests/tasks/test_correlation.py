"""Correlations and errors equal scipy's, and what items contribute to them is their slope, ties and all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from acclimate.tasks.metrics.correlation import MAE, METRICS, MSE, PEARSON, SPEARMAN, middle_ranks
from acclimate.tasks.split import Split

SCIPY = {"spearman": spearmanr, "pearson": pearsonr}
numbers = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]), st.floats(-3, 8)), min_size=3, max_size=60)


def split_of(gold):
    gold = np.asarray(gold, dtype=np.float64)
    return Split((("a",) * len(gold), ("b",) * len(gold)), gold, np.arange(len(gold)), ())


def example(count=200, seed=0, ties=True):
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 11, count) / 2 if ties else rng.normal(size=count)
    predicted = gold + rng.normal(size=count)
    return gold, np.round(predicted) if ties else predicted


@given(numbers)
def test_correlations_equal_those_of_scipy(pairs):
    gold, predicted = np.array(pairs).T
    if np.ptp(gold) < 1e-6 or np.ptp(predicted) < 1e-6:
        return
    split, answers = split_of(gold), {"predicted": predicted}
    assert SPEARMAN.score(split, answers) == pytest.approx(spearmanr(gold, predicted).statistic, abs=1e-9)
    assert PEARSON.score(split, answers) == pytest.approx(pearsonr(gold, predicted).statistic, abs=1e-9)


@given(numbers)
def test_the_mean_of_what_items_contribute_is_the_score(pairs):
    gold, predicted = np.array(pairs).T
    split, answers = split_of(gold), {"predicted": predicted}
    for metric in METRICS:
        each = metric.each(split, answers)
        assert each.shape == gold.shape
        assert np.isfinite(each).all()
        assert each.mean() == pytest.approx(metric.score(split, answers), abs=1e-9)


@pytest.mark.parametrize("metric", [SPEARMAN, PEARSON], ids=lambda metric: metric.name)
@pytest.mark.parametrize("ties", [True, False])
def test_contributions_are_the_slope_of_a_weighted_score(metric, ties):
    """An item that stands there a thousand and first time among a thousand copies of the data moves the score by its slope."""
    gold, predicted = example(40, ties=ties)
    each = metric.each(split_of(gold), {"predicted": predicted})
    copies = 1000
    many, said = np.repeat(gold, copies), np.repeat(predicted, copies)
    score = metric.score(split_of(many), {"predicted": said})
    for item in range(0, 40, 7):
        more = metric.score(split_of(np.append(many, gold[item])), {"predicted": np.append(said, predicted[item])})
        assert (more - score) * copies * len(gold) == pytest.approx(each[item] - each.mean(), abs=2e-3)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("ties", [True, False])
def test_their_standard_error_is_near_that_of_a_bootstrap(metric, ties):
    gold, predicted = example(400, ties=ties)
    each = metric.each(split_of(gold), {"predicted": predicted})
    rows = np.random.default_rng(1).integers(0, len(gold), (800, len(gold)))
    drawn = [metric.score(split_of(gold[chosen]), {"predicted": predicted[chosen]}) for chosen in rows]
    assert each.std() / np.sqrt(len(gold)) == pytest.approx(np.std(drawn), rel=0.1)


@pytest.mark.parametrize(("gold", "predicted"), [([1.0, 2.0, 3.0], [2.5] * 3), ([2.0] * 3, [1.0, 2.0, 3.0]), ([0.1] * 3, [0.7] * 3)])
def test_what_never_varies_correlates_with_nothing(gold, predicted):
    for metric in (SPEARMAN, PEARSON):
        split, answers = split_of(gold), {"predicted": np.array(predicted)}
        assert metric.score(split, answers) == 0.0
        assert (metric.each(split, answers) == 0.0).all()


def test_units_and_an_offset_change_no_correlation():
    gold, predicted = example()
    for metric in (SPEARMAN, PEARSON):
        found = metric.each(split_of(gold), {"predicted": predicted})
        again = metric.each(split_of(1e6 + 1e-3 * gold), {"predicted": 1e8 * predicted - 5})
        np.testing.assert_allclose(found, again, atol=1e-6)


def test_ranks_are_the_middle_ones_of_ties():
    assert middle_ranks(np.array([3.0, 1.0, 3.0, 7.0])).tolist() == [0.5, 0.125, 0.5, 0.875]


def test_errors_are_in_the_units_of_the_data_and_lower_is_better():
    split, answers = split_of([0.0, 2.0, 5.0]), {"predicted": np.array([1.0, 2.0, 3.0])}
    assert MAE.score(split, answers) == pytest.approx(1.0)
    assert MSE.score(split, answers) == pytest.approx(5 / 3)
    assert MAE.lower_is_better
    assert MSE.lower_is_better
