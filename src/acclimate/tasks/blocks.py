"""What a kind of task tells of a recipe's answers in a report: values, which the report words, draws and makes inert."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings: texts, counts, or scores between 0 and 1 as floats; None where there is nothing to say."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Matrix:
    """Counts of what is (rows) against what was said (columns)."""

    title: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Points:
    """Points of a chart, with how much stands behind each; `diagonal` is drawn where both axes ought to agree."""

    title: str
    x: str
    y: str
    points: tuple[tuple[float, float, int], ...]
    diagonal: bool = False


@dataclass(frozen=True)
class Examples:
    """Items worth reading, each a mapping of what is shown of it."""

    title: str
    items: tuple[dict[str, Any], ...]


Block = Table | Matrix | Points | Examples
