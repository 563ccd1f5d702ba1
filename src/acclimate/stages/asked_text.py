"""How much text a student reads of a corpus, and a teacher is asked about, as far as a plan knows it. No torch."""

from typing import NamedTuple, Self

import numpy as np

from acclimate.data.sample import Measured
from acclimate.tasks.kind import Form, many
from acclimate.tasks.task import Task


class AskedText(NamedTuple):
    """A corpus as a student reads it, roughly."""

    items: float
    tokens: float
    """That are read of it once, special ones included."""
    cut_share: float
    """Of its tokens, that are not read."""
    answers: float
    """That a teacher gives: one an item, or one a word."""

    @classmethod
    def of(cls, parts: tuple[Measured, ...], special: int, length: int, columns: int = 1, form: Form = "sequence") -> Self:
        """From its samples, in the student's vocabulary: items of so many `columns` of text, in sequences of `length` tokens at most of
        which so many are `special`."""
        items = sum(part.sample.documents for part in parts) / columns
        whole = sum(part.tokens for part in parts)
        if form == "tokens":
            windows = sum(part.windows(max(1, length - special)) for part in parts)
            return cls(items, whole + special * windows, 0.0, whole)
        counts = columns * np.concatenate([part.counts for part in parts]).astype(np.float64)
        kept = float(np.minimum(counts, length - special).sum() / max(1.0, counts.sum()))
        return cls(items, kept * whole + special * items, 1 - kept, items)

    def part(self, share: float, most: int | None) -> Self:
        """What is read of it at all where it is read so often, and so many items at most."""
        kept = min(1.0, share) * min(1.0, (most or self.items) / max(1.0, self.items))
        return self._replace(items=kept * self.items, tokens=kept * self.tokens, answers=kept * self.answers)


def told_of_single(task: Task) -> tuple[str, ...]:
    """What is said of unlabelled texts of a task that are no items of it: single ones, where an item has several."""
    more, items = task.unlabeled, many(task.kind.item)
    if more is None or task.unlabelled_items is not None:
        return ()
    return (
        f"the {more.facts.documents:,} single texts of `unlabeled` are no {items}, so the teacher is asked about those of train "
        "alone; `text_b:` there names the column of second texts",
    )
