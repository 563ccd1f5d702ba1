import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.held_out import SHORTEST, hold_out
from acclimate.data.windows import within


def offsets(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def tokens(stretches):
    return [token for begin, length in zip(*stretches, strict=True) for token in range(begin, begin + length)]


DOCUMENTS = st.lists(st.integers(0, 2000), min_size=1, max_size=60).filter(any)


@given(DOCUMENTS, st.floats(0.01, 0.5), st.integers(1, 500))
def test_every_token_is_either_trained_on_or_held_out_and_documents_are_not_torn(lengths, share, most):
    kept, held = hold_out(offsets(lengths), share, most)
    assert sorted(tokens(kept) + tokens(held)) == list(range(sum(lengths)))
    assert kept.tokens >= 1
    room = min(most, share * sum(lengths))
    whole = [length for length in lengths if length]
    if any(length <= room for length in whole) and len(whole) > 1:
        assert 0 < held.tokens <= room
        assert set(held.begin) <= set(offsets(lengths))
        assert set(held.begin + held.length) <= set(offsets(lengths))
    elif sum(lengths) > SHORTEST or len(whole) > 1:
        assert 0 < held.tokens <= max(room, SHORTEST)


@given(DOCUMENTS, st.floats(0.01, 0.5))
def test_no_stretch_crosses_documents_and_none_is_cut_without_need(lengths, share):
    sides = hold_out(offsets(lengths), share, 10**6)
    ends = set(offsets(lengths))
    held = {int(edge) for begin, length in zip(*sides[1], strict=True) for edge in (begin, begin + length)}
    for begin, length in zip(*sides[0], strict=True):
        assert not ends & set(range(begin + 1, begin + length))
        assert {int(begin), int(begin + length)} <= ends | held


def test_a_single_short_document_is_trained_on():
    kept, held = hold_out(offsets([7]), 0.5, 100)
    assert (kept.tokens, held.tokens) == (7, 0)


def test_no_text_is_split_into_nothing():
    assert [side.tokens for side in hold_out(offsets([0, 0]), 0.5, 100)] == [0, 0]


def test_a_document_that_is_most_of_the_corpus_is_never_held_out():
    lengths = [1000] * 59 + [500_000]
    for most in (50_000, 10_000_000):
        _, held = hold_out(offsets(lengths), 0.02, most)
        assert 0 < held.tokens <= 0.02 * sum(lengths)


@pytest.mark.parametrize(("share", "stretches"), [(0.05, 1), (0.2, 4)])
def test_few_documents_give_stretches_instead_of_one_of_them(share, stretches):
    kept, held = hold_out(offsets([5000, 5000]), share, 10_000)
    assert held.length.tolist() == [500] * stretches  # of 512 at most, and all of one length
    assert kept.tokens == 10_000 - 500 * stretches
    assert len(kept.begin) <= 2 + stretches


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=20), st.integers(1, 200), st.integers(1, 200))
def test_longer_windows_are_judged_on_nothing_that_shorter_ones_have_learned(lengths, shorter, longer):
    sides = {room: [within(*side, room) for side in hold_out(offsets(lengths), 0.02, 1000)] for room in (shorter, longer)}
    learned, judged = (tokens((side.start, side.length)) for side in (sides[shorter][0], sides[longer][1]))
    assert not set(learned) & set(judged)


@given(DOCUMENTS, st.data(), st.floats(0.01, 0.5))
def test_what_belongs_together_is_held_out_together(lengths, data, share):
    units = np.array(data.draw(st.lists(st.integers(0, 20), min_size=len(lengths), max_size=len(lengths))))
    kept, held = hold_out(offsets(lengths), share, 10**6, units)
    assert sorted(tokens(kept) + tokens(held)) == list(range(sum(lengths)))
    sizes, room = np.bincount(units, lengths), share * sum(lengths)
    unit_of = np.repeat(units, lengths)
    if any(0 < size <= room for size in sizes):
        assert 0 < held.tokens <= room
        assert not {unit_of[token] for token in tokens(held)} & {unit_of[token] for token in tokens(kept)}


@given(DOCUMENTS, st.floats(0.01, 0.5), st.integers(1, 500))
def test_documents_that_stand_by_themselves_are_held_out_as_without_groups(lengths, share, most):
    plain, apart = hold_out(offsets(lengths), share, most), hold_out(offsets(lengths), share, most, np.arange(len(lengths)))
    for one, other in zip(plain, apart, strict=True):
        assert tokens(one) == tokens(other)
