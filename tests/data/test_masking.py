"""Masking takes the stated share of the tokens, 80/10/10, never a special one, and whole words when asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.batches import Batch
from acclimate.data.masking import LONGEST_WORD, mask_tokens
from acclimate.randomness import generator

V, MASK, CLS, SEP, UNK = 60, 3, 1, 2, 4
SPECIAL = np.arange(V) < 5
WORD_START = np.arange(V) % 3 == 0  # with SPECIAL: of the tokens 5..59 every third begins a word


def batch_of(sequences: list[list[int]]) -> Batch:
    lengths = [len(ids) for ids in sequences]
    return Batch(
        input_ids=np.array([token for ids in sequences for token in ids], dtype=np.int64),
        position_ids=np.array([i for n in lengths for i in range(n)], dtype=np.int64),
        offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
        targets={"labels": np.arange(len(sequences))},
    )


def mask(batch: Batch, rate: float = 0.15, seed: int = 0, word_start: np.ndarray | None = None, special: np.ndarray = SPECIAL) -> Batch:
    return mask_tokens(
        batch, rate=rate, vocabulary_size=V, mask_id=MASK, special=special, rng=generator(seed, "mask"), word_start=word_start
    )


def random_batch(sequences: int, length: int, seed: int = 0) -> Batch:
    text = generator(seed, "text").integers(5, V, size=(sequences, length))
    return batch_of([[CLS, *row, SEP] for row in text.tolist()])


def words_of(batch: Batch, special: np.ndarray = SPECIAL) -> list[set[int]]:
    """The positions of each word, found one token after the other."""
    words: list[set[int]] = []
    for begin, end in zip(batch.offsets[:-1].tolist(), batch.offsets[1:].tolist(), strict=True):
        new = True
        for position in range(begin, end):
            token = batch.input_ids[position]
            if special[token]:
                new = True
                continue
            if new or WORD_START[token]:
                words.append(set())
            words[-1].add(position)
            new = False
    return words


SEQUENCES = st.lists(st.lists(st.integers(0, V - 1), max_size=25).map(lambda ids: [CLS, *ids, SEP]), min_size=1, max_size=6)
RATES = st.sampled_from([0.05, 0.15, 0.3, 1.0])


@given(SEQUENCES, RATES, st.integers(0, 1000), st.booleans())
def test_only_chosen_tokens_change_and_no_special_one_is_chosen(sequences: list[list[int]], rate: float, seed: int, whole: bool) -> None:
    batch = batch_of(sequences)
    before = batch.input_ids.copy()
    masked = mask(batch, rate, seed, WORD_START if whole else None)
    index = masked.targets["target_index"]
    assert (np.diff(index) > 0).all()
    assert not SPECIAL[before[index]].any()
    assert masked.targets["target_ids"].tolist() == before[index].tolist()
    elsewhere = np.delete(np.arange(batch.tokens), index)
    assert masked.input_ids[elsewhere].tolist() == before[elsewhere].tolist()
    # No replacement is special but [MASK], the batch that came in is as it was, and its own targets are still there.
    assert not SPECIAL[masked.input_ids[index][masked.input_ids[index] != MASK]].any()
    assert batch.input_ids.tolist() == before.tolist()
    assert masked.targets["labels"].tolist() == batch.targets["labels"].tolist()
    assert len(index) >= min(1, (~SPECIAL[before]).sum())


@given(SEQUENCES, RATES, st.integers(0, 1000))
def test_single_tokens_are_chosen_at_exactly_the_rate_of_the_text(sequences: list[list[int]], rate: float, seed: int) -> None:
    batch = batch_of(sequences)
    text = int((~SPECIAL[batch.input_ids]).sum())
    assert len(mask(batch, rate, seed).targets["target_index"]) == (max(1, round(rate * text)) if text else 0)


@given(SEQUENCES, RATES, st.integers(0, 1000))
def test_whole_words_are_chosen_completely_or_not_at_all(sequences: list[list[int]], rate: float, seed: int) -> None:
    batch = batch_of(sequences)
    chosen = set(mask(batch, rate, seed, WORD_START).targets["target_index"].tolist())
    for word in words_of(batch):
        assert word <= chosen or not word & chosen


@pytest.mark.parametrize("whole", [False, True])
def test_fates_are_80_10_10(whole: bool) -> None:
    batch = random_batch(500, 200)
    masked = mask(batch, 0.3, 1, WORD_START if whole else None)
    index, original = masked.targets["target_index"], masked.targets["target_ids"]
    now = masked.input_ids[index]
    # A random token is the original one in 1 of the 55 cases.
    assert (now == MASK).mean() == pytest.approx(0.8, abs=0.015)
    assert (now == original).mean() == pytest.approx(0.1 + 0.1 / 55, abs=0.01)
    replaced = now[(now != MASK) & (now != original)]
    assert replaced.size / len(index) == pytest.approx(0.1 - 0.1 / 55, abs=0.01)
    assert set(replaced.tolist()) == set(range(5, V))  # all of the vocabulary but special tokens


def test_whole_words_hold_the_rate_in_the_mean_at_any_size() -> None:
    for sequences, draws in ((1, 3000), (20, 200)):
        batch = random_batch(sequences, 40)
        chosen = sum(len(mask(batch, 0.15, seed, WORD_START).targets["target_index"]) for seed in range(draws))
        assert chosen / draws / (40 * sequences) == pytest.approx(0.15, rel=0.04)


def test_every_position_is_equally_likely() -> None:
    batch = random_batch(1, 20)
    counts = np.zeros(batch.tokens)
    for seed in range(4000):
        counts[mask(batch, 0.15, seed).targets["target_index"]] += 1
    assert counts[[0, -1]].tolist() == [0, 0]
    assert (counts[1:-1] / 4000).tolist() == pytest.approx([0.15] * 20, abs=0.03)


def test_masks_are_a_pure_function_of_the_generators_key() -> None:
    batch = random_batch(4, 30)
    one, same, other = mask(batch, seed=1), mask(batch, seed=1), mask(batch, seed=2)
    assert one.input_ids.tolist() == same.input_ids.tolist()
    assert one.targets["target_index"].tolist() == same.targets["target_index"].tolist()
    assert one.targets["target_index"].tolist() != other.targets["target_index"].tolist()


def test_a_batch_of_special_tokens_has_no_targets() -> None:
    masked = mask(batch_of([[CLS, SEP], [CLS, UNK, SEP]]), word_start=WORD_START)
    assert masked.targets["target_index"].tolist() == masked.targets["target_ids"].tolist() == []


def test_an_unknown_token_parts_words() -> None:
    # 6 begins a word, 7 would continue it, but [UNK] stands between.
    batch = batch_of([[CLS, 6, 7, UNK, 7, 7, SEP]])
    seen = {tuple(mask(batch, 0.01, seed, WORD_START).targets["target_index"].tolist()) for seed in range(50)}
    assert seen == {(1, 2), (4, 5)}


def test_words_do_not_cross_sequences_without_special_tokens() -> None:
    batch = batch_of([[6, 7], [], [7, 7]])
    seen = {tuple(mask(batch, 0.01, seed, WORD_START).targets["target_index"].tolist()) for seed in range(50)}
    assert seen == {(0, 1), (2, 3)}


def test_a_script_without_spaces_is_masked_token_by_token() -> None:
    run = [7] * (LONGEST_WORD * 10)
    batch = batch_of([[CLS, *run, SEP], [CLS, 6, 7, 7, SEP]])
    chosen = mask(batch, 0.15, 0, WORD_START).targets["target_index"]
    assert len(chosen) == pytest.approx(0.15 * (len(run) + 3), abs=2)
    short = batch_of([[CLS, *[7] * LONGEST_WORD, SEP]])
    assert len(mask(short, 0.15, 0, WORD_START).targets["target_index"]) == LONGEST_WORD


def test_ids_above_the_tokenizers_vocabulary_are_never_drawn() -> None:
    # A model's table is often padded; `special` covers the tokenizer's part only.
    masked = mask_tokens(
        random_batch(100, 50), rate=1.0, vocabulary_size=V + 64, mask_id=MASK, special=SPECIAL, rng=generator(0), word_start=None
    )
    assert masked.input_ids.max() < V
