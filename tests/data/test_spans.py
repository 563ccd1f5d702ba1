"""Spans: runs of whole words of geometric lengths, never across sequences or special tokens, as many as the rate says; changing rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.test_masking import CLS, MASK, RATES, SEP, SEQUENCES, SPECIAL, WORD_START, V, batch_of, random_batch, words_of

from acclimate.data.batches import Batch, TokenOrder
from acclimate.data.masking import LONGEST_SPAN, mask_tokens
from acclimate.data.ragged import Ragged
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import sliding
from acclimate.objectives.mlm import MaskedText, Vocabulary, heldout_batches
from acclimate.randomness import generator


def mask(batch: Batch, rate: float = 0.15, seed: int = 0) -> Batch:
    rng = generator(seed, "mask")
    return mask_tokens(batch, rate=rate, vocabulary_size=V, mask_id=MASK, special=SPECIAL, rng=rng, word_start=WORD_START, spans=True)


def runs(index: np.ndarray) -> list[np.ndarray]:
    """Positions that stand next to each other."""
    return np.split(index, np.flatnonzero(np.diff(index) > 1) + 1) if len(index) else []


@settings(max_examples=60)
@given(SEQUENCES, RATES, st.integers(0, 1000))
def test_spans_are_whole_words_and_no_special_token(sequences: list[list[int]], rate: float, seed: int) -> None:
    batch = batch_of(sequences)
    masked = mask(batch, rate, seed)
    index = masked.targets["target_index"]
    chosen = set(index.tolist())
    assert not SPECIAL[batch.input_ids[index]].any()
    assert masked.targets["target_ids"].tolist() == batch.input_ids[index].tolist()
    for word in words_of(batch):
        assert word <= chosen or not word & chosen
    assert bool(chosen) == bool((~SPECIAL[batch.input_ids]).any())
    again = mask(batch, rate, seed)
    assert again.input_ids.tolist() == masked.input_ids.tolist()


def test_a_span_shares_its_fate_and_ends_with_its_sequence() -> None:
    words = list(range(6, V, 3))  # each a word
    batch = batch_of([[CLS, *words, SEP]] * 200)
    masked = mask(batch, 0.05, 3)
    shares_fate = 0
    for run in runs(masked.targets["target_index"]):
        assert len(set(np.searchsorted(batch.offsets, run, side="right").tolist())) == 1
        assert len(run) <= 3 * LONGEST_SPAN  # neighbours may both be chosen, if rarely
        now = masked.input_ids[run]
        shares_fate += len(run) > 1 and (now == MASK).all()
    assert shares_fate > 20
    # Without special tokens between them, too.
    bare = batch_of([[6, 9], [6, 9], [6, 9]])
    together = {tuple(mask(bare, 0.01, seed).targets["target_index"].tolist()) for seed in range(80)}
    assert together <= {(0,), (1,), (0, 1), (2,), (3,), (2, 3), (4,), (5,), (4, 5)}
    assert (0, 1) in together


def test_lengths_are_geometric_and_at_most_ten_words() -> None:
    words = list(range(6, V, 3)) * 20
    found = []
    for seed in range(60):
        found += [len(run) for run in runs(mask(batch_of([[CLS, *words, SEP]]), 0.004, seed).targets["target_index"])]
    assert max(found) <= LONGEST_SPAN
    assert np.mean(found) == pytest.approx(3.8, abs=0.9)
    assert found.count(1) > found.count(4)


@settings(max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from([0.15, 0.3, 0.5]))
def test_the_rate_is_met_on_average(seed: int, rate: float) -> None:
    batch = random_batch(30, 60, seed)
    chosen = [len(mask(batch, rate, seed * 100 + number).targets["target_index"]) for number in range(12)]
    assert np.mean(chosen) / (30 * 60) == pytest.approx(rate, rel=0.03)


@pytest.fixture
def text(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = {word: number for number, word in enumerate(["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]", *map(str, range(50))])}
    tokenizer = Tokenizer(models.WordLevel(letters, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    texts = [" ".join(map(str, generator(number, "text").integers(0, 50, 40))) for number in range(50)]
    return TokenStore.build(tmp_path / "store", iter(texts), tokenizer, "key"), tokenizer


def test_the_rate_goes_in_equal_steps_from_the_first_to_the_last_and_evaluation_stays_as_it_is(text):
    store, tokenizer = text
    windows = sliding(store, 40)
    spans, pieces = (Vocabulary.of(tokenizer, whole_word=False, spans=each) for each in (True, False))
    order = TokenOrder(windows.length, 400, 0)
    made = MaskedText(store, windows, order, pieces, 0.4, 0, last_rate=0.1, steps=11)
    assert [made.rate_at(step) for step in (0, 5, 10, 20)] == pytest.approx([0.4, 0.25, 0.1, 0.1])
    shares = [made.count(batch) / len(batch.input_ids) for batch in map(made.batch, range(11))]
    assert shares == pytest.approx(np.linspace(0.4, 0.1, 11).tolist(), abs=0.005)
    constant = MaskedText(store, windows, order, pieces, 0.4, 0)
    assert np.array_equal(constant.batch(0).input_ids, made.batch(0).input_ids)
    held = [heldout_batches(store, windows, vocabulary, 400) for vocabulary in (spans, pieces)]
    assert all(np.array_equal(one.input_ids, other.input_ids) for one, other in zip(*held, strict=True))
    count = sum(len(batch.targets["target_ids"]) for batch in held[0])
    assert count / Ragged(store.tokens, store.offsets).offsets[-1] == pytest.approx(0.15, abs=0.001)
