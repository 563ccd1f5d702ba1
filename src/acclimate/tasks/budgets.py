"""How many labels there are to learn from: `all`, a number of examples, or a number of each class, as `8 per class`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from acclimate.data.ragged import Ragged
from acclimate.errors import DataError
from acclimate.settings import per_class
from acclimate.tasks.grouping import numbered
from acclimate.tasks.splits import per_class_order

if TYPE_CHECKING:  # a task is cut to budgets
    from acclimate.tasks.split import Split
    from acclimate.tasks.task import Task

_NAMED = 8  # classes in a note
_SURE = 1.96  # standard errors to either side of a 95 % interval


class ClassesOf(NamedTuple):
    """The classes of which each item is an example."""

    of: Ragged
    """[N] rows of numbers into `names`; of items that have none of them, the number behind these."""
    names: tuple[str, ...]


def cut_per_class(task: "Task", each: int, seed: int, cap_dev: bool = True) -> "Task":
    """The task with so many training examples of each class, drawn by the seed, all of a class that has fewer; smaller ones are prefixes.

    Where items have several classes, or none, one after another is drawn until every class has so many, the rare ones first; as many
    items as that are of no class. Groups are drawn one after another. Dev is cut alike, unless `cap_dev` is off.

    Raises:
        DataError: the kind of task has no classes, or none of them has so many examples.
    """
    if not task.kind.classed:
        raise DataError(f"a budget of {each:,} per class cannot be drawn: {task.kind.kind} has no classes; say how many examples in all")
    found = task.kind.classes(task.train.gold, task.names)
    counts = _counts(found)
    most = int(counts.argmax())
    if counts[most] < each:
        raise DataError(
            f"a budget of {each:,} per class cannot be drawn: no {task.kind.name_is} has so many training examples; {found.names[most]!r} "
            f"has most of them, {counts[most]:,} (`all` takes every one)"
        )
    dev = _cut(task, task.dev, each, seed, "dev") if cap_dev else task.dev
    return replace(task, train=_cut(task, task.train, each, seed, "train"), dev=dev)


def size(task: "Task", labels: str, seed: int) -> int:
    """Training examples at a budget."""
    return len(task.train) if labels == "all" else int(labels) if per_class(labels) is None else len(task.budget(labels, seed).train)


def by_size(task: "Task", budgets: Sequence[str], seed: int) -> dict[str, int]:
    """Training examples at each budget, the fewest first; where several have as many, `all` is last."""
    sizes = {labels: size(task, labels, seed) for labels in budgets}
    return dict(sorted(sizes.items(), key=lambda each: (each[1], each[0] == "all")))


def told(task: "Task", labels: str, seed: int) -> list[str]:
    """What is to be known of a budget of each class: how many examples it comes to, and how little dev can then choose by."""
    each = per_class(labels)
    if each is None:
        return []
    cut, items = task.budget(labels, seed), f"{task.kind.item}s"
    found = task.kind.classes(task.train.gold, task.names)
    few = {name: count for name, count in zip(found.names, _counts(found).tolist(), strict=True) if count < each}
    named = ", ".join(f"{name} {count:,}" for name, count in [*few.items()][:_NAMED]) + (", ..." if len(few) > _NAMED else "")
    whole = f"; {len(few):,} of {len(found.names):,} have fewer and give all ({named})" if few else ""
    # How many make so many of each class depends on which are drawn where they have several.
    drawn = "" if found.of.one_each else f" (with seed {seed}; another draws a few more or fewer)"
    share, of = ("accuracy", "an accuracy of") if found.of.one_each else (f"the share of {items} that are right as a whole", "a share of")
    dev = len(cut.dev)
    wide = min(0.5, _SURE * np.sqrt(0.25 / max(dev, 1)))
    return [
        f"{labels}: {len(cut.train):,} of {len(task.train):,} training {items}{drawn}{whole}",
        f"{labels}: dev has {dev:,} {items}, so one answer is {1 / max(dev, 1):.3f} of {share} there, and {of} one half is "
        f"known to within {wide:.2f} (95 %): what it chooses between closer ones is luck",
    ]


def _cut(task: "Task", split: "Split", each: int, seed: int, name: str) -> "Split":
    groups = None if split.groups is None else numbered(split.groups)
    return split.take(per_class_order(task.kind.classes(split.gold, task.names).of, each, groups, seed, name))


def _counts(found: ClassesOf) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.bincount(found.of.values, minlength=len(found.names))[: len(found.names)]
