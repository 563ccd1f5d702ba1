"""Orders made of others: several texts one after another, and general text beside each batch of another order (replay).

Like every order they are pure functions of (seed, step).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.batches import Order, TokenOrder
from acclimate.data.ragged import IntArray, offsets_of


class Stepwise(Protocol):
    """What stands in the batch of each step."""

    def batch(self, step: int) -> IntArray:
        """The indices [B] of its sequences; `step` counts from 0 through all epochs."""


class Part(NamedTuple):
    """One of several texts that are read one after another."""

    order: TokenOrder
    first: int
    """The number of its first sequence among those of all parts."""
    tokens: int
    """Of an epoch of it."""
    steps: int
    """That it is read for."""


class InTurn:
    """One part after another; the last goes on for as long as it is asked."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._begins = offsets_of(np.array([part.steps for part in parts]))

    @property
    def steps(self) -> int:
        """Of all parts."""
        return int(self._begins[-1])

    @property
    def last_begins(self) -> int:
        """The step with which the last part begins."""
        return int(self._begins[-2])

    def batch(self, step: int) -> IntArray:
        """The indices [B] of the sequences of this step."""
        number = self._at(step)
        part = self._parts[number]
        return part.first + part.order.batch(step - int(self._begins[number]))

    def tokens_before(self, step: int) -> int:
        """Tokens of all steps before this one, but for less than one sequence."""
        number = self._at(step)
        taken = [part.steps for part in self._parts[:number]] + [step - int(self._begins[number])]
        return sum(part.tokens * steps // part.order.batches_per_epoch for part, steps in zip(self._parts, taken, strict=False))

    def _at(self, step: int) -> int:
        return min(int(np.searchsorted(self._begins, step, side="right")) - 1, len(self._parts) - 1)


class Replayed:
    """The batches of another order, and in each of them so much general text that it is this share of all tokens read so far.

    General text is an endless stream: all of it in a random order, then all of it in another. A sequence stands in the step in which its
    first token is due, so where a sequence is longer than what is due in a step, some have none.
    """

    def __init__(self, order: InTurn, lengths: NDArray[np.integer], first: int, share: float, seed: int) -> None:
        """`lengths` [N]: tokens of each sequence of general text, of which `first` is the number of the first.

        Raises:
            DataError: there are none.
        """
        assert 0 < share < 1
        self._order, self._first, self._share = order, first, share
        self._stream = _Stream(lengths, seed)

    def batch(self, step: int) -> IntArray:
        """The indices [B] of the sequences of this step, general ones last."""
        begin, end = (self.due(at) for at in (step, step + 1))
        return np.concatenate([self._order.batch(step), self._first + self._stream.between(begin, end)])

    def due(self, step: int) -> int:
        """Tokens of general text before this step."""
        return int(self._order.tokens_before(step) * self._share / (1 - self._share))


class _Stream(Order):
    """Sequences in a random order, again and again."""

    def __init__(self, lengths: NDArray[np.integer], seed: int) -> None:
        super().__init__(len(lengths), seed)
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._total = int(self._lengths.sum())

    def between(self, begin: int, end: int) -> IntArray:
        """The sequences of which the first token lies between these two, counted from 0 through all epochs."""
        found = [np.zeros(0, np.int64)]
        for epoch in range(begin // self._total, -(-end // self._total)):
            permutation, starts = self._epoch(epoch)
            first, last = np.searchsorted(starts[:-1], [begin - epoch * self._total, end - epoch * self._total])
            found.append(permutation[first:last])
        return np.concatenate(found)

    def _bounds(self, permutation: IntArray) -> IntArray:
        return offsets_of(self._lengths[permutation])
