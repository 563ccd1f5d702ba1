"""Words that every room says alike."""

from collections.abc import Iterable


def side_by_side(names: Iterable[str]) -> str:
    """`one, two`, or `one; two, more` where a name has a comma of its own."""
    each = list(names)
    return ("; " if any("," in name for name in each) else ", ").join(each)
