"""Corpora read at once, streamed: their documents evenly among each other, those of one that is read several times far apart."""

import heapq
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.corpus import Corpus
from acclimate.randomness import generator


class Part(NamedTuple):
    """A corpus of an epoch."""

    corpus: Corpus
    documents: int
    share: float
    """How often it is read: 2 is twice, 0.25 a fixed quarter of its documents."""
    first: int = 0
    """The number of its first document among those of all corpora."""

    @property
    def read(self) -> int:
        """Documents of an epoch."""
        times, rest = divmod(self.share, 1.0)
        return int(times) * self.documents + round(rest * self.documents)


def interleaved(parts: Sequence[Part]) -> Iterator[tuple[int, str]]:
    """The documents of an epoch with their numbers, one at a time: wherever it stops, as much of each corpus was read as of the others."""
    streams = [stream for part in parts for stream in _streams(part)]
    placed = (_placed(stream, number) for number, stream in enumerate(streams))
    return ((number, text) for _, _, number, text in heapq.merge(*placed, key=lambda each: each[:2]))


class _Stream(NamedTuple):
    part: Part
    begin: int  # the document with which it begins, and before which it ends
    kept: NDArray[np.bool_] | None = None  # [documents] those that are read; None: all


def _streams(part: Part) -> Iterator[_Stream]:
    times, rest = divmod(part.share, 1.0)
    # Each copy begins elsewhere, or every document would be read several times in a row.
    for copy in range(int(times)):
        yield _Stream(part, copy * part.documents // int(times))
    if round(rest * part.documents):
        kept = np.zeros(part.documents, dtype=np.bool_)
        kept[generator("share of a corpus", part.corpus.name).permutation(part.documents)[: round(rest * part.documents)]] = True
        yield _Stream(part, 0, kept)


def _placed(stream: _Stream, number: int) -> Iterator[tuple[float, int, int, str]]:
    part, begin, kept = stream
    count = part.documents if kept is None else int(kept.sum())
    turned = chain(islice(enumerate(part.corpus.documents()), begin, None), islice(enumerate(part.corpus.documents()), begin))
    read = ((row, text) for row, text in turned if kept is None or kept[row])
    return ((place / count, number, part.first + row, text) for place, (row, text) in enumerate(read))
