"""Texts that occur more than once: counted within and across splits, refused between train and test, dropped when asked."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from acclimate.data.readers.problems import Problems
from acclimate.tasks.rows import Rows

_KEPT_FIRST = ("test", "dev", "train")  # a text in two splits is dropped from the later one of these


@dataclass(frozen=True)
class DuplicateFacts:
    """Exact repetitions of texts as they were read, before anything was dropped."""

    within: Mapping[str, int]  # by split: rows that repeat an earlier row's text
    across: Mapping[str, int]  # e.g. "train/test": distinct texts that stand in both
    conflicting_texts: int  # distinct texts with more than one label, over all splits


def count_duplicates(splits: Mapping[str, Rows]) -> DuplicateFacts:
    """Count exact repetitions."""
    distinct = {name: set(rows.keys()) for name, rows in splits.items()}
    said: dict[Hashable, Any] = {}
    conflicting = set()
    for rows in splits.values():
        for key, target in zip(rows.keys(), rows.targets, strict=True):
            if said.setdefault(key, target) != target:
                conflicting.add(key)
    return DuplicateFacts(
        {name: len(rows) - len(distinct[name]) for name, rows in splits.items()},
        {f"{one}/{other}": len(distinct[one] & distinct[other]) for one, other in combinations(splits, 2)},
        len(conflicting),
    )


def refuse_leaks(train: Rows, test: Rows, problems: Problems, item: str) -> None:
    """Report every test row whose text (or pair: whatever `item` is) stands in train too; skipping bad records does not settle this one."""
    first: dict[Hashable, int] = {}
    for row, key in enumerate(train.keys()):
        first.setdefault(key, row)
    mend = "; say `duplicates: drop` (removes it from train) or `duplicates: keep`"
    for row, key in enumerate(test.keys()):
        if key in first:
            file, line = test.places[row]
            text = test.shown(row)
            shown = text if len(text) <= 60 else text[:57] + "..."
            problems.fatal(f"identical {item} in train and test", file, line, f"{shown!r} stands in {train.place(first[key])} too{mend}")
            mend = ""  # once is enough


def drop_across(splits: Mapping[str, Rows]) -> tuple[dict[str, Rows], dict[str, int]]:
    """Remove texts that stand in two splits, from train first, then from dev, never from test; also how many rows each split lost.

    Repetitions within a split stay.
    """
    kept: dict[str, Rows] = {}
    lost: dict[str, int] = {}
    seen: set[Hashable] = set()
    for name in _KEPT_FIRST:
        if name in splits:
            rows = splits[name]
            good = [row for row, key in enumerate(rows.keys()) if key not in seen]
            lost[name] = len(rows) - len(good)
            kept[name] = rows.take(good) if lost[name] else rows
            seen.update(rows.keys())
    return {name: kept[name] for name in splits}, {name: lost[name] for name in splits}
