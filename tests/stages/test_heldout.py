import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.windows import Windows
from acclimate.stages.heldout import hold_out


def windows(lengths):
    lengths = np.array(lengths, dtype=np.int32)
    return Windows(np.cumsum(lengths) - lengths, lengths, 0, 0)


DOCUMENTS = st.lists(st.lists(st.integers(1, 100), min_size=1, max_size=4), min_size=1, max_size=60)


@given(DOCUMENTS, st.floats(0.01, 0.5), st.integers(1, 500))
def test_every_window_is_either_trained_on_or_held_out_and_documents_are_not_torn(documents, share, most):
    whole = windows([length for document in documents for length in document])
    of = np.repeat(np.arange(len(documents)), [len(document) for document in documents])
    kept, held = hold_out(whole, of, share, most)
    assert sorted([*kept.start, *held.start]) == sorted(whole.start)
    assert len(kept) >= 1
    assert len(held) >= 1 or len(whole) == 1
    sides = [set(of[np.isin(whole.start, side.start)]) for side in (kept, held)]
    room = min(most, share * whole.tokens)
    assert held.tokens <= max(room, min(whole.length))
    if any(sum(document) <= room for document in documents):
        assert not sides[0] & sides[1]


def test_a_single_window_is_trained_on():
    kept, held = hold_out(windows([7]), np.array([0]), 0.5, 100)
    assert (len(kept), len(held)) == (1, 0)


def test_a_document_that_is_most_of_the_corpus_is_never_held_out():
    lengths = [1000] * 59 + [500_000]
    for most in (50_000, 10_000_000):
        _, held = hold_out(windows(lengths), np.arange(60), 0.02, most)
        assert 0 < held.tokens <= 0.02 * sum(lengths)


def test_few_documents_give_windows_instead_of_one_of_them():
    kept, held = hold_out(windows([10] * 100), np.repeat([0, 1], 50), 0.05, 1000)
    assert (len(kept), len(held)) == (95, 5)


def test_the_same_windows_are_held_out_every_time():
    first, second = (hold_out(windows(range(1, 60)), np.arange(59), 0.1, 1000)[1] for _ in range(2))
    assert first.start.tolist() == second.start.tolist()
