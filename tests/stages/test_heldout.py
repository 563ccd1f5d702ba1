import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.windows import Windows
from acclimate.stages.heldout import hold_out


def windows(lengths):
    lengths = np.array(lengths, dtype=np.int32)
    return Windows(np.cumsum(lengths) - lengths, lengths, 0, 0)


@given(st.lists(st.integers(1, 100), min_size=2, max_size=80), st.floats(0.01, 0.5), st.integers(1, 500))
def test_every_window_is_either_trained_on_or_held_out(lengths, share, most):
    whole = windows(lengths)
    kept, held = hold_out(whole, share, most)
    assert sorted([*kept.start, *held.start]) == sorted(whole.start)
    assert len(kept) >= 1
    assert len(held) >= 1
    # One window may be longer than what is granted; more than one may not.
    assert len(held) == 1 or held.tokens <= most


def test_a_single_window_is_trained_on():
    kept, held = hold_out(windows([7]), 0.5, 100)
    assert (len(kept), len(held)) == (1, 0)


def test_the_same_windows_are_held_out_every_time():
    first, second = (hold_out(windows(range(1, 60)), 0.1, 1000)[1] for _ in range(2))
    assert first.start.tolist() == second.start.tolist()
