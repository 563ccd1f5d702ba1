"""What the kind of task tells of the chosen recipe, as it will be read: cells with their numbers written out, counts with their shades."""

from dataclasses import dataclass

from acclimate.inert import one_line
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import percent, score
from acclimate.tasks.blocks import Block, Cell, Examples, Mark, Marked, Matrix, Table

SHADES = 10


@dataclass(frozen=True)
class Shaded:
    """Counts, or numbers that are written already, each with its shade in tenths (0 to 9): of a count its share of its row."""

    title: str
    caption: str
    names: tuple[str, ...]
    cells: tuple[tuple[int | str, ...], ...]
    shades: tuple[tuple[int, ...], ...]

    @property
    def grid(self) -> Grid:
        """The numbers alone."""
        rows = tuple(
            (name, *(cell if isinstance(cell, str) else f"{cell:,}" for cell in row))
            for name, row in zip(self.names, self.cells, strict=True)
        )
        return Grid(self.caption, ("", *self.names), rows)


@dataclass(frozen=True)
class Listed:
    """Items, each as pairs of what and value."""

    caption: str
    items: tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True)
class Segment:
    """A piece of a text; where it is marked, what as, and what is wrong with that."""

    text: str
    label: str | None = None
    fault: str = ""


@dataclass(frozen=True)
class Lines:
    """Texts, each as it is right and as it was said, cut into segments."""

    caption: str
    items: tuple[tuple[tuple[Segment, ...], tuple[Segment, ...]], ...]


def about(block: Block) -> str:
    """What a block is called, of what it is, and what one must know to read it."""
    note = f": {one_line(block.note)}" if block.note else ""
    return f"{one_line(block.title)} on the test set, all seeds together{note}"


def grid_of(block: Table) -> Grid:
    """A table with its numbers written out; columns that hold a word are words."""
    rows = tuple(tuple(_written(cell, place in block.shares) for place, cell in enumerate(row)) for row in block.rows)
    words = {place for row in block.rows for place, cell in enumerate(row) if isinstance(cell, str)}
    return Grid(about(block), block.headings, rows, frozenset({0} | words))


def shaded(block: Matrix) -> Shaded:
    """A matrix with its shades."""
    shades = tuple(tuple(min(SHADES * count // max(sum(row), 1), SHADES - 1) for count in row) for row in block.counts)
    return Shaded(one_line(block.title), about(block), block.names, block.counts, shades)


def listed(block: Examples) -> Listed:
    """Items with their numbers written out."""
    items = tuple(tuple((str(what), _written(value)) for what, value in item.items()) for item in block.items)
    return Listed(about(block), items)


def lines_of(block: Marked) -> Lines:
    """Marked texts as segments; a mark that the other line has not says so."""
    items = tuple(
        (_segments(item.text, item.right, item.said, "missed"), _segments(item.text, item.said, item.right, "spurious"))
        for item in block.items
    )
    note = f": {one_line(block.note)}" if block.note else ""
    return Lines(f"{one_line(block.title)} on the test set{note}", items)


def _segments(text: str, marks: tuple[Mark, ...], others: tuple[Mark, ...], alone: str) -> tuple[Segment, ...]:
    found: list[Segment] = []
    place = 0
    for mark in marks:
        found += [Segment(text[place : mark.start])] if mark.start > place else []
        found.append(Segment(text[mark.start : mark.end], mark.label, _fault(mark, others, alone)))
        place = mark.end
    return (*found, *([Segment(text[place:])] if place < len(text) else []))


def _fault(mark: Mark, others: tuple[Mark, ...], alone: str) -> str:
    if mark in others:
        return ""
    touching = [other for other in others if other.start < mark.end and mark.start < other.end]
    if not touching:
        return alone
    bounds = any((other.start, other.end) == (mark.start, mark.end) for other in touching)
    kind = any(other.label == mark.label for other in touching)
    return "wrong type" if bounds else "wrong bounds" if kind else "wrong type and bounds"


def _written(cell: Cell, share: bool = False) -> str:
    if isinstance(cell, float):
        return percent(cell) if share else score(cell)
    return "–" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell
