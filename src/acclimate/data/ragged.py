"""Rows of different lengths that lie one after the other in a flat array."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def offsets_of(lengths: npt.NDArray[np.integer]) -> IntArray:
    """[B+1] 0 and the running sum of `lengths` [B]: where each row begins; the last entry is the end of the last."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranges(starts: npt.NDArray[np.integer], lengths: npt.NDArray[np.integer]) -> IntArray:
    """`arange(start, start + length)` of each pair of `starts` [B] and `lengths` [B], one after the other."""
    offsets = offsets_of(lengths)
    return np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])


@dataclass(frozen=True, eq=False)
class Ragged:
    """`N` rows of different lengths: row i is `values[offsets[i]:offsets[i + 1]]`."""

    values: npt.NDArray[Any]  # [offsets[-1]], or [offsets[-1], ...] where each value is a vector
    offsets: IntArray  # [N + 1]

    @staticmethod
    def of(rows: Sequence[Sequence[Any]], dtype: npt.DTypeLike = np.int64) -> "Ragged":
        """Rows of Python values as one flat array."""
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        return Ragged(np.array([value for row in rows for value in row], dtype=dtype), offsets_of(lengths))

    @staticmethod
    def single(values: npt.NDArray[Any]) -> "Ragged":
        """One value a row [N]."""
        return Ragged(values, np.arange(len(values) + 1, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> npt.NDArray[Any]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> IntArray:
        """[N] values of each row."""
        return np.diff(self.offsets)

    @property
    def one_each(self) -> bool:
        """Whether every row has exactly one value."""
        return len(self.values) == len(self) and bool((self.lengths == 1).all())

    def take(self, rows: npt.NDArray[np.integer]) -> "Ragged":
        """These rows, in this order."""
        lengths = self.lengths[rows]
        return Ragged(self.values[ranges(self.offsets[:-1][rows], lengths)], offsets_of(lengths))
