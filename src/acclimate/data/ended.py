"""Documents of a token store with the token behind each that says that it is over, which the store itself does not hold."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from acclimate.data.held_out import Stretches
from acclimate.data.ragged import IntArray
from acclimate.data.tokens import TokenStore


class _EndedTokens(Sequence[int]):
    """[total + D] the tokens of a store, one more at the end of every document; made where they are asked for, nothing is copied."""

    def __init__(self, store: TokenStore, end: int) -> None:
        self._store = store
        self._end = end
        self._offsets = ended_offsets(store.offsets)
        self.dtype = store.tokens.dtype

    def __len__(self) -> int:
        return len(self._store.tokens) + self._store.documents

    def __getitem__(self, places: Any) -> Any:
        """The tokens at places [...], given as numbers or as a slice."""
        asked = np.arange(len(self))[places] if isinstance(places, slice) else np.asarray(places)
        document = np.searchsorted(self._offsets, asked, side="right") - 1
        ends = asked == self._offsets[document + 1] - 1
        # An end lies one behind its document, where the store has another's token, or none.
        tokens = self._store.tokens[np.where(ends, 0, asked - document)] if len(self._store.tokens) else np.zeros(asked.shape, np.int64)
        return np.where(ends, self._end, tokens)


def ended_offsets(offsets: IntArray) -> IntArray:
    """[D+1] where documents begin when each before them has one token more."""
    return np.asarray(offsets, dtype=np.int64) + np.arange(len(offsets))


def ended(store: TokenStore, end: int) -> TokenStore:
    """The store with the token `end` behind each of its documents."""
    tokens: Any = _EndedTokens(store, end)
    return replace(store, tokens=tokens, offsets=ended_offsets(store.offsets))


def ended_stretches(stretches: Stretches, offsets: IntArray) -> Stretches:
    """Stretches of documents, none across two, where each document has its end: one that reaches its document's last token takes it in.

    `offsets` [D+1] are those of the store without ends.
    """
    begin, length = (np.asarray(each, dtype=np.int64) for each in stretches)
    document = np.searchsorted(offsets, begin, side="right") - 1
    return Stretches(begin + document, length + (begin + length == np.asarray(offsets)[document + 1]))


def joined_stretches(stretches: Stretches) -> Stretches:
    """Stretches [P], ascending, with those made one that follow each other without a gap, whatever documents they belong to."""
    begin, length = (np.asarray(each, dtype=np.int64) for each in stretches)
    if not len(begin):
        return stretches
    first = np.append(True, begin[1:] != begin[:-1] + length[:-1])
    return Stretches(begin[first], np.add.reduceat(length, np.flatnonzero(first)))
