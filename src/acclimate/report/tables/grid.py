"""A table of plain text for the page: what it is called, its headings and its cells."""

from dataclasses import dataclass


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
