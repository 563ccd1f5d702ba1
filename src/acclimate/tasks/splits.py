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

    `strata` has those of each of the N rows: one for its class, or one for each of its labels. Where the strata are so small that none
    comes nearer by losing a row, rows are taken all the same, of as many strata as the share allows. It may be empty when the units are
    too large.
    """
    counts = np.bincount(strata.values)
    numbers, unit_of = np.unique(units, return_inverse=True)
    members: list[Counter[int]] = [Counter() for _ in numbers]
    for unit, stratum in zip(np.repeat(unit_of, strata.lengths).tolist(), strata.values.tolist(), strict=True):
        members[unit][stratum] += 1
    order = generator(seed, "split", name).permutation(len(numbers))
    sizes = np.bincount(unit_of)
    by_size = [int(unit) for unit in order[np.argsort(-sizes[order], kind="stable")]]
    held = _held_by_distance(by_size, members, share, counts) if strata.one_each else _held_iteratively(by_size, members, share, counts)
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


def _held_by_distance(order: Sequence[int], members: Sequence[Counter[int]], share: float, counts: IntArray) -> NDArray[np.bool_]:
    """Bool, a unit each: greedily, as long as each brings the counts nearer to their targets.

    Near is the squared distance relative to the stratum's size.
    """
    targets, taken = share * counts, np.zeros(len(counts))
    held = np.zeros(len(members), dtype=bool)
    for unit in order:
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
    return held


def _held_iteratively(order: Sequence[int], members: Sequence[Counter[int]], share: float, counts: IntArray) -> NDArray[np.bool_]:
    """Bool, a unit each: iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011) of rows with several strata.

    Again and again the stratum with the fewest rows that are not yet given out is given out: each of its units to the side that still
    wants more of it. The rare ones come first, for the frequent ones can still be put right by what is left.
    """
    wanted = np.stack([(1 - share) * counts, share * counts])  # [2, strata]: rows that stay, and rows that are held out
    left, kept = counts.copy(), np.zeros(len(counts), dtype=np.int64)
    where: dict[int, list[int]] = {}
    for unit in order:
        for stratum in members[unit]:
            where.setdefault(stratum, []).append(unit)
    side = np.full(len(members), -1)
    while left.any():
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        for unit in where[rarest]:
            if side[unit] >= 0:
                continue
            stays, goes = wanted[:, rarest]
            several = members[unit].items()
            possible = all(kept[stratum] + left[stratum] > count for stratum, count in several)  # else one would have nothing left
            # A unit larger than twice of what is wanted would leave the share further away than before.
            side[unit] = int(possible and members[unit][rarest] < 2 * goes and (goes > stays or (goes == stays and _more(wanted))))
            for stratum, count in several:
                wanted[side[unit], stratum] -= count
                left[stratum] -= count
                kept[stratum] += count * (1 - side[unit])
    return np.asarray(side == 1)


def _more(wanted: NDArray[np.float64]) -> bool:
    return bool(wanted[1].sum() > wanted[0].sum())


def budget_order(strata: Ragged, seed: int, name: str) -> IntArray:
    """Int64 [N]: an order of all rows of which every prefix is a stratified sample, so that smaller budgets stand inside larger ones.

    A row with several strata counts for its rarest one. The first C rows are one of each of the C strata, the most frequent first; after
    them each stratum advances at the rate of its share.
    """
    stratum_of = rarest(strata)
    counts = np.bincount(stratum_of)
    rank = np.empty(len(stratum_of), dtype=np.int64)  # the row's place within its stratum, by the seed
    by_stratum = np.argsort(stratum_of, kind="stable")
    ends = np.cumsum(counts)
    for stratum in np.flatnonzero(counts):
        rows = by_stratum[ends[stratum] - counts[stratum] : ends[stratum]]
        rank[rows] = generator(seed, "budget", name, int(stratum)).permutation(len(rows))
    progress = np.where(rank == 0, 0.0, (rank + 0.5) / counts[stratum_of])
    return np.lexsort((stratum_of, -counts[stratum_of], progress))


def grouped_budget_order(strata: Ragged, groups: IntArray, seed: int, name: str) -> IntArray:
    """Int64 [N]: as `budget_order`, with whole groups one after the other; a budget that ends within one cuts this last one alone.

    `groups` [N] are numbers from 0. Always the stratum that has advanced least gives its next group, by the seed; the first one that a
    stratum gives is one of its smallest, so that small budgets have every class where whole groups let them. Where every row is a group
    of its own, it is the order of `budget_order`.
    """
    stratum_of = rarest(strata)
    counts = np.bincount(stratum_of)
    by_frequency = np.lexsort((np.arange(len(counts)), -counts))[: np.count_nonzero(counts)]  # of equal progress, the first one advances
    rows_of = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    queues = {}
    for stratum in by_frequency.tolist():
        its = np.array(list(dict.fromkeys(groups[stratum_of == stratum].tolist())))
        drawn = its[np.argsort(generator(seed, "budget", name, stratum).permutation(len(its)))]
        smallest = min(range(len(drawn)), key=lambda place: len(rows_of[drawn[place]]))
        queues[stratum] = iter([drawn[smallest], *np.delete(drawn, smallest)])
    progress = np.zeros(len(by_frequency))
    taken, done = np.zeros(len(counts)), np.zeros(len(rows_of), dtype=bool)
    order: list[IntArray] = []
    while len(order) < len(rows_of):
        least = int(progress.argmin())
        group = next((group for group in queues[int(by_frequency[least])] if not done[group]), None)
        if group is None:
            progress[least] = np.inf  # all of its groups were given
            continue
        done[group] = True
        order.append(rows_of[group])
        taken += np.bincount(stratum_of[rows_of[group]], minlength=len(counts))
        there = taken[by_frequency] > 0
        progress = np.where(there & np.isfinite(progress), (taken[by_frequency] + 0.5) / counts[by_frequency], progress)
    return np.concatenate(order)


def per_class_order(classes: Ragged, each: int, groups: IntArray | None, seed: int, name: str) -> IntArray:
    """Int64: rows of which `each` are of every class, or all that are of it; fewer of each are a prefix of it.

    `classes` has those of each of N rows. In turns, the rarest first, every class that has fewer rows than there were turns is given its
    next one. Rows stand by the seed; those of one of `groups` [N], numbers from 0, stand together, so that few are drawn in part.
    """
    place = generator(seed, "per class", name).permutation(len(classes))
    if groups is not None:
        place = np.argsort(np.lexsort((place, generator(seed, "per class", name, "groups").permutation(groups.max() + 1)[groups])))
    owner = np.repeat(np.arange(len(classes)), classes.lengths)
    queues = {}
    for number in np.unique(classes.values).tolist():
        rows = owner[classes.values == number]
        queues[number] = rows[np.argsort(place[rows])].tolist()
    rare_first = sorted(queues, key=lambda number: (len(queues[number]), number))
    waiting = {number: iter(queues[number]) for number in rare_first}
    order: dict[int, None] = {}
    have: Counter[int] = Counter()
    for turn in range(1, each + 1):
        for number in rare_first:
            if have[number] < turn and (row := next((row for row in waiting[number] if row not in order), None)) is not None:
                order[row] = None
                have.update(classes[row].tolist())
    return np.array([*order], dtype=np.int64)


def rarest(strata: Ragged) -> IntArray:
    """Int64 [N]: the stratum of each row that the fewest rows have; every row has one at least."""
    if strata.one_each:
        return np.asarray(strata.values, dtype=np.int64)
    counts = np.bincount(strata.values)
    order = np.lexsort((strata.values, counts[strata.values], np.repeat(np.arange(len(strata)), strata.lengths)))
    return np.asarray(strata.values[order][strata.offsets[:-1]], dtype=np.int64)
