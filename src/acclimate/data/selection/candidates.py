"""The documents that may be chosen, streamed in chunks: each text once, and none that stands in dev or test."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.corpus import Corpus
from acclimate.data.digests import text_hash
from acclimate.data.ragged import IntArray, Ragged
from acclimate.data.selection.words import words_of
from acclimate.data.tokens import chunks

CHUNK_DOCUMENTS, CHUNK_CHARACTERS = 16_384, 1 << 24  # of a chunk at most


class Chunk(NamedTuple):
    """`N` candidates that follow each other in the corpora."""

    numbers: IntArray
    """[N] which documents they are, counted over all corpora from 0."""
    texts: list[str]

    def words(self) -> Ragged:
        """The hashes of the words and marks of each."""
        return words_of(self.texts)


@dataclass
class Candidates:
    """The corpora that are chosen from, read anew each time; what may not be chosen is found out the first time and counted."""

    among: Sequence[Corpus]
    judged: frozenset[int]
    """Digests (`text_hash`) of texts that are judged by, which are never chosen."""
    told: Callable[[int], None] = lambda documents: None
    """Gets to know how many documents of a pass have been read; may raise to end it."""
    documents: int = 0
    """Of all corpora, once they were read."""
    repeated: int = 0
    """Left out because the same text had come before."""
    withheld: int = 0
    """Left out because they are judged by."""
    ends: list[int] = field(default_factory=list)
    """Of each corpus, the number of documents up to its end."""
    _may: list[NDArray[np.bool_]] = field(default_factory=list)  # [documents] of each chunk, whether it may be chosen

    def chunks(self) -> Iterator[Chunk]:
        """All candidates in order."""
        first_time, begin = not self.ends, 0
        seen = _Seen()
        for place, texts in enumerate(chunks(self._texts(first_time), CHUNK_DOCUMENTS, CHUNK_CHARACTERS)):
            if first_time:
                self._may.append(self._allowed(texts, seen))
            may = self._may[place]
            yield Chunk(begin + np.flatnonzero(may), [text for text, allowed in zip(texts, may, strict=True) if allowed])
            begin += len(texts)
            self.told(begin)
        self.documents = begin

    def _texts(self, first_time: bool) -> Iterator[str]:
        count = 0
        for corpus in self.among:
            for text in corpus.documents():
                count += 1
                yield text
            if first_time:
                self.ends.append(count)

    def _allowed(self, texts: list[str], seen: "_Seen") -> NDArray[np.bool_]:
        digests = np.array([text_hash(text) for text in texts], dtype=np.uint64)
        judged = np.array([int(digest) in self.judged for digest in digests], dtype=bool) if self.judged else np.zeros(len(texts), bool)
        new = seen.add(digests)
        self.withheld += int(judged.sum())
        self.repeated += int((~new & ~judged).sum())
        return np.asarray(new & ~judged)

    def corpus_of(self, numbers: IntArray) -> IntArray:
        """[N] in which of the corpora these documents are."""
        return np.asarray(np.searchsorted(np.array(self.ends), numbers, side="right"))


class _Seen:
    """Which digests have come before, at 8 bytes each: a Python set of them would take ten times as much."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []  # sorted, each at least twice as long as the next

    def add(self, digests: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """[N] whether each is there for the first time."""
        kept, first = np.unique(digests, return_index=True)
        new = np.ones(len(kept), dtype=bool)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, kept), len(run) - 1)
            new &= run[places] != kept
        run = kept[new]
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]))
        if len(run):
            self._runs.append(run)
        found = np.zeros(len(digests), dtype=bool)
        found[first[new]] = True
        return found
