"""The columns of text of some items as a transformer reads them."""

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from acclimate.data.pairs import pair_sequences
from acclimate.data.ragged import Ragged
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import TokenStore, special_ids
from acclimate.data.windows import first, overlapping, usual_stride
from acclimate.data.word_pieces import Pieces, aligned
from acclimate.errors import DataError


def sequences_of(columns: Sequence[TokenStore], tokenizer: Tokenizer, length: int) -> Sequences:
    """A sequence an item, of at most `length` tokens: the beginning of its text between special tokens, or of its two texts.

    `columns`: one store a column.

    Raises:
        DataError: a text is empty, and has no special tokens around it.
        ModelError: the tokenizer knows no pairs, and these are some.
        SettingsError: `length` leaves no room for text.
    """
    if len(columns) == 2:
        return pair_sequences(columns[0], columns[1], tokenizer, length)
    (store,) = columns
    prefix, suffix = special_ids(tokenizer)
    if not (prefix or suffix) and not np.diff(store.offsets).all():
        empty = np.flatnonzero(np.diff(store.offsets) == 0)
        raise DataError(
            f"{len(empty):,} of {len(store):,} texts have no token (the first is number {empty[0] + 1:,}), and this tokenizer puts none "
            "around them: no model can answer; leave them out"
        )
    return Sequences(store, first(store, length - len(prefix) - len(suffix)), prefix, suffix)


def text_windows(store: TokenStore, tokenizer: Tokenizer, length: int, stride: int) -> Sequences:
    """The texts of a store as a transformer reads them whole to give one answer each: in windows that overlap by `stride` tokens.

    They are those of `return_overflowing_tokens` in transformers: windows of `length` tokens with their special ones, and the rest.

    Raises:
        SettingsError: `length` leaves no room for text, or `stride` leaves nothing of a window.
    """
    prefix, suffix = special_ids(tokenizer)
    found = overlapping(store.offsets, length - len(prefix) - len(suffix), stride, spread=False)
    return Sequences(store, found.windows, prefix, suffix, document=found.document)


def word_sequences(
    store: TokenStore, tokenizer: Tokenizer, texts: Sequence[str], words: Ragged, length: int, stride: int | None = None,
    causal: bool = False,
) -> Sequences:  # fmt: skip
    """The texts of a store as a transformer reads them to answer every word: whole, in windows of at most `length` tokens.

    `words` are as in `Split.words`. The windows of a longer text overlap by `stride` tokens, or as is usual; each piece is answered in the
    one in which it has most text on both sides. A `causal` model sees what stands before a piece alone: it is answered where that is most,
    and a word by its last piece.

    Raises:
        SettingsError: `length` leaves no room for text, or `stride` leaves nothing of a window.
        ModelError: the tokenizer does not tell where its pieces stand in a text.
    """
    prefix, suffix = special_ids(tokenizer)
    room = length - len(prefix) - len(suffix)
    found = overlapping(store.offsets, room, usual_stride(length) if stride is None else stride, causal=causal)
    piece, word, number = aligned(tokenizer, texts, words, store.offsets)
    # Both are in the order of the store, and every token has one window that answers for it: a sequence's pieces are one slice.
    bounds = np.searchsorted(piece, np.append(found.first, store.offsets[-1]))
    window = np.repeat(np.arange(len(found.first)), np.diff(bounds))
    pieces = Pieces(
        place=piece - found.windows.start[window] + len(prefix),
        word=word,
        number=number,
        offsets=bounds,
        words=len(words.values),
        last=causal,
    )
    return Sequences(store, found.windows, prefix, suffix, pieces=pieces, document=found.document)
