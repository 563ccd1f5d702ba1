"""Splits and budgets of rows with several labels: every label has its share, the rare ones above all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.tasks.multilabel import Multilabel
from acclimate.tasks.splits import budget_order, carve

KIND = Multilabel(path=".")


@st.composite
def flagged(draw, least=1):
    """Flags [N, L], and with them a column of the rows that have none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shares = rng.random(draw(st.integers(2, 8))) ** draw(st.integers(1, 5))
    flags = rng.random((draw(st.integers(least, 200)), len(shares))) < shares
    return flags, np.concatenate([flags, ~flags.any(axis=1, keepdims=True)], axis=1)


@given(flagged(), st.floats(0.05, 0.5), st.integers(0, 3))
def test_every_stratum_keeps_a_row_and_a_label_with_one_example_stays(case, share, seed):
    flags, whole = case
    held = carve(KIND.strata(flags), np.arange(len(flags)), share, seed, "test")
    counts = whole.sum(axis=0)
    assert (whole[~held].sum(axis=0)[counts > 0] > 0).all()


@given(flagged(least=50), st.integers(0, 3))
def test_the_shares_of_labels_in_a_split_are_those_of_the_whole(case, seed):
    flags, whole = case
    held = carve(KIND.strata(flags), np.arange(len(flags)), 0.2, seed, "test")
    # What rarer labels have taken may leave a frequent one a few rows away, and no more than these.
    off = np.abs(whole[held].sum(axis=0) - 0.2 * whole.sum(axis=0))
    assert off.max() <= max(4.0, 0.07 * len(flags))
    assert abs(held.mean() - 0.2) <= max(0.06, 4 / len(flags))


def test_a_thousand_texts_are_split_to_the_nearest_of_each_label():
    rng = np.random.default_rng(0)
    flags = rng.random((1000, 5)) < [0.5, 0.3, 0.05, 0.01, 0.003]
    whole = np.concatenate([flags, ~flags.any(axis=1, keepdims=True)], axis=1)
    for seed in range(3):
        held = carve(KIND.strata(flags), np.arange(1000), 0.2, seed, "test")
        assert np.abs(whole[held].sum(axis=0) - 0.2 * whole.sum(axis=0)).max() <= 1.0


@given(flagged(), st.integers(1, 12), st.integers(0, 3))
def test_groups_of_several_labels_are_never_torn_apart(case, groups, seed):
    flags, _ = case
    units = np.random.default_rng(seed).integers(0, groups, len(flags))
    held = carve(KIND.strata(flags), units, 0.3, seed, "test")
    assert all(len(set(held[units == unit].tolist())) == 1 for unit in np.unique(units))


def test_a_grouped_split_of_sets_is_close_to_its_share():
    rng = np.random.default_rng(0)
    flags = rng.random((1000, 4)) < [0.5, 0.3, 0.1, 0.05]
    held = carve(KIND.strata(flags), np.arange(1000) // 13, 0.2, 0, "test")
    assert 0.15 <= held.mean() <= 0.25
    assert flags[held].mean(axis=0) == pytest.approx(flags.mean(axis=0), abs=0.06)


@given(flagged(), st.integers(0, 3))
def test_every_prefix_of_a_budget_has_its_share_of_each_label(case, seed):
    flags, whole = case
    order = budget_order(KIND.strata(flags), seed, "train")
    assert sorted(order.tolist()) == list(range(len(flags)))
    taken = np.cumsum(whole[order], axis=0)
    sizes = np.arange(1, len(flags) + 1)[:, None]
    # The one row that each stratum is owed, and rows that count for a rarer label than this one.
    assert (np.abs(taken - sizes * whole.mean(axis=0)) <= 2 + whole.shape[1] + 1.5 * np.sqrt(sizes)).all()


def test_a_label_with_one_example_is_in_the_smallest_budget_that_holds_one_row_of_each():
    flags = np.zeros((100, 3), dtype=bool)
    flags[:50, 0] = flags[50:, 1] = flags[7, 2] = True
    for seed in range(5):
        assert 7 in budget_order(KIND.strata(flags), seed, "train")[:3]
