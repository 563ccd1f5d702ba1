"""Deleting words from texts: whole words, a share of them, one stays, and the whole text stands in the targets."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.batches import TARGET_INDEX, assemble
from acclimate.data.deleted_words import WHOLE, kept_tokens, without
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import within
from acclimate.randomness import generator

STARTS = np.arange(20) % 3 == 0  # [V] every third entry begins a word; the others go on with one
TEXTS = st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=12), min_size=1, max_size=6)


def words_of(text):
    """The words of a text, each as its places."""
    found = []
    for place, token in enumerate(text):
        if place == 0 or STARTS[token]:
            found.append([])
        found[-1].append(place)
    return found


@settings(max_examples=25, deadline=None)
@given(TEXTS, st.floats(0, 0.99), st.integers(0, 5))
def test_words_go_whole_and_at_least_one_of_every_text_stays(texts, share, seed):
    ids, offsets = np.concatenate([np.array(text) for text in texts]), offsets_of(np.array([len(text) for text in texts]))
    kept = kept_tokens(ids, offsets, STARTS, share, generator("deleted", seed))
    assert len(kept) == len(ids)
    for text, stays in zip(texts, np.split(kept, offsets[1:-1]), strict=True):
        assert all(len({bool(stays[place]) for place in word}) == 1 for word in words_of(text))
        assert stays.any()
        assert stays.all() or share


def test_the_share_of_words_is_deleted_and_what_alone_stays_is_any_word():
    ids, offsets = np.zeros(20_000, dtype=np.int64), offsets_of(np.full(1000, 20))
    assert abs(kept_tokens(ids, offsets, STARTS, 0.6, generator("share")).mean() - 0.4) < 0.02
    alone = kept_tokens(ids[:6000], offsets_of(np.full(2000, 3)), STARTS, 0.999, generator("alone")).reshape(-1, 3)
    assert (alone.sum(1) == 1).mean() > 0.99
    assert np.abs(alone.mean(0) - 1 / 3).max() < 0.05


@settings(max_examples=20, deadline=None)
@given(TEXTS, st.integers(0, 1), st.integers(0, 1), st.integers(0, 5))
def test_a_batch_keeps_what_stays_and_its_targets_hold_the_whole_texts(texts, prefix, suffix, seed):
    store = TokenStore(np.concatenate([np.array(text, np.uint16) for text in texts]), offsets_of(np.array([len(text) for text in texts])))
    windows = within(store.offsets[:-1], np.diff(store.offsets), 12)
    whole = assemble(store, windows, np.arange(len(texts)), (18,) * prefix, (19,) * suffix)
    kept = kept_tokens(store.tokens, store.offsets, STARTS, 0.6, generator("any", seed))
    batch = without(whole, prefix, suffix, kept)
    for number, (text, stays) in enumerate(zip(texts, np.split(kept, store.offsets[1:-1]), strict=True)):
        one = batch.select(np.array([number]))  # as a micro-batch would have it
        left = [token for token, stay in zip(text, stays, strict=True) if stay]
        assert one.input_ids.tolist() == [18] * prefix + left + [19] * suffix
        assert one.targets[WHOLE].tolist() == [*text, *[19] * suffix]
        assert not one.targets[TARGET_INDEX].any()
