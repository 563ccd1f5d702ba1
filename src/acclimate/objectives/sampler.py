"""How often the examples of each class are met in training. No torch: a plan checks it."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.batches import CountOrder
from acclimate.data.class_order import ClassOrder
from acclimate.data.sequences import Sequences
from acclimate.errors import SettingsError
from acclimate.tasks.kind import many
from acclimate.tasks.splits import rarest
from acclimate.tasks.task import Task

Sampler = Literal["none", "balanced", "square_root"]


def check_sampler(choice: Sampler, task: Task) -> None:
    """Refuse to draw by classes where a task has none.

    Raises:
        SettingsError: it has none.
    """
    if choice != "none" and not task.names:
        raise SettingsError(f"sampler: {task.kind.kind} has no classes that could be met more or less often; leave `sampler` out")


def shares_of(choice: Sampler, counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """[C] the share of each class of an epoch, from how many sequences each has [C]: the same, or by the square root of its count."""
    weights = np.ones(len(counts)) if choice == "balanced" else np.sqrt(counts)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def order_of(choice: Sampler, task: Task, texts: Sequences, batch_size: int, seed: int, note: Callable[[str], None]) -> CountOrder:
    """The order of the task's training texts; `note` is told how often texts are read where they are drawn by their classes.

    A text counts by the rarest of its strata (`TaskKind.strata`), and so does each of its windows.
    """
    if choice == "none":
        return CountOrder(len(texts.drawn), batch_size, seed)
    stratum_of = rarest(task.kind.strata(task.train.gold))
    _, classes, counts = np.unique(stratum_of[texts.drawn], return_inverse=True, return_counts=True)
    shares = shares_of(choice, counts)
    repeats, items = shares * len(texts.drawn) / counts, many("window" if len(texts.drawn) > texts.texts else task.kind.item)
    few, most, called = int(repeats.argmax()), int(repeats.argmin()), task.kind.name_is
    note(
        f"sampler {choice}: each of the {counts[few]:,} {items} of the rarest {called} is read {repeats[few]:.3g} times an epoch, "
        f"each of the {counts[most]:,} of the most frequent {repeats[most]:.3g} times"
    )
    return ClassOrder(classes, shares, batch_size, seed)
