"""An order by classes keeps to its shares in every epoch, passes over each class, and is a pure function of (seed, step)."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.batches import CountOrder
from acclimate.data.class_order import BLOCK, ClassOrder
from acclimate.objectives.sampler import shares_of

COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=6)
HOW = st.sampled_from(["balanced", "square_root"])


def classes_of(counts: list[int]) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


def read(order: CountOrder, epochs: int) -> list[list[int]]:
    batches = order.batches_per_epoch
    return [[row for step in range(batches) for row in order.batch(batches * epoch + step).tolist()] for epoch in range(epochs)]


@settings(max_examples=25)
@given(COUNTS, HOW, st.integers(0, 5))
def test_every_class_has_its_share_of_every_epoch_to_less_than_one_text(counts, how, seed):
    classes, shares = classes_of(counts), shares_of(how, np.array(counts))
    epochs = read(ClassOrder(classes, shares, 4, seed), 4)
    for epoch in epochs:
        assert len(epoch) == len(classes), "an epoch is as long as ever"
        assert (np.abs(np.bincount(classes[epoch], minlength=len(counts)) - shares * len(classes)) < 1 + 1e-9).all()


def test_what_is_rounded_in_one_epoch_is_made_up_for_in_others():
    classes = classes_of([3, 30, 7])
    epochs = read(ClassOrder(classes, shares_of("balanced", np.array([3, 30, 7])), 4, 0), 30)
    assert np.bincount(classes[[*chain(*epochs)]]) == pytest.approx(400, abs=2)


@settings(max_examples=25)
@given(COUNTS, HOW, st.integers(0, 5))
def test_every_text_of_a_class_comes_once_before_any_comes_twice(counts, how, seed):
    classes = classes_of(counts)
    seen = [Counter(dict.fromkeys(np.flatnonzero(classes == number).tolist(), 0)) for number in range(len(counts))]
    for row in chain(*read(ClassOrder(classes, shares_of(how, np.array(counts)), 4, seed), 5)):
        of_class = seen[classes[row]]
        assert of_class[row] == min(of_class.values())
        of_class[row] += 1


def test_a_step_is_the_same_whichever_was_asked_before_it_and_differs_between_seeds():
    classes = classes_of([3, 30, 7])
    shares = shares_of("balanced", np.array([3, 30, 7]))
    order = ClassOrder(classes, shares, 4, 1)
    straight = [order.batch(step).tolist() for step in range(60)]
    for first in (59, 31, 7, 0, 40):
        assert order.batch(first).tolist() == straight[first]
        assert ClassOrder(classes, shares, 4, 1).batch(first).tolist() == straight[first]
    assert ClassOrder(classes, shares, 4, 2).batch(0).tolist() != straight[0]


def test_a_rare_class_is_passed_over_beyond_one_block_of_draws():
    classes = np.array([0] * 3 + [1] * (3 * BLOCK))
    (epoch,) = read(ClassOrder(classes, np.array([0.5, 0.5]), 16, 0), 1)
    rare = [row for row in epoch if row < 3]
    assert len(rare) == pytest.approx(1.5 * BLOCK, abs=2)
    assert all(sorted(rare[at : at + 3]) == [0, 1, 2] for at in range(0, len(rare) - 3, 3))
    assert len({tuple(rare[at : at + 3]) for at in range(0, len(rare) - 3, 3)}) == 6, "passes are in different orders"


def test_square_root_lies_between_the_data_and_balance():
    assert shares_of("balanced", np.array([1, 9])).tolist() == [0.5, 0.5]
    assert shares_of("square_root", np.array([1, 9])).tolist() == [0.25, 0.75]
