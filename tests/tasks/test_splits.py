import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.ragged import Ragged
from acclimate.tasks.splits import budget_order, carve, units_of

labels_of = st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=1, max_size=200).map(np.array)


def alone(labels):
    return np.arange(len(labels))


@given(labels_of, st.integers(0, 5))
def test_a_split_is_stratified_to_the_nearest_example_and_leaves_some_of_every_class(labels, seed):
    held = carve(Ragged.single(labels), alone(labels), 0.2, seed, "test")
    for label in np.unique(labels):
        rows = labels == label
        assert abs(held[rows].sum() - 0.2 * rows.sum()) <= 0.5
        assert not held[rows].all()


def test_a_split_is_a_function_of_its_seed_and_name():
    labels = np.arange(100) % 3
    first = carve(Ragged.single(labels), alone(labels), 0.2, 0, "test")
    assert (first == carve(Ragged.single(labels), alone(labels), 0.2, 0, "test")).all()
    assert (first != carve(Ragged.single(labels), alone(labels), 0.2, 1, "test")).any()
    assert (first != carve(Ragged.single(labels), alone(labels), 0.2, 0, "dev")).any()


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(0, 12)), min_size=1, max_size=150), st.integers(0, 3))
def test_units_are_never_torn_apart(rows, seed):
    labels, units = (np.array(column) for column in zip(*rows, strict=True))
    held = carve(Ragged.single(labels), units, 0.3, seed, "test")
    for unit in np.unique(units):
        assert len(set(held[units == unit].tolist())) == 1


def test_a_grouped_split_is_close_to_its_share():
    labels = np.arange(1000) % 4
    held = carve(Ragged.single(labels), np.arange(1000) // 13, 0.2, 0, "test")
    assert 0.17 <= held.mean() <= 0.23


def test_rows_of_one_text_or_one_group_are_one_unit_by_any_chain():
    units = units_of(["a", "b", "a", "c", "d"], ["1", "2", "3", "3", "4"])
    assert units[0] == units[2] == units[3]
    assert len({units[0], units[1], units[4]}) == 3
    assert len(set(units_of(["a", "b"], None).tolist())) == 2


@given(labels_of, st.integers(0, 5))
def test_every_prefix_of_the_budget_order_is_stratified_and_has_every_class(labels, seed):
    order = budget_order(Ragged.single(labels), seed, "train")
    assert sorted(order.tolist()) == list(range(len(labels)))
    counts = np.bincount(labels)
    classes = (counts > 0).sum()
    for size in range(1, len(labels) + 1):
        taken = np.bincount(labels[order[:size]], minlength=len(counts))
        assert (taken > 0).sum() == min(size, classes)
        # The one example that each class is owed can push others back by as many.
        assert (np.abs(taken - size * counts / len(labels)) <= 1 + classes).all()


def test_budgets_differ_by_seed():
    labels = np.arange(100) % 2
    assert budget_order(Ragged.single(labels), 0, "train")[:20].tolist() != budget_order(Ragged.single(labels), 1, "train")[:20].tolist()
