"""How much of a test set stands in a pretraining corpus: the share of texts of which half or more of the word n-grams occur there."""

from collections.abc import Iterator, Sequence

import numpy as np

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying loses nothing
_TABLE_BITS = 22
_BUFFER_WORDS = 1 << 18  # words of the corpus that are looked up together


class OverlapCounter:
    """Sees the documents of a corpus go by and remembers which n-grams of the test texts occur; the corpus itself is not kept.

    Words are separated by white space and compared in lower case. A text shorter than n words counts as a single gram. Grams are 64-bit
    hashes, so memory grows with the test texts only.
    """

    def __init__(self, test_texts: Sequence[str], n: int = 10) -> None:
        assert n >= 1
        self._n = n
        owners: dict[int, list[np.ndarray]] = {}  # by length of gram
        hashes: dict[int, list[np.ndarray]] = {}
        for number, text in enumerate(test_texts):
            words = _hashes(text)
            length = min(n, len(words))
            if length:
                grams = np.unique(_grams(words, length))
                hashes.setdefault(length, []).append(grams)
                owners.setdefault(length, []).append(np.full(len(grams), number))
        self._texts = len(test_texts)
        self._lookups = {length: _Lookup(np.concatenate(hashes[length]), np.concatenate(owners[length])) for length in sorted(hashes)}
        self._buffer: list[np.ndarray] = []
        self._buffered = 0

    def add(self, document: str) -> None:
        """Look one document of the corpus up."""
        words = _hashes(document)
        self._buffer.append(words)
        self._buffered += len(words)
        if self._buffered >= _BUFFER_WORDS:
            self._flush()

    def overlapping(self) -> np.ndarray:
        """Bool [texts]: whether at least half of the text's n-grams occurred so far."""
        self._flush()
        found = np.zeros(self._texts)
        total = np.zeros(self._texts)
        for lookup in self._lookups.values():
            total += np.bincount(lookup.owners, minlength=self._texts)
            found += np.bincount(lookup.owners, weights=lookup.seen[lookup.unique_of], minlength=self._texts)
        return (total > 0) & (2 * found >= total)

    def share(self) -> float:
        """The share of test texts that overlap, 0 to 1."""
        return float(self.overlapping().mean()) if self._texts else 0.0

    def _flush(self) -> None:
        if not self._buffered:
            self._buffer = []
            return
        words = np.concatenate(self._buffer)
        # How many words of its document follow each word: a gram may not reach into the next document.
        room = np.concatenate([np.arange(len(document), 0, -1) for document in self._buffer])
        self._buffer, self._buffered = [], 0
        grams = words
        for length in range(1, max(self._lookups, default=0) + 1):
            if length > 1:
                # One step of the rolling hash makes all grams one word longer.
                grams = grams[:-1] * _BASE + words[length - 1 :]
            if length in self._lookups and len(grams):
                self._lookups[length].mark(grams[room[: len(grams)] >= length])


def ngram_overlap(test_texts: Sequence[str], corpus_documents: Iterator[str], n: int = 10) -> float:
    """The share (0 to 1) of test texts of which at least half of the word n-grams stand in the corpus, which is streamed."""
    counter = OverlapCounter(test_texts, n)
    for document in corpus_documents:
        counter.add(document)
    return counter.share()


class _Lookup:
    """Which of a set of hashes were seen."""

    def __init__(self, hashes: np.ndarray, owners: np.ndarray) -> None:
        self.owners = owners  # [grams] the test text of each gram
        self._sorted, self.unique_of = np.unique(hashes, return_inverse=True)
        self.seen = np.zeros(len(self._sorted), dtype=bool)
        self._bits = max(_TABLE_BITS, len(self._sorted).bit_length() + 2)
        # Most grams of a corpus are in no test text: a table of the top bits tells most of those at once.
        self._table = np.zeros(1 << self._bits, dtype=bool)
        self._table[self._top(self._sorted)] = True

    def mark(self, grams: np.ndarray) -> None:
        candidates = grams[self._table[self._top(grams)]]
        positions = np.searchsorted(self._sorted, candidates)
        positions[positions == len(self._sorted)] = 0
        self.seen[positions[self._sorted[positions] == candidates]] = True

    def _top(self, grams: np.ndarray) -> np.ndarray:
        return (grams * _BASE) >> np.uint64(64 - self._bits)


def _hashes(text: str) -> np.ndarray:
    words = text.lower().split()
    return np.fromiter(map(hash, words), dtype=np.int64, count=len(words)).view(np.uint64)


def _grams(words: np.ndarray, length: int) -> np.ndarray:
    grams = words[: len(words) - length + 1]
    for step in range(1, length):
        grams = grams * _BASE + words[step : len(words) - length + 1 + step]
    return grams
