"""A table of plain text for page, Markdown and terminal: what it is called, its headings and its cells."""

from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from acclimate.inert import one_line


@dataclass(frozen=True)
class Grid:
    """Cells as they will be read. The first column heads its row; columns in `words` are text, all others are numbers."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset({0})

    def without_empty_columns(self) -> "Grid":
        """The grid without columns that hold nothing but dashes: what no run measured takes no room."""
        kept = [place for place in range(len(self.headings)) if place == 0 or any(row[place] not in ("–", "") for row in self.rows)]
        return Grid(
            self.caption,
            tuple(self.headings[place] for place in kept),
            tuple(tuple(row[place] for place in kept) for row in self.rows),
            frozenset(kept.index(place) for place in self.words if place in kept),
        )


def console_grid(grid: Grid) -> Table:
    """The grid for a terminal; names from the study are never read as markup."""
    table = Table(title=Text(grid.caption), title_justify="left")
    for place, heading in enumerate(grid.headings):
        table.add_column(Text(heading), justify="left" if place in grid.words else "right", overflow="fold")
    for cells in grid.rows:
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    return table
