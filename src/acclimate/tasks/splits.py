"""Splits and label budgets: stratified, group-aware, nested, and pure functions of their seed."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from acclimate.randomness import generator

FEWEST_OF_SMALL = 5  # rows that must be wanted before classes too small for their share give some all the same


def units_of(texts: Sequence[str], groups: Sequence[str] | None) -> np.ndarray:
    """Int64 [N]: rows with the same number must stay in one split, being of one group or having one text (directly or by a chain)."""
    parent = list(range(len(texts)))

    def top(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for keys in (texts, groups):
        first: dict[str, int] = {}
        for row, key in enumerate(keys or ()):
            known = first.setdefault(key, row)
            if known != row:
                parent[top(row)] = top(known)
    return np.array([top(row) for row in range(len(texts))], dtype=np.int64)


def carve(labels: np.ndarray, units: np.ndarray, share: float, seed: int, name: str) -> np.ndarray:
    """Bool [N]: the rows held out, close to `share` of every class, whole units only; every class keeps a row that is not held out.

    Units are taken greedily, the largest first and otherwise in the seed's order, as long as each brings the class counts nearer to
    their targets (the squared distance relative to class size). Where the classes are so small that none comes nearer by losing a row, rows
    are taken all the same, of as many classes as the share allows. It may be empty when the units are too large.
    """
    class_counts = np.bincount(labels)
    targets = share * class_counts
    taken = np.zeros(len(class_counts))
    numbers, unit_of = np.unique(units, return_inverse=True)
    members: list[Counter[int]] = [Counter() for _ in numbers]
    for unit, label in zip(unit_of.tolist(), labels.tolist(), strict=True):
        members[unit][label] += 1
    order = generator(seed, "split", name).permutation(len(numbers))
    sizes = np.bincount(unit_of)
    held = np.zeros(len(numbers), dtype=bool)
    for unit in order[np.argsort(-sizes[order], kind="stable")].tolist():
        nearer = 0.0
        for label, count in members[unit].items():
            if taken[label] + count >= class_counts[label]:
                break  # the class would have nothing left
            before, after = taken[label] - targets[label], taken[label] + count - targets[label]
            nearer += (before * before - after * after) / class_counts[label]
        else:
            if nearer > 0:
                held[unit] = True
                for label, count in members[unit].items():
                    taken[label] += count
    if not held.any() and share * len(labels) >= FEWEST_OF_SMALL:
        spare = class_counts - 1  # each class keeps a row
        left = share * len(labels)
        for unit in order.tolist():
            if sizes[unit] <= left and all(count <= spare[label] for label, count in members[unit].items()):
                held[unit] = True
                left -= sizes[unit]
                for label, count in members[unit].items():
                    spare[label] -= count
    return held[unit_of]


def budget_order(labels: np.ndarray, seed: int, name: str) -> np.ndarray:
    """Int64 [N]: an order of all rows of which every prefix is a stratified sample, so that smaller budgets stand inside larger ones.

    The first C rows are one of each of the C classes, the most frequent first; after them each class advances at the rate of its share.
    """
    counts = np.bincount(labels)
    rank = np.empty(len(labels), dtype=np.int64)  # the row's place within its class, by the seed
    by_label = np.argsort(labels, kind="stable")
    ends = np.cumsum(counts)
    for label in np.flatnonzero(counts):
        rows = by_label[ends[label] - counts[label] : ends[label]]
        rank[rows] = generator(seed, "budget", name, int(label)).permutation(len(rows))
    progress = np.where(rank == 0, 0.0, (rank + 0.5) / counts[labels])
    return np.lexsort((labels, -counts[labels], progress))
