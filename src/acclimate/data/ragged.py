"""Arithmetic of items of unequal size that lie one after the other."""

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def offsets_of(lengths: IntArray) -> IntArray:
    """[N+1] 0 and the running sum of `lengths` [N]: where each item begins, and where the last one ends."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """`arange(start, start + length)` of each pair, one after the other [sum of lengths]."""
    offsets = offsets_of(lengths)
    return np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
