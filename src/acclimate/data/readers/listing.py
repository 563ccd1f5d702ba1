"""Names one after the other, for messages."""

from collections.abc import Iterable


def listing(names: Iterable[object], most: int | None = None) -> str:
    """`a, b and c`; of more than `most` the first, and how many more there are: `a, b and 3 more`."""
    words = [str(name) for name in names]
    if most is not None and len(words) > most:
        words[most:] = [f"{len(words) - most:,} more"]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
