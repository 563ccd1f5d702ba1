"""What reading a task has found, for the plan and the report."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from acclimate.tasks.duplicates import DuplicateFacts


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
    shared_groups: Mapping[str, int] = field(default_factory=dict)  # e.g. "train/test": groups that stand in both

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


def shared_groups(groups: Mapping[str, Collection[str] | None]) -> dict[str, int]:
    """How many groups stand in two splits, by pair of splits that have groups at all."""
    known = {name: set(values) for name, values in groups.items() if values is not None}
    return {f"{one}/{other}": len(known[one] & known[other]) for one, other in combinations(known, 2)}
