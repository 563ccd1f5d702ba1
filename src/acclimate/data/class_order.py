"""An order in which rare classes are met more often than they stand in the data: as pure a function of (seed, step) as that of all."""

import numpy as np
import numpy.typing as npt

from acclimate.data.batches import CountOrder
from acclimate.data.ragged import IntArray
from acclimate.randomness import generator

BLOCK = 1024  # places of a class that are drawn at once
GOLDEN = (5**0.5 - 1) / 2  # its multiples modulo 1 are spread most evenly


class ClassOrder(CountOrder):
    """As many sequences an epoch as there are, in batches of `batch_size`, and each class with a share of its own in them.

    A class has its share of every epoch to less than one sequence, at places that are drawn. These are filled by passes over its sequences,
    each pass in another order and the next one beginning wherever the last one ends, in an epoch or between two: every sequence of a class
    comes once before any of it comes twice.
    """

    def __init__(self, classes: npt.NDArray[np.integer], shares: npt.NDArray[np.float64], batch_size: int, seed: int) -> None:
        """`classes` [N]: that of each sequence, from 0, none of them without a sequence; `shares` [C]: of an epoch, together 1.

        Raises:
            DataError: there are no sequences.
        """
        super().__init__(len(classes), batch_size, seed)
        counts = np.bincount(classes)
        assert len(counts) == len(shares)
        assert counts.all()
        self._members = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
        self._bounds_of_classes = len(classes) * np.append(np.cumsum(shares)[:-1], 1.0)
        # One tuple, replaced as a whole, as in `Order`: an epoch, and how many of each class come before it.
        self._known: tuple[int, IntArray] = (0, np.zeros(len(shares), dtype=np.int64))

    def _ordered(self, epoch: int) -> IntArray:
        before, here = self._before(epoch), self._counts(epoch)
        drawn = [self._of_class(number, begin, begin + count) for number, (begin, count) in enumerate(zip(before, here, strict=True))]
        places = generator(self._seed, "order", epoch).permutation(np.repeat(np.arange(len(here)), here))
        ordered = np.empty(self._sequences, dtype=np.int64)
        ordered[np.argsort(places, kind="stable")] = np.concatenate(drawn)
        return ordered

    def _counts(self, epoch: int) -> IntArray:
        """[C] sequences of each class in an epoch: its share, rounded up or down so that all are N (systematic sampling, Madow 1949)."""
        bounds = np.floor(self._bounds_of_classes + epoch * GOLDEN % 1).astype(np.int64)
        return np.diff(bounds, prepend=0)

    def _before(self, epoch: int) -> IntArray:
        """[C] sequences of each class in all epochs before this one."""
        known, before = self._known if self._known[0] <= epoch else (0, np.zeros(len(self._members), dtype=np.int64))
        for each in range(known, epoch):
            before = before + self._counts(each)
        self._known = (epoch, before)
        return before

    def _of_class(self, number: int, begin: int, end: int) -> IntArray:
        """The places `begin` to `end` of all the passes over a class."""
        members = self._members[number]
        passes = np.tile(members, (max(1, BLOCK // len(members)), 1))
        blocks = range(begin // passes.size, -(-end // passes.size))
        found = [generator(self._seed, "pass", number, block).permuted(passes, axis=1).ravel() for block in blocks]
        first = blocks.start * passes.size
        return np.concatenate([members[:0], *found])[begin - first : end - first]
