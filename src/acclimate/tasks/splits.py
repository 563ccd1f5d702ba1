"""Splits and label budgets: stratified, group-aware, nested, and pure functions of their seed."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray, Ragged
from acclimate.randomness import generator

FEWEST_OF_SMALL = 5  # rows that must be wanted before strata too small for their share give some all the same


def units_of(keys: Sequence[Hashable], groups: Sequence[str] | None) -> IntArray:
    """Int64 [N]: rows with the same number must stay in one split, being of one group or having one text (directly or by a chain)."""
    parent = list(range(len(keys)))

    def top(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for same in (keys, groups):
        first: dict[Hashable, int] = {}
        for row, key in enumerate(same or ()):
            known = first.setdefault(key, row)
            if known != row:
                parent[top(row)] = top(known)
    return np.array([top(row) for row in range(len(keys))], dtype=np.int64)


def carve(strata: Ragged, units: IntArray, share: float, seed: int, name: str) -> NDArray[np.bool_]:
    """Bool [N]: the rows held out, close to `share` of every stratum, whole units only; every stratum keeps a row that is not held out.

    `strata` has those of each of the N rows: one for its class, or one for each of its labels. Units are taken greedily, the largest first
    and otherwise in the seed's order, as long as each brings the counts nearer to their targets (the squared distance relative to the
    stratum's size). Where rows have several strata, units with the rarest come first, as in iterative stratification (Sechidis, Tsoumakas &
    Vlahavas 2011): the frequent ones can still be put right by what is left. Where the strata are so small that none comes nearer by
    losing a row, rows are taken all the same, of as many strata as the share allows. It may be empty when the units are too large.
    """
    counts = np.bincount(strata.values)
    targets = share * counts
    taken = np.zeros(len(counts))
    numbers, unit_of = np.unique(units, return_inverse=True)
    members: list[Counter[int]] = [Counter() for _ in numbers]
    for unit, stratum in zip(np.repeat(unit_of, strata.lengths).tolist(), strata.values.tolist(), strict=True):
        members[unit][stratum] += 1
    order = generator(seed, "split", name).permutation(len(numbers))
    sizes = np.bincount(unit_of)
    held = np.zeros(len(numbers), dtype=bool)
    for unit in _by_need(order, sizes, members, counts, strata.one_each):
        nearer = 0.0
        for stratum, count in members[unit].items():
            if taken[stratum] + count >= counts[stratum]:
                break  # the stratum would have nothing left
            before, after = taken[stratum] - targets[stratum], taken[stratum] + count - targets[stratum]
            nearer += (before * before - after * after) / counts[stratum]
        else:
            if nearer > 0:
                held[unit] = True
                for stratum, count in members[unit].items():
                    taken[stratum] += count
    if not held.any() and share * len(strata) >= FEWEST_OF_SMALL:
        spare = counts - 1  # each stratum keeps a row
        left = share * len(strata)
        for unit in order.tolist():
            if sizes[unit] <= left and all(count <= spare[stratum] for stratum, count in members[unit].items()):
                held[unit] = True
                left -= sizes[unit]
                for stratum, count in members[unit].items():
                    spare[stratum] -= count
    return np.asarray(held[unit_of])


def budget_order(strata: Ragged, seed: int, name: str) -> IntArray:
    """Int64 [N]: an order of all rows of which every prefix is a stratified sample, so that smaller budgets stand inside larger ones.

    A row with several strata counts for its rarest one. The first C rows are one of each of the C strata, the most frequent first; after
    them each stratum advances at the rate of its share.
    """
    stratum_of = _rarest(strata)
    counts = np.bincount(stratum_of)
    rank = np.empty(len(stratum_of), dtype=np.int64)  # the row's place within its stratum, by the seed
    by_stratum = np.argsort(stratum_of, kind="stable")
    ends = np.cumsum(counts)
    for stratum in np.flatnonzero(counts):
        rows = by_stratum[ends[stratum] - counts[stratum] : ends[stratum]]
        rank[rows] = generator(seed, "budget", name, int(stratum)).permutation(len(rows))
    progress = np.where(rank == 0, 0.0, (rank + 0.5) / counts[stratum_of])
    return np.lexsort((stratum_of, -counts[stratum_of], progress))


def _by_need(order: IntArray, sizes: IntArray, members: Sequence[Counter[int]], counts: IntArray, one_each: bool) -> list[int]:
    """Units in the order in which they are looked at."""
    by_size = order[np.argsort(-sizes[order], kind="stable")]
    if one_each:
        return [int(unit) for unit in by_size]
    rarest = np.array([min((int(counts[stratum]) for stratum in members[unit]), default=0) for unit in by_size])
    return [int(unit) for unit in by_size[np.argsort(rarest, kind="stable")]]


def _rarest(strata: Ragged) -> IntArray:
    """Int64 [N]: the stratum of each row that the fewest rows have; every row has one at least."""
    if strata.one_each:
        return np.asarray(strata.values, dtype=np.int64)
    counts = np.bincount(strata.values)
    order = np.lexsort((strata.values, counts[strata.values], np.repeat(np.arange(len(strata)), strata.lengths)))
    return np.asarray(strata.values[order][strata.offsets[:-1]], dtype=np.int64)
