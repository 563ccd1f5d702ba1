"""What reading a task has found, for the plan and the report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from acclimate.tasks.duplicates import DuplicateFacts
from acclimate.tasks.kind import many
from acclimate.tasks.split import Split


@dataclass(frozen=True)
class TaskFacts:
    """What reading the task has found; JSON-able by `as_dict`. It describes the whole task, whatever the label budget."""

    labels: tuple[str, ...]
    examples: Mapping[str, int]  # by split, here and below
    label_counts: Mapping[str, Mapping[str, int]]
    words: Mapping[str, Mapping[str, float]]  # lengths of texts in words: mean, median, p95, max
    files: Mapping[str, Mapping[str, int]]  # by split: rows of each file
    duplicates: DuplicateFacts
    dropped: Mapping[str, int]  # rows removed by `duplicates: drop`
    rejected: int
    problems: Mapping[str, int]  # count by kind
    rejects_file: str | None
    detected: Mapping[str, str]  # what was not stated: format, text, label
    made: tuple[str, ...] = ()  # the splits that acclimate made
    split_seed: int | None = None  # where something was split or drawn
    test_drawn_from: int | None = None  # test examples before `test_examples` of them were drawn
    labels_noted: tuple[str, ...] = ()  # what is to be known of the labels: odd ones that are kept, classes with one example
    unread: Sequence[str] = ()  # what lies in the task's folder and is not read
    file_notes: Sequence[str] = ()  # what is to be known of the files: some not read, some perhaps read twice
    groups: Mapping[str, int] = field(default_factory=dict)  # by split, where there are any
    shared_groups: Mapping[str, int] = field(default_factory=dict)  # e.g. "train/test": groups that stand in both
    shared_items: Mapping[str, int] = field(default_factory=dict)  # e.g. "train/test": the test items of these groups
    group_notes: Sequence[str] = ()  # what is to be known of them

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of files and groups before anything is spent."""
        return (*self.file_notes, *self.group_notes)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def word_lengths(texts: Sequence[str]) -> dict[str, float]:
    """Lengths of texts in words, which white space separates."""
    lengths = np.array([len(text.split()) for text in texts])
    return {
        "mean": round(float(lengths.mean()), 1),
        "median": float(np.median(lengths)),
        "p95": round(float(np.percentile(lengths, 95)), 1),
        "max": int(lengths.max()),
    }


def group_facts(splits: Mapping[str, Split], item: str, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of `TaskFacts` about groups; `item` is what a split holds, `notes` what is known already."""
    known = {name: split.groups for name, split in splits.items() if split.groups is not None}
    if not known:
        return {}
    sizes = {name: Counter(groups) for name, groups in known.items()}
    both = {f"{one}/{other}": (sizes[one].keys() & sizes[other].keys(), sizes[other]) for one, other in combinations(known, 2)}
    shared = {pair: len(groups) for pair, (groups, _) in both.items()}
    held = {pair: sum(size[group] for group in groups) for pair, (groups, size) in both.items()}
    told = [*notes, *(_shared(pair, count, held[pair], item) for pair, count in shared.items() if count)]
    if len(sizes["test"]) == 1 and len(splits["test"]) > 1:
        told.append(f"all {len(splits['test']):,} test {many(item)} are one group: nothing can be compared on them")
    groups = {name: len(each) for name, each in sizes.items()}
    return {"groups": groups, "shared_groups": shared, "shared_items": held, "group_notes": tuple(told)}


def _shared(pair: str, groups: int, count: int, item: str) -> str:
    one, other = pair.split("/")
    stand = f"1 group of {one} stands" if groups == 1 else f"{groups:,} groups of {one} stand"
    leak = ": what was learned of them may flatter the scores" if other == "test" else ""
    return f"{stand} in {other}, with {count:,} {other} {item if count == 1 else many(item)}{leak}"
