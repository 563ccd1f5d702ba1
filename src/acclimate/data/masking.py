"""Masked language modelling's corruption of a batch, drawn anew each time a text is seen; and groups in which each token is masked once."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import xxhash

from acclimate.data.batches import Batch
from acclimate.data.ragged import IntArray
from acclimate.randomness import generator

MASKED, RANDOM = 0.8, 0.1  # of the chosen tokens; the rest stays as it is
# A longer run of pieces without a word's beginning is no word (a script without spaces, base64): its pieces are chosen one by one.
LONGEST_WORD = 32
GEOMETRIC, LONGEST_SPAN = 0.2, 10  # how long a span is, in words (Joshi et al. 2020, section 3.1): 3.8 on average
GROUPS = 7  # of a text that is asked for every token once: 14 % of them are masked together


def mask_tokens(
    batch: Batch,
    *,
    rate: float,
    vocabulary_size: int,
    mask_id: int,
    special: npt.NDArray[np.bool_],
    rng: np.random.Generator,
    word_start: npt.NDArray[np.bool_] | None = None,
    spans: bool = False,
) -> Batch:
    """Choose `rate` of the batch's non-special tokens as targets; 80 % of them become `mask_id`, 10 % a random token, 10 % stay.

    Single tokens: exactly `rate` of them, rounded, at least one. With `word_start` [V] whole words are chosen, as many as give
    `rate` of the tokens in the mean, at least one word; with `spans` runs of one to ten words, their lengths drawn from a geometric
    distribution, within one sequence and between special tokens, and the tokens of a span share their fate. `special` [V] marks ids that
    are never chosen and never drawn as replacements. The result has the targets `target_index` [M] (ascending, into T) and `target_ids` [M]
    (the original tokens); M is 0 only where all tokens are special.

    Source: Devlin et al. 2019, section 3.1; whole words as in the authors' later release of BERT; spans: Joshi et al. 2020 (SpanBERT).
    """
    assert 0 < rate <= 1
    assert word_start is not None or not spans
    ids = batch.input_ids
    candidates = np.flatnonzero(~special[ids])
    if not len(candidates):
        chosen = candidates
    elif word_start is None:
        # An exact number, not a coin for each token: the loss of every step is a mean over the same count.
        chosen = np.sort(rng.choice(candidates, size=max(1, round(rate * len(candidates))), replace=False, shuffle=False))
    else:
        units = _words(batch, candidates, special, word_start)
        units = _spans(batch, candidates, units, rng) if spans else units
        taken = _chosen_units(units, rate, rng)
        chosen = candidates[taken]
    # A token by itself, or all of a span together.
    fate = rng.random(len(chosen)) if not spans or not len(chosen) else rng.random(int(units.max()) + 1)[units[taken]]
    corrupted = ids.copy()
    corrupted[chosen[fate < MASKED]] = mask_id
    replaced = chosen[(fate >= MASKED) & (fate < MASKED + RANDOM)]
    if len(replaced):
        corrupted[replaced] = rng.choice(np.flatnonzero(~special[:vocabulary_size]), size=len(replaced))
    return replace(batch, input_ids=corrupted, targets={**batch.targets, "target_index": chosen, "target_ids": ids[chosen]})


def _words(batch: Batch, candidates: IntArray, special: npt.NDArray[np.bool_], word_start: npt.NDArray[np.bool_]) -> IntArray:
    """The number of the word that each candidate belongs to, ascending from 0."""
    begins = word_start[batch.input_ids]
    begins[batch.offsets[:-1][batch.lengths > 0]] = True
    # What follows a special token ([CLS], or [UNK] inside a text) begins a word, for there is nothing before it to belong to.
    begins[1:] |= special[batch.input_ids[:-1]]
    begins = begins[candidates]
    words = np.cumsum(begins) - 1
    too_long = np.bincount(words) > LONGEST_WORD
    if too_long.any():
        words = np.cumsum(begins | too_long[words]) - 1
    return words


def _spans(batch: Batch, candidates: IntArray, words: IntArray, rng: np.random.Generator) -> IntArray:
    """The number of the span that each candidate belongs to, ascending from 0: all text in spans, of which some will be chosen.

    Where a sequence ends or a special token stands, a span is cut: what is left of a geometric length is as long as a new one.
    """
    lengths = np.arange(1, LONGEST_SPAN + 1)
    share = GEOMETRIC * (1 - GEOMETRIC) ** (lengths - 1)
    count = int(words[-1]) + 1
    begins = np.cumsum(rng.choice(lengths, size=count, p=share / share.sum()))
    new_span = np.zeros(count, dtype=np.bool_)
    new_span[begins[begins < count]] = True
    # Neighbours that are not next to each other, or stand in two sequences.
    sequence = np.searchsorted(batch.offsets, candidates, side="right")
    parted = (np.diff(candidates) > 1) | (np.diff(sequence) > 0)
    first = np.append(True, np.diff(words) > 0)
    begins_span = (first & new_span[words]) | np.append(True, parted)
    found: IntArray = np.cumsum(begins_span) - 1
    return found


def _chosen_units(units: IntArray, rate: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which candidates stand in a chosen unit, a word or a span: units in random order until `rate` of the tokens are reached.

    The unit that would pass the limit is taken with the probability that makes the mean number of tokens right; stopping before it would
    favour short ones and mask too little.
    """
    sizes = np.bincount(units)
    order = rng.permutation(len(sizes))
    reached = np.cumsum(sizes[order])
    limit = rate * len(units)
    taken = int(np.searchsorted(reached, limit, side="right"))
    if taken < len(order):
        missing = limit - (reached[taken - 1] if taken else 0)
        taken += int(rng.random() < missing / sizes[order[taken]])
    picked = np.zeros(len(sizes), dtype=np.bool_)
    picked[order[: max(1, taken)]] = True
    return picked[units]


def dealt(tokens: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.int8]:
    """[count] to which of `GROUPS` each of so many tokens of a window belongs: of each group as many as can be, at random.

    It follows from the window's `tokens` alone, so it is the same in every run and whatever stands beside.
    """
    seed = xxhash.xxh3_64_intdigest(np.ascontiguousarray(tokens, dtype="<u4").tobytes())
    return (generator("asked once", seed).permutation(count) % GROUPS).astype(np.int8)
