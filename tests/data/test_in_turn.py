"""Texts one after another, and general text beside others: pure functions of seed and step, the shares as they were asked for."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.batches import RampedOrder, TokenOrder
from acclimate.data.in_turn import InTurn, Part, Replayed

LENGTHS = np.random.default_rng(0).integers(3, 17, 200)
GENERAL = np.random.default_rng(1).integers(3, 17, 60)


def turns(steps=(10, 20), seed=0):
    first, second = LENGTHS[:80], LENGTHS[80:]
    parts = [
        Part(TokenOrder(first, 64, seed), 0, int(first.sum()), steps[0]),
        Part(TokenOrder(second, 64, seed), 80, int(second.sum()), steps[1]),
    ]
    return InTurn(parts)


def test_one_is_read_after_another_and_the_last_goes_on():
    order = turns()
    read = [order.batch(step) for step in range(40)]
    assert max(np.concatenate(read[:10])) < 80 <= min(np.concatenate(read[10:]))
    epoch = TokenOrder(LENGTHS[:80], 64, 0).batches_per_epoch
    assert order.steps == 30
    assert sorted(np.concatenate([turns((epoch, 1)).batch(step) for step in range(epoch)])) == list(range(80))


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 0.9), st.integers(0, 2**31), st.integers(1, 60))
def test_replay_is_a_share_of_the_tokens_and_a_pure_function_of_seed_and_step(share, seed, step):
    order = Replayed(turns(), GENERAL, 200, share, seed)
    lengths = np.concatenate([LENGTHS, GENERAL])
    own = general = 0
    for each in range(60):
        indices = order.batch(each)
        own += lengths[indices[indices < 200]].sum()
        general += lengths[indices[indices >= 200]].sum()
        assert np.array_equal(indices[indices < 200], turns().batch(each))
    assert general / (own + general) == pytest.approx(share, abs=32 / own)  # but for a sequence of each
    again = Replayed(turns(), GENERAL, 200, share, seed)
    assert np.array_equal(again.batch(step), order.batch(step))


def test_general_text_is_read_whole_before_it_is_read_again_and_in_another_order():
    order = Replayed(turns(), GENERAL, 200, 0.5, 7)
    read = [int(index) for step in range(60) for index in order.batch(step) if index >= 200]
    whole = len(GENERAL)
    assert len(read) > 2 * whole
    first, second = read[:whole], read[whole : 2 * whole]
    assert Counter(first) == Counter(second) == Counter(range(200, 260))
    assert first != second


def test_batches_that_grow_replay_as_much():
    order = RampedOrder(Replayed(turns(), GENERAL, 200, 0.25, 7), 4, 4)
    lengths = np.concatenate([LENGTHS, GENERAL])
    read = np.concatenate([order.batch(step) for step in range(8)])
    assert lengths[read[read >= 200]].sum() / lengths[read].sum() == pytest.approx(0.25, abs=0.02)
