"""Rows of different lengths that lie one after the other in a flat array."""

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
