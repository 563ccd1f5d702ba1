"""Word n-grams as 64-bit hashes: of texts that are sought, and of documents that go by."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying loses nothing
_LEAST_BITS = 22  # of the table: 4 MB

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]


class Hits(NamedTuple):
    """Grams of a block that are sought."""

    documents: Numbers
    """[H] the document of each, its number in the block."""
    grams: Numbers
    """[H] the sought gram, its number in the table."""


class Block:
    """The words of some documents, one behind the other: lower case, separated by white space."""

    def __init__(self, documents: Sequence[Hashes]) -> None:
        self.sizes: Numbers = np.array([len(words) for words in documents], dtype=np.int64)
        self._words: Hashes = np.concatenate(documents) if len(documents) else np.zeros(0, np.uint64)
        self._ends = np.cumsum(self.sizes)
        self.documents: Numbers = np.repeat(np.arange(len(documents)), self.sizes)
        """[W] the document of each word."""

    @property
    def places(self) -> Numbers:
        """[W] the place of each word in its document, from 0."""
        return np.arange(len(self._words)) - np.repeat(self._ends - self.sizes, self.sizes)

    def grams(self, longest: int) -> Iterator[tuple[int, Hashes]]:
        """The hashes of all runs of 1, 2, ... `longest` words, the last of a document and the first of the next one among them."""
        grams = self._words
        for length in range(1, longest + 1):
            if length > 1:
                # One step of the rolling hash makes all grams one word longer.
                grams = grams[:-1] * _BASE + self._words[length - 1 :]
            if not len(grams):
                return
            yield length, grams

    def within(self, where: Numbers, length: int) -> tuple[NDArray[np.bool_], Numbers]:
        """Which of the grams of so many words that begin there [H] are of one document, and of which."""
        documents = self.documents[where]
        inside = where + length <= self._ends[documents]
        return inside, documents[inside]

    def whole(self) -> Hashes:
        """[D] a hash of each document from first to last word; 0 for those without words."""
        found = np.zeros(len(self.sizes), dtype=np.uint64)
        if len(self._words):
            powers = np.cumprod(np.full(int(self.sizes.max()), _BASE), dtype=np.uint64)
            there = self.sizes > 0
            found[there] = np.add.reduceat(self._words * powers[self.places], (self._ends - self.sizes)[there])
        return found


class GramTable:
    """Which grams are sought, and which texts each stands in; a gram of more than `most` texts tells none from another, and has none."""

    def __init__(self, hashes: Hashes, owners: Numbers, texts: int, most: int) -> None:
        """`hashes` and `owners` [G]: a gram and the text it stands in, of so many texts; the same again counts once."""
        self._sorted, place = np.unique(hashes, return_inverse=True)
        pairs = _distinct(place * texts + owners)  # each once, by gram
        self._place, self._owner = (pairs // texts).astype(np.int32), (pairs % texts).astype(np.int32)
        del place, pairs  # of many long texts these take more room than all that is kept
        counts = np.bincount(self._place, minlength=len(self._sorted))
        self.total: Numbers = np.bincount(self._owner, minlength=texts)
        """[texts] grams of each text."""
        self._owned = np.where(counts <= most, counts, 0)
        self._begin = np.cumsum(counts) - counts
        self.telling: Numbers = np.bincount(self._owner[counts[self._place] <= most], minlength=texts)
        """[texts] grams of each text that not more than `most` share."""
        self._bits = max(_LEAST_BITS, len(self._sorted).bit_length() + 3)
        # Most grams of a corpus are in no text that is sought: a table of the top bits tells most of those at once.
        self._table = np.zeros(1 << self._bits, dtype=bool)
        self._table[self._top(self._sorted)] = True

    def __len__(self) -> int:
        return len(self._sorted)

    def hits(self, block: Block, grams: Hashes, length: int) -> Hits:
        """The sought grams among those of a block."""
        where = np.flatnonzero(self._table[self._top(grams)])
        candidates = grams[where]
        found = np.searchsorted(self._sorted, candidates)
        found[found == len(self._sorted)] = 0
        good = self._sorted[found] == candidates
        inside, documents = block.within(where[good], length)
        return Hits(documents, found[good][inside])

    def counts(self, seen: NDArray[np.bool_], texts: int) -> Numbers:
        """[texts] how many of each text's grams are among those `seen`."""
        return np.asarray(np.bincount(self._owner[seen[self._place]], minlength=texts), dtype=np.int64)

    def shared(self, hits: Hits, texts: int, most_pairs: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
        """Every document and text that share telling grams, and how many: three columns, in parts that hold `most_pairs` at a time."""
        documents, grams = np.divmod(_distinct(hits.documents * len(self) + hits.grams), len(self))  # once a document
        kept = self._owned[grams] > 0
        documents, grams = documents[kept], grams[kept]
        expanded = np.cumsum(self._owned[grams])
        begin = 0
        while begin < len(grams):
            before = expanded[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(expanded, before + most_pairs, side="right")))
            # What a document shares is counted in one part.
            end = int(np.searchsorted(documents, documents[end - 1], side="right"))
            part = slice(begin, end)
            owned = self._owned[grams[part]]
            first = np.repeat(self._begin[grams[part]] - (np.cumsum(owned) - owned), owned)
            owners = self._owner[first + np.arange(len(first))]
            pairs, counts = np.unique(np.repeat(documents[part], owned) * texts + owners, return_counts=True)
            yield (*np.divmod(pairs, texts), counts)
            begin = end

    def _top(self, grams: Hashes) -> Hashes:
        return (grams * _BASE) >> np.uint64(64 - self._bits)


def word_hashes(text: str) -> Hashes:
    """[W] of each word, the same within one process."""
    words = text.lower().split()
    return np.fromiter(map(hash, words), dtype=np.int64, count=len(words)).view(np.uint64)


def _distinct(numbers: Numbers) -> Numbers:
    """Each once, ascending; `np.unique` keeps a hash table for that, which takes thirty times as long as to sort millions."""
    ordered: Numbers = np.sort(numbers)
    first: NDArray[np.bool_] = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    return ordered[first]
