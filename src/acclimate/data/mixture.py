"""One corpus or several at once: how a stage names the text that it reads, and how much of each."""

from typing import Annotated

from pydantic import AfterValidator, Field


def _by_name(mixture: "str | dict[str, float]") -> "str | dict[str, float]":
    # One corpus, read once, is that corpus however it is written: the same key, the same defaults.
    return next(iter(mixture)) if isinstance(mixture, dict) and list(mixture.values()) == [1.0] else mixture


Share = Annotated[float, Field(gt=0)]
Mixture = Annotated[str | Annotated[dict[str, Share], Field(min_length=1)], AfterValidator(_by_name)]
"""A corpus by name, or several: `{wiki: 1, speeches: 0.25}` reads all of the one and a quarter of the other in each epoch; 2 is twice."""


def shares(mixture: Mixture) -> dict[str, float]:
    """How often each corpus is read in an epoch, by name."""
    return {mixture: 1.0} if isinstance(mixture, str) else dict(mixture)


def reads_of(mixture: Mixture) -> tuple[str, ...]:
    """What a stage that reads it says it reads: corpora by name, and the task's own as `task text`."""
    return tuple("task text" if name == "task" else name for name in shares(mixture))


def read_of(count: int, share: float, most: int | None) -> int:
    """How many items of a corpus of so many are read at all, of which at most so many are taken."""
    few = count if most is None else min(count, most)
    return few if share >= 1 else max(1, round(share * few))


def in_words(mixture: Mixture) -> str:
    """For people, e.g. `wiki and speeches`."""
    names = list(shares(mixture))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if len(names) < 4 else f"{len(names)} corpora"
