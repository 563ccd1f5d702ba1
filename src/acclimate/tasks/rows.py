"""Rows of a task as they stand in the files, checked one by one."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.readers.problems import Problems, place
from acclimate.data.readers.read_files import if_empty
from acclimate.data.readers.records import Record, Source
from acclimate.tasks.collection import Collection


class Row(NamedTuple):
    """What a record says: its texts, a column each, and what is right for them, as the kind of task reads it."""

    texts: tuple[str, ...]
    target: Any


ReadRow = Callable[[Record, Mapping[str, str], Problems], Row | None]
"""A record, by role the name of its column, and who gets to know what is wrong with it: a row, or nothing."""


@dataclass(frozen=True)
class Rows:
    """The usable rows of one split, column by column, each with its place."""

    inputs: tuple[list[str], ...]
    targets: list[Any]
    groups: list[str] | None
    index: list[int]  # row in the source, from 0
    places: list[tuple[Path, int]]
    files: tuple[Path, ...]
    collection: Collection | None = None  # the documents that are searched, where some are

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> "Rows":
        """These rows, in this order."""
        chosen = [int(row) for row in rows]
        return Rows(
            tuple([column[row] for row in chosen] for column in self.inputs),
            [self.targets[row] for row in chosen],
            None if self.groups is None else [self.groups[row] for row in chosen],
            [self.index[row] for row in chosen],
            [self.places[row] for row in chosen],
            self.files,
            self.collection,
        )

    def keys(self) -> Sequence[Hashable]:
        """What makes two rows the same, whatever is said of them."""
        return self.inputs[0] if len(self.inputs) == 1 else list(zip(*self.inputs, strict=True))

    def shown(self, row: int) -> str:
        """A row's texts on one line."""
        return " | ".join(column[row] for column in self.inputs)

    def place(self, row: int) -> str:
        """Where a row stands, e.g. `train.csv:118`."""
        return place(*self.places[row])


def read_rows(source: Source, read: ReadRow, columns: Mapping[str, str], texts: int, group: str | None, problems: Problems) -> Rows:
    """Every row that `read` makes something of: `texts` columns of text, where asked a group. `problems` gets to know the others."""
    rows = Rows(tuple([] for _ in range(texts)), [], None if group is None else [], [], [], source.files)
    wanted = tuple(dict.fromkeys(columns.values() if group is None else (*columns.values(), group)))  # a text may name the group
    for record in source.records(wanted, problems):
        row = read(record, columns, problems)
        if row is None:
            continue
        if group is not None:
            value = record.values[group]
            if value is None or value == "":
                problems.add("no group", record.file, record.line, f"{group!r} is empty", record.values)
                continue
            assert rows.groups is not None
            rows.groups.append(str(value))
        for column, text in zip(rows.inputs, row.texts, strict=True):
            column.append(text)
        rows.targets.append(row.target)
        rows.index.append(record.row)
        rows.places.append((record.file, record.line))
    if not len(rows) and not problems.told:  # else the reasons are told, one by one
        problems.fatal("no usable record", source.files[0], None, f"there is no usable record{if_empty(source.files)}")
    return rows
