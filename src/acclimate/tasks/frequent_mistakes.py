"""Which wrong answers a model gives most often, whatever an answer is: a class, or a set of labels."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.tasks.blocks import Table

MOST = 10  # pairs of what is right and what was said


def frequent_mistakes(gold: NDArray[Any], predicted: NDArray[Any], words: Callable[[Any], str], right: str) -> Table | None:
    """The most frequent pairs of gold and a different answer, both [N] or [N, L]; None where all is right.

    `words` says one of them, `right` is the heading above what is right.
    """
    wrong = gold != predicted
    wrong = wrong if wrong.ndim == 1 else wrong.any(axis=1)
    if not wrong.any():
        return None
    # Pairs that occur are few, even where there are thousands of labels; those that occur equally often stand in the order of labels.
    pairs, times = np.unique(np.stack([gold[wrong], predicted[wrong]], axis=1), axis=0, return_counts=True)
    worst = np.argsort(-times, kind="stable")[:MOST].tolist()
    rows = tuple((words(pairs[place][0]), words(pairs[place][1]), int(times[place]), int(times[place]) / len(gold)) for place in worst)
    headings = (right, "the model says", "times", "of test predictions")
    return Table("The most frequent mistakes", headings, rows, f"{len(gold):,} predictions in all", shares=(3,))
