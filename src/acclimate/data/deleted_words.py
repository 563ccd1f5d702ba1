"""Texts of which most words are deleted: what a denoising autoencoder sees of them (Wang et al. 2021, TSDAE)."""

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from acclimate.data.batches import TARGET_INDEX, Batch
from acclimate.data.ragged import offsets_of, ranges
from acclimate.data.tokens import word_starts
from acclimate.errors import SettingsError

WHOLE = "target_ids"
"""Among the targets of a batch: the tokens of the whole texts, one text after the other. The position of each is its sequence's first."""


def marked_words(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """[V] which tokens begin a word.

    Raises:
        SettingsError: the vocabulary does not tell.
    """
    try:
        return word_starts(tokenizer)
    except SettingsError as error:
        raise SettingsError(
            "objective: tsdae deletes words, and this model's vocabulary does not mark where words begin — simcse asks for none"
        ) from error


def kept_tokens(
    ids: NDArray[np.integer], offsets: NDArray[np.int64], word_start: NDArray[np.bool_], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """[T] which tokens of B texts stay when this share of their words is deleted, each word by a draw of its own.

    `ids` [T] are those of the texts without special tokens, and `offsets` [B+1] say where each text begins; none is empty. A word, all its
    pieces with it, begins where `word_start` [V] says so, and with a text. At least one word of a text stays.
    """
    assert 0 <= share < 1
    begins = word_start[ids].copy()
    begins[offsets[:-1]] = True
    word = np.cumsum(begins) - 1
    first = word[offsets[:-1]]  # [B] of each text
    drawn = rng.random(int(word[-1]) + 1)
    of_text = np.repeat(np.arange(len(first)), np.diff(first, append=len(drawn)))
    # Where nothing stays, the highest draw does: any word of the text with the same probability.
    highest = np.maximum.reduceat(drawn, first)[of_text]
    kept = (drawn >= share) | ((highest < share) & (drawn == highest))
    return np.asarray(kept[word], dtype=np.bool_)


def without(batch: Batch, prefix: int, suffix: int, kept: NDArray[np.bool_]) -> Batch:
    """The batch with only those tokens of its texts that are `kept` [tokens without special ones].

    A sequence is a text between `prefix` and `suffix` special tokens. The whole texts stand in the targets, each with the first of its
    suffix where it has one: there it ends.
    """
    lengths = batch.lengths - prefix - suffix
    text = ranges(batch.offsets[:-1] + prefix, lengths)
    stays = np.ones(batch.tokens, dtype=np.bool_)
    stays[text] = kept
    offsets = offsets_of(np.add.reduceat(stays.astype(np.int64), batch.offsets[:-1]))
    asked = ranges(batch.offsets[:-1] + prefix, lengths + min(suffix, 1))
    return Batch(
        input_ids=batch.input_ids[stays],
        position_ids=np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets)),
        offsets=offsets,
        targets={TARGET_INDEX: np.repeat(offsets[:-1], lengths + min(suffix, 1)), WHOLE: batch.input_ids[asked]},
    )
