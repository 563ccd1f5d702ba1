"""What the kind of task tells of the chosen recipe, as it will be read: cells with their numbers written out, counts with their shades."""

from dataclasses import dataclass

from acclimate.inert import one_line
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import percent, score
from acclimate.tasks.blocks import Block, Cell, Examples, Matrix, Table

SHADES = 10


@dataclass(frozen=True)
class Shaded:
    """Counts, each with its share of its row in tenths (0 to 9)."""

    title: str
    caption: str
    names: tuple[str, ...]
    cells: tuple[tuple[int, ...], ...]
    shades: tuple[tuple[int, ...], ...]

    @property
    def grid(self) -> Grid:
        """The counts alone."""
        rows = tuple((name, *(f"{count:,}" for count in row)) for name, row in zip(self.names, self.cells, strict=True))
        return Grid(self.caption, ("", *self.names), rows)


@dataclass(frozen=True)
class Listed:
    """Items, each as pairs of what and value."""

    caption: str
    items: tuple[tuple[tuple[str, str], ...], ...]


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


def _written(cell: Cell, share: bool = False) -> str:
    if isinstance(cell, float):
        return percent(cell) if share else score(cell)
    return "–" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell
