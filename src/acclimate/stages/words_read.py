"""What plain baselines over words take for a word, and what is said where texts carry marks that they do not see."""

from typing import Literal

from acclimate.data.marks import SHOWN, marks_of
from acclimate.tasks.task import Task

WordsRead = Literal["letters", "marks"]
"""`letters`: runs of letters, digits and `_`; `marks`: runs of any other sign as well, white space aside."""


def told_of_marks(words: WordsRead, task: Task) -> tuple[str, ...]:
    """A sentence where training texts carry marks that are not read."""
    found = marks_of(task.train.documents()) if words == "letters" else None
    if found is None:
        return ()
    more = f" and {len(found.names) - SHOWN} more" if len(found.names) > SHOWN else ""
    return (
        f"{found.having:,} of {found.texts:,} training texts carry marks that it does not see, {' '.join(found.names[:SHOWN])}{more}: "
        "`words: marks` lets it read marks and punctuation",
    )
