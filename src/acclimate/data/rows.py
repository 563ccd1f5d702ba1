"""Labelled rows as they stand in the files, checked one by one."""

import difflib
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from acclimate.data.corpus import checked_text
from acclimate.data.problems import Problems, place
from acclimate.data.records import Source

_NAMED = 8  # labels named in a message


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


def read_rows(source: Source, text: str, label: str, group: str | None, known: Collection[str] | None, problems: Problems) -> Rows:
    """Every row that has a text, a label (one of `known` when given) and, where asked, a group; `problems` gets to know the others."""
    rows = Rows([], [], None if group is None else [], [], [], source.files)
    columns = (text, label) if group is None else (text, label, group)
    closed = frozenset(known or ())
    among = some_labels(closed)
    for record in source.records(columns, problems):
        words = checked_text(record, text, problems)
        if words is None:
            continue
        name = label_name(record.values[label])
        if name is None or not name:
            value = record.values[label]
            what = "is empty" if value is None or value == "" else f"is {value!r}; a string, a whole number, true or false is wanted"
            problems.add("no label", record.file, record.line, f"{label!r} {what}", record.values)
            continue
        if known is not None and name not in closed:
            message = f"label {name!r} is not among {among}"
            problems.add("unknown label", record.file, record.line, message, record.values, partial(label_hint, name, closed))
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
    if not rows.texts:
        problems.fatal("no usable record", source.files[0], None, "there is no usable record")
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


def label_name(value: object) -> str | None:
    """A label as a string: whole numbers and booleans as JSON writes them; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None


def label_hint(name: str, known: Collection[str]) -> str:
    """A likely mend for a label that is not known, or nothing."""
    if name.strip() in known:
        return " — trailing space?" if name != name.rstrip() else " — leading space?"
    close = difflib.get_close_matches(name, known, n=1)
    by_case = [label for label in known if label.casefold() == name.casefold()]
    return f" — {(by_case or close)[0]!r} meant?" if by_case or close else ""


def some_labels(labels: Collection[str]) -> str:
    """Labels in braces, the first of many and how many there are."""
    named = sorted(labels)
    more = f", ... ({len(named)} in all)" if len(named) > _NAMED else ""
    return "{" + ", ".join(map(repr, named[:_NAMED])) + more + "}"
