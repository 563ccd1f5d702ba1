"""Items of two texts that stand in what is learned from: both of their texts in one item there, for premises are shared on purpose."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from acclimate.data.leaks import Holder


class WholeItem(NamedTuple):
    """A judged item that stands in items to learn from; how plain that is its text says that stands there least plainly."""

    text: int
    """Which of its texts that is."""
    holder: Holder
    """Where that stands."""
    plainest: Mapping[int, Holder]
    """Of each item that holds it, the same."""


def whole_items(items: Sequence[Sequence[int]], every: Mapping[int, Sequence[Holder]], each: int) -> dict[int, WholeItem]:
    """Of those that stand there, by number.

    `items` are the numbers of the texts of each, `every` is what of these stands in texts to learn from, `each` of which are an item.
    """
    found, by_row = {}, {text: _by_row(holders, each) for text, holders in every.items()}
    for number, texts in enumerate(items):
        rows = [by_row.get(text, {}) for text in texts]
        # From the rarer text on: the other may be one of a few that stand in every item, such as the name of a class.
        both = [row for row in min(rows, key=len) if all(row in other for other in rows)]
        if both:
            least = {row: min(range(len(texts)), key=lambda text: rows[text][row].rank) for row in sorted(both)}
            plainest = {row: rows[text][row] for row, text in least.items()}
            best = max(plainest, key=lambda row: plainest[row].rank)
            found[number] = WholeItem(least[best], plainest[best], plainest)
    return found


def _by_row(holders: Sequence[Holder], each: int) -> dict[int, Holder]:
    """Of each item the text that holds it most plainly."""
    found: dict[int, Holder] = {}
    for holder in holders:
        row = holder.document // each
        if row not in found or holder.rank > found[row].rank:
            found[row] = holder
    return found
