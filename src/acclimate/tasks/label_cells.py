"""Several labels of a text: in one cell, with something between them or as a list, or in a column of 0 and 1 for each of them."""

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from acclimate.data.readers.problems import Problems, place
from acclimate.data.readers.reading import KEYED
from acclimate.data.readers.records import Record, Source
from acclimate.errors import DataError
from acclimate.tasks.labels import is_missing, label_name

LIST, NONE = "list", "none"  # in the place of a separator: cells are lists written as text, or hold one label each
WORDS = {"tab": "\t", "space": " "}  # as a study file says what cannot be seen
_USUAL = ("|", ";", "\t", ",", "/")  # looked for where nothing is said
_RARE_IN_NAMES = ("|", ";", "\t")  # one of these needs no other sign that it separates labels
_TRUTHS = {"0": False, "1": True, "false": False, "true": True, "0.0": False, "1.0": True}
_PEEK = 1_000  # rows by which columns of 0 and 1 are found; every row is checked when it is read
_MOSTLY = 9  # times as many 0 and 1 as other values make a column of them
_LONGEST_LIST = 100_000  # characters of a list written as text
_JOINED = re.compile(r"""['"]\s*['"]""")  # numpy writes lists without commas, and Python would make one word of two


def separator_between(cells: Mapping[str, str], alone: Collection[str] = (), closed: Collection[str] = ()) -> str:
    """What stands between the labels in these cells, each with its place: a separator, LIST, or NONE where each is one label.

    `alone` are labels that are known to be whole, `closed` those that there can be, where it is known.

    Raises:
        DataError: it is not clear.
    """
    said = [cell for cell in cells if cell.strip()]
    lists = [cell for cell in said if is_list(cell)]
    if lists and len(lists) == len(said):
        return LIST
    if lists:
        other = next(cell for cell in said if not is_list(cell))
        raise DataError(f"{cells[lists[0]]}: {lists[0]!r} is a list written as text, and {other!r} ({cells[other]}) is none; write one way")
    present = [mark for mark in _USUAL if any(mark in cell for cell in said)] + ([" "] if _words_stand_alone(said) else [])
    if not present:
        return NONE
    fitting = [mark for mark in (NONE, *present) if all(part in closed for cell in said for part in _parts(cell, mark))]
    if len(fitting) == 1:
        return fitting[0]
    found = [mark for mark in present if _separates(mark, said, alone, present)]
    if len(found) == 1:
        return found[0]
    possible = found or present
    example = next(cell for cell in said if possible[0] in cell)
    among = " or ".join(f"`separator: {written(mark)}`" for mark in possible)
    raise DataError(
        f"{cells[example]}: is {example!r} one label or several? "
        f"Say `separator: {NONE}` if it is one, {among} if that stands between labels"
    )


def labels_in(value: object, separator: str) -> Sequence[object]:
    """The labels that a cell names, as they stand there; none of an empty list or a blank field.

    Raises:
        ValueError: what is wrong with it.
    """
    if isinstance(value, list | tuple):
        return value
    if not isinstance(value, str):
        return (value,)
    if not value.strip():
        return ()
    if separator == LIST:
        return _read_list(value)
    if is_list(value):
        raise ValueError(f"is {value!r}, a list written as text; where all cells are lists, say `separator: {LIST}`")
    parts = _parts(value, separator)
    if not all(parts):
        raise ValueError(f"is {value!r}, with no label on one side of {separator!r}")
    return parts


def is_list(cell: str) -> bool:
    """Whether a cell seems to be a list written as text, as pandas writes one."""
    cell = cell.strip()
    return len(cell) > 1 and cell[0] + cell[-1] in ("[]", "()", "{}")


def written(separator: str) -> str:
    """A separator as a study file says it."""
    return next((word for word, mark in WORDS.items() if mark == separator), f"'{separator}'" if separator in ("|", ",") else separator)


def truth(value: object) -> bool | None:
    """Whether a cell in the column of a label says that a text has it; None where it is neither 0 nor 1."""
    if isinstance(value, float):
        return bool(value) if value in (0.0, 1.0) else None
    name = label_name(value)
    return None if name is None else _TRUTHS.get(name.strip().casefold())


def indicators(source: Source, taken: Collection[str]) -> tuple[str, ...]:
    """The columns that hold 0 and 1 in the first rows of a source; a few other values are mistakes, which are told when rows are read."""
    columns = [name for name in source.columns if name not in taken and name.strip()]
    truths, others = Counter[str](), Counter[str]()
    for record in islice(_records(source, () if source.format in KEYED else columns), _PEEK):
        for name in columns:
            value = record.values.get(name)
            if truth(value) is not None:
                truths[name] += 1
            elif not is_missing(value):
                others[name] += 1
    return tuple(name for name in columns if truths[name] > _MOSTLY * others[name])


def cells_of(source: Source, column: str) -> tuple[dict[str, str], set[str]]:
    """Each different text that stands in a column, with its first place; and the labels that stand there in lists."""
    cells: dict[str, str] = {}
    alone: set[str] = set()
    for record in _records(source, (column,)):
        value = record.values[column]
        if isinstance(value, str) and value not in cells:
            cells[value] = place(record.file, record.line)
        elif isinstance(value, list | tuple):
            alone.update(each for each in value if isinstance(each, str))
    return cells, alone


def repeated(labels: Sequence[str]) -> str | None:
    """The first label that stands twice."""
    return next((name for name, count in Counter(labels).items() if count > 1), None)


def _records(source: Source, columns: Sequence[str]) -> Iterator[Record]:
    # What is wrong with them is told when they are read as rows.
    return source.records(columns, Problems(skip_bad=True))


def _separates(mark: str, cells: Sequence[str], alone: Collection[str], present: Sequence[str]) -> bool:
    """Whether a mark seems to separate labels: what is between such marks stands in other cells, too, and no other mark is left in it."""
    split = [set(_parts(cell, mark)) for cell in cells]
    counts = Counter(part for parts in split for part in parts)
    counts.update(alone)
    joined = [parts for cell, parts in zip(cells, split, strict=True) if mark in cell]
    again = sum(any(counts[part] > 1 for part in parts) for parts in joined)
    if mark == " " or (mark not in _RARE_IN_NAMES and again < len(joined) / 2):
        return False
    return not any(part in counts for other in present if other != mark for name in counts if other in name for part in _parts(name, other))


def _words_stand_alone(cells: Sequence[str]) -> bool:
    """Whether every word of every cell with spaces is a cell of its own somewhere."""
    whole = {cell.strip() for cell in cells}
    several = [name.split() for name in whole if " " in name]
    return bool(several) and all(word in whole for words in several for word in words)


def _parts(cell: str, mark: str) -> list[str]:
    return [cell.strip()] if mark == NONE else [part.strip() for part in cell.strip().split(mark)]


def _read_list(cell: str) -> list[object]:
    found: Any = None
    try:
        found = json.loads(cell) if len(cell) <= _LONGEST_LIST else None
    except (ValueError, RecursionError):
        if not _JOINED.search(cell):
            try:
                found = ast.literal_eval(cell.strip())
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                found = None
    if not isinstance(found, list | tuple | set):
        raise ValueError(f"is {cell!r}, which cannot be read as a list; write its labels in quotes and with commas between them")
    return sorted(found, key=str) if isinstance(found, set) else [*found]
