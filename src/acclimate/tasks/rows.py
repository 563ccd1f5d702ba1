"""Labelled rows as they stand in the files, checked one by one."""

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from acclimate.data.corpus import checked_text
from acclimate.data.readers.problems import Problems, place
from acclimate.data.readers.read_files import if_empty
from acclimate.data.readers.records import Source
from acclimate.tasks.labels import MISSING, is_missing, label_hint, label_name, seen, some_labels, why_no_label


@dataclass(frozen=True)
class Rows:
    """The usable rows of one split, column by column, each with its place."""

    texts: list[str]
    labels: list[str]
    groups: list[str] | None
    index: list[int]  # row in the source, from 0
    places: list[tuple[Path, int]]
    files: tuple[Path, ...]

    def take(self, rows: Sequence[int] | np.ndarray) -> "Rows":
        """These rows, in this order."""
        chosen = [int(row) for row in rows]
        return Rows(
            [self.texts[row] for row in chosen],
            [self.labels[row] for row in chosen],
            None if self.groups is None else [self.groups[row] for row in chosen],
            [self.index[row] for row in chosen],
            [self.places[row] for row in chosen],
            self.files,
        )

    def place(self, row: int) -> str:
        """Where a row stands, e.g. `train.csv:118`."""
        return place(*self.places[row])


def read_rows(
    source: Source, text: str, label: str, group: str | None, known: Collection[str] | None, problems: Problems, keep_odd: bool = True
) -> Rows:
    """Every row that has a text, a label (one of `known` when given) and, where asked, a group; `problems` gets to know the others.

    Unless `keep_odd` or a closed set names them, a repeated header and labels such as `nan` are no rows and no labels.
    """
    rows = Rows([], [], None if group is None else [], [], [], source.files)
    columns = (text, label) if group is None else (text, label, group)
    closed = frozenset(known) if known is not None else None
    among = some_labels(closed or ())
    for record in source.records(columns, problems):
        value = record.values[label]
        if not keep_odd and _is_header(record.values[text], value, text, label):
            message = f"the row repeats the header {text!r}, {label!r} (files put one after the other?); to keep it, say `odd_labels: keep`"
            problems.add("repeated header", record.file, record.line, message, record.values)
            continue
        words = checked_text(record, text, problems)
        if words is None:
            continue
        name = label_name(value)
        if name is None or (is_missing(value) and name not in (closed or ())):
            problems.add("no label", record.file, record.line, f"{label!r} {why_no_label(value)}", record.values)
            continue
        if closed is not None and name not in closed:
            message = f"label {name!r} is not among {among}"
            problems.add("unknown label", record.file, record.line, message, record.values, partial(label_hint, name, closed))
            continue
        if closed is None and not keep_odd and seen(name) in MISSING:
            message = f"{label!r} is {name!r}, as a missing value is written; where it is a class, say `odd_labels: keep`"
            problems.add("label of a missing value", record.file, record.line, message, record.values)
            continue
        if group is not None:
            value = record.values[group]
            if value is None or value == "":
                problems.add("no group", record.file, record.line, f"{group!r} is empty", record.values)
                continue
            assert rows.groups is not None
            rows.groups.append(str(value))
        rows.texts.append(words)
        rows.labels.append(name)
        rows.index.append(record.row)
        rows.places.append((record.file, record.line))
    if not rows.texts and not problems.told:  # else the reasons are told, one by one
        problems.fatal("no usable record", source.files[0], None, f"there is no usable record{if_empty(source.files)}")
    return rows


def unseen_labels(rows: Rows, seen: Set[str], split: str, problems: Problems) -> Rows:
    """The rows whose label train has; `problems` gets to know the others."""
    good = [row for row, name in enumerate(rows.labels) if name in seen]
    if len(good) == len(rows.labels):
        return rows
    train = f"train, which has {some_labels(seen)}"
    for row, name in enumerate(rows.labels):
        if name not in seen:
            file, line = rows.places[row]
            message = f"the {split} label {name!r} is never seen in {train}"
            record = {"text": rows.texts[row], "label": name}
            problems.add("label not in train", file, line, message, record, partial(label_hint, name, seen))
    return rows.take(good)


def _is_header(text_value: object, label_value: object, text: str, label: str) -> bool:
    """Whether a row names the columns once more, as after `cat a.csv b.csv`: after a byte order mark or in another order, too."""
    if not (isinstance(text_value, str) and isinstance(label_value, str)) or text.isdecimal():
        return False
    if len(text_value) > len(text) + len(label) + 8:  # most texts, at once
        return False
    return {_plain(text_value), _plain(label_value)} == {_plain(text), _plain(label)}


def _plain(name: str) -> str:
    return seen(name).strip('"').casefold()
