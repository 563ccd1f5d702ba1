"""What a kind of task tells of a recipe's answers in a report: values, which the report words, draws and makes inert.

A title is a few words, as `Confusion matrix`: the report says of which recipe, split and seeds it is. A note says what one must know to
read the block, or nothing. Texts of the data stand in `Examples` and `Marked` alone, which pages for others leave out.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from acclimate.errors import SettingsError

Cell = str | int | float | None
LONGEST = 300  # characters of a text that an example shows


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings: words, whole numbers for counts, floats for scores; None where there is nothing to say."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    shares: tuple[int, ...] = ()
    """The columns whose floats are shares of a whole, to be written in per cent."""


@dataclass(frozen=True)
class Matrix:
    """Counts [L, L] of what is (rows) against what was said (columns)."""

    title: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Points:
    """Points (x, y, how much stands behind it) of a chart."""

    title: str
    x: str
    y: str
    points: tuple[tuple[float, float, int], ...]
    note: str = ""
    diagonal: bool = False
    """Whether both axes ought to agree: they are alike, and the line where they do is drawn."""
    joined: bool = False
    """Whether a line joins the points, in their order."""
    measure: tuple[str, float] | None = None
    """What the picture comes to in one number, the mean of the seeds, and what it is called."""


@dataclass(frozen=True)
class Examples:
    """Items worth reading, each a mapping of what is shown of it: by words such as `text`, `the label is`, a text or a number."""

    title: str
    items: tuple[Mapping[str, Cell], ...]
    note: str = ""


@dataclass(frozen=True)
class Mark:
    """A part of a text, from and to (exclusive) in characters, and what it is called."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class MarkedText:
    """A text with what is to be found in it, and what was said; neither overlaps itself, and both stand in order."""

    text: str
    right: tuple[Mark, ...]
    said: tuple[Mark, ...]


@dataclass(frozen=True)
class Marked:
    """Texts worth reading with what is marked in them, right against said."""

    title: str
    items: tuple[MarkedText, ...]
    note: str = ""


Block = Table | Matrix | Points | Examples | Marked
_BY_NAME: Mapping[str, type[Block]] = {"table": Table, "matrix": Matrix, "points": Points, "examples": Examples, "marked": Marked}


def to_json(block: Block) -> dict[str, Any]:
    """A block as JSON: its kind, and what it holds."""
    name = next(name for name, kind in _BY_NAME.items() if isinstance(block, kind))
    return {name: asdict(block)}


def from_json(value: Any) -> Block:
    """The block that `to_json` was given.

    Raises:
        SettingsError: it is none.
    """
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in _BY_NAME:
        raise SettingsError(f"a block is one of {', '.join(_BY_NAME)}, not {str(value)[:80]}")
    ((name, holds),) = value.items()
    try:
        return TypeAdapter(_BY_NAME[name]).validate_python(holds)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, (name, *first["loc"])))
        raise SettingsError(f"{where}: {first['msg']}") from error


def shortened(text: str) -> str:
    """A text as an example shows it: its beginning, and how much more there is."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text) - LONGEST:,} characters more)"
