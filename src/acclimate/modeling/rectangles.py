"""Which sequences of a stream share a padded rectangle of attention on a CPU.

A call for each of many short sequences costs more than its arithmetic. Sequences of like length in one rectangle waste little, since
attention's share of a short sequence is small; all other work of the model stays without padding.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Squared tokens (scores of one head) by which the longest of a rectangle may exceed a shorter one: 2,000 were the fastest, or as fast as
# the fastest, of 500 to 16,000 for sentences, clauses and windows of 128.
WASTE = 2000


@dataclass(frozen=True, eq=False)
class Rectangle:
    """Some sequences, each padded to the longest of them."""

    count: int
    length: int
    real: Tensor | None  # [count, length] true where there is a token; None where all are equally long


@dataclass(frozen=True, eq=False)
class Rectangles:
    """All sequences of a stream, in rectangles."""

    parts: tuple[Rectangle, ...]
    cells: Tensor  # [C] the token of the stream in each cell, rectangle after rectangle; padding repeats a sequence's last token
    places: Tensor  # [T] each token's cell


def rectangles(lengths: tuple[int, ...]) -> Rectangles:
    """Sequences of like length together, the longest first."""
    sizes = np.asarray(lengths, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    parts, cells = [], []
    places = np.empty(int(sizes.sum()), dtype=np.int64)
    done = 0
    for group in _alike(sizes):
        length = int(sizes[group[0]])
        within = np.arange(length)
        real = within < sizes[group][:, None]
        tokens = (starts[group][:, None] + np.minimum(within, sizes[group][:, None] - 1)).ravel()
        filled = np.flatnonzero(real)
        places[tokens[filled]] = done + filled
        cells.append(tokens)
        done += len(tokens)
        parts.append(Rectangle(len(group), length, None if real.all() else torch.from_numpy(real)))
    return Rectangles(tuple(parts), torch.from_numpy(np.concatenate(cells)), torch.from_numpy(places))


def _alike(sizes: "np.ndarray[Any, np.dtype[np.int64]]") -> "list[np.ndarray[Any, np.dtype[np.int64]]]":
    order = np.argsort(-sizes, kind="stable")
    cuts, first = [], 0
    squares = sizes[order] ** 2
    for number in range(1, len(order)):
        if squares[first] - squares[number] > WASTE:
            cuts.append(number)
            first = number
    return np.split(order, cuts)
