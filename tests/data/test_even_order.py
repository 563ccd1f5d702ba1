"""Every example once an epoch, in batches of nearly one size; of classes, two and two."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.even_order import CoupledOrder, EvenOrder

CLASSES = st.lists(st.integers(0, 5), min_size=1, max_size=60)


@settings(max_examples=25)
@given(classes=CLASSES, size=st.integers(4, 20), epoch=st.integers(0, 2), coupled=st.booleans())
def test_an_epoch_has_each_example_once_and_no_batch_is_small(classes, size, epoch, coupled):
    n = len(classes)
    order = CoupledOrder(np.array(classes), size, 3) if coupled else EvenOrder(n, size, 3)
    batches = [order.batch(epoch * order.batches_per_epoch + step) for step in range(order.batches_per_epoch)]
    assert sorted(np.concatenate(batches).tolist()) == list(range(n))
    lengths = [len(batch) for batch in batches]
    assert max(lengths) <= size + coupled
    assert max(lengths) - min(lengths) <= (3 if coupled else 1)


@settings(max_examples=25)
@given(classes=CLASSES, size=st.integers(4, 20))
def test_none_is_alone_of_its_class_in_a_batch_whose_class_has_two(classes, size):
    classes = np.array(classes)
    order = CoupledOrder(classes, size, 3)
    counts = np.bincount(classes)
    for step in range(order.batches_per_epoch):
        here = classes[order.batch(step)]
        assert all(counts[each] == 1 or (here == each).sum() > 1 for each in here)


@pytest.mark.parametrize("make", [lambda seed: EvenOrder(30, 8, seed), lambda seed: CoupledOrder(np.arange(30) % 3, 8, seed)])
def test_epochs_and_seeds_differ_and_a_step_is_the_same_again(make):
    first = make(0)
    epochs = [np.concatenate([first.batch(epoch * 4 + step) for step in range(4)]).tolist() for epoch in range(2)]
    assert epochs[0] != epochs[1]
    assert make(1).batch(0).tolist() != first.batch(0).tolist()
    assert make(0).batch(5).tolist() == first.batch(5).tolist()
