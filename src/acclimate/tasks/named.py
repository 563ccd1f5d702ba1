"""Kinds of task whose answers are names out of a closed set: classes, one a text or several, tags, relations."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
from pydantic import field_validator, model_validator

from acclimate.data.readers.columns import NAMES
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record, Source
from acclimate.tasks.budgets import ClassesOf
from acclimate.tasks.kind import ColumnRole
from acclimate.tasks.label_checks import (
    NO_CLASSES,
    OddLabels,
    absent,
    check_labels,
    single_examples,
    without_labels,
)
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.labels import MISSING, in_order, is_missing, label_hint, label_name, seen, some_labels, why_no_label
from acclimate.tasks.rows import Rows
from acclimate.tasks.split import Column

TEXT = ColumnRole("text", NAMES["text"], is_text=True)
LABEL = ColumnRole("label", NAMES["label"])


class NamedKind(LabelledKind):
    """A task whose answers are names out of a closed set."""

    text: str | None = None
    """The column that holds the text; detected when not given."""
    label: str | None = None
    """The column that holds the label; detected when not given."""
    labels: tuple[str, ...] | None = None
    """The closed set of labels, in order; those of train when not given: whole numbers in the order of numbers, others of words."""
    odd_labels: OddLabels = "error"
    """What to do with labels that look like noise: some that differ in case or white space alone, `nan` and the like, lists written as
    text, a repeated header, a number to be estimated. `keep` takes them for classes, and the plan and the report say so."""

    # The label first: where one column is left for the text, it is found.
    roles: ClassVar[tuple[ColumnRole, ...]] = (LABEL, TEXT)

    @field_validator("labels", mode="before")
    @classmethod
    def _named_as_they_are_read(cls, value: Any) -> Any:
        """`labels: [0, 1]` names what a file's 0 and 1 are called."""
        return [label_name(each) or each for each in value] if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _closed(self) -> "NamedKind":
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ValueError("`labels` names one label twice")
        if self.labels is not None and len(self.labels) < 2:
            raise ValueError("`labels` needs two labels at least")
        return self

    classed: ClassVar[bool] = True

    @staticmethod
    def of(target: Any) -> Iterable[str]:
        """The names in what is right for an item."""
        raise NotImplementedError

    def classes(self, gold: Column, names: tuple[str, ...]) -> ClassesOf:
        """The labels of each item."""
        return ClassesOf(self.strata(gold), names)

    def lacking(self, source: Source, columns: Mapping[str, str], train: Rows | None) -> str | None:
        """Why no row of a source has a label."""
        column = columns["label"]
        if train is None and column not in source.columns:
            return None  # the reader of its rows says so
        known = self.labels or ([] if train is None else [name for target in train.targets for name in self.of(target)])
        return without_labels(source, (column,), frozenset(known))

    def odd(self, rows: Mapping[str, Rows], columns: Mapping[str, str], problems: Problems) -> tuple[str, ...]:
        """Labels that look like noise."""
        return check_labels(rows, self.of, columns["label"], self.labels, self.odd_labels, problems)

    def found(self, train: Rows) -> tuple[str, ...]:
        """The labels of train, in order."""
        return in_order(name for target in train.targets for name in self.of(target))

    def names(self, train: Rows) -> tuple[str, ...]:
        """Those of the study file, or of train."""
        return self.labels or self.found(train)

    def settle(self, rows: Mapping[str, Rows], problems: Problems) -> dict[str, Rows]:
        """The rows whose labels train has; a train with one class only is refused."""
        settled, train = dict(rows), rows["train"]
        known = {name for target in train.targets for name in self.of(target)}
        if len(train) and len(known) < 2 and not problems.told:
            self.refuse_one_class(train, known, problems)
        for split in ("dev", "test"):
            # A title or a score is not a label that happens to be unknown.
            if split in settled and known and NO_CLASSES not in problems.counts:
                settled[split] = self._known_to_train(settled[split], known, split, problems)
        return settled

    def known_to_model(self, rows: Rows, names: tuple[str, ...], problems: Problems) -> Rows:
        """The rows whose labels are among the model's."""
        unknown = {row: name for row, target in enumerate(rows.targets) for name in self.of(target) if name not in names}
        among = some_labels(names)
        for row, name in unknown.items():
            message = f"label {name!r} is not among the model's {among}"
            record = {"text": rows.shown(row), "label": name}
            problems.add("unknown label", *rows.places[row], message, record, partial(_mend, name, names))
        return rows.take([row for row in range(len(rows)) if row not in unknown]) if unknown else rows

    def refuse_one_class(self, train: Rows, known: set[str], problems: Problems) -> None:
        """Nothing can be learned where every item is alike."""
        problems.fatal("one class only", train.files[0], None, f"every label in train is {next(iter(known))!r}")

    def noted(self, train: Rows, made: bool) -> tuple[str, ...]:
        """Labels with a single example."""
        return single_examples([name for target in train.targets for name in self.of(target)], made)

    def absent(self, counts: Mapping[str, int], split: str) -> tuple[str, ...]:
        """Labels that a split does not hold."""
        return absent(counts, split)

    def too_few(self, train: Rows, split: str) -> str:
        """Why nothing could be taken out of train."""
        counts = Counter(name for target in train.targets for name in self.of(target))
        once = sum(count == 1 for count in counts.values())
        if counts and once == len(counts):
            return f"every label has one example, which must stay in train, so that nothing is left for {split}; name `{split}:`"
        told = super().too_few(train, split)
        single = f" ({once:,} of {len(counts):,} labels have one example, which must stay in train)" if once else ""
        return told.replace(f"; name `{split}:`", f"{single}; name `{split}:`", 1)

    def checked(self, record: Record, column: str, value: object, problems: Problems) -> str | None:
        """A label as it is called; None where it is none, or none of the closed set, which `problems` gets to know."""
        name = label_name(value)
        closed = frozenset(self.labels) if self.labels is not None else None
        if name is None or (is_missing(value) and name not in (closed or ())):
            problems.add("no label", record.file, record.line, f"{column!r} {why_no_label(value)}", record.values)
            return None
        if closed is not None and name not in closed:
            message = f"label {name!r} is not among {some_labels(closed)}"
            problems.add("unknown label", record.file, record.line, message, record.values, partial(label_hint, name, closed))
            return None
        if closed is None and self.odd_labels != "keep" and seen(name) in MISSING:
            message = f"{column!r} is {name!r}, as a missing value is written; where it is a class, say `odd_labels: keep`"
            problems.add("label of a missing value", record.file, record.line, message, record.values)
            return None
        return name

    def repeats_header(self, record: Record, columns: Mapping[str, str], problems: Problems) -> bool:
        """Whether a row names the columns once more; `problems` gets to know it."""
        text, label = columns["text"], columns["label"]
        if self.odd_labels == "keep" or not _is_header(record.values[text], record.values[label], text, label):
            return False
        message = f"the row repeats the header {text!r}, {label!r} (files put one after the other?); to keep it, say `odd_labels: keep`"
        problems.add("repeated header", record.file, record.line, message, record.values)
        return True

    def _known_to_train(self, rows: Rows, known: set[str], split: str, problems: Problems) -> Rows:
        unknown = {row: name for row, target in enumerate(rows.targets) for name in self.of(target) if name not in known}
        if not unknown:
            return rows
        train = f"train, which has {some_labels(known)}"
        for row, name in unknown.items():
            message = f"the {split} label {name!r} is never seen in {train}"
            record = {"text": rows.shown(row), "label": name}
            problems.add("label not in train", *rows.places[row], message, record, partial(label_hint, name, known))
        return rows.take([row for row in range(len(rows)) if row not in unknown])


def label_counts(numbers: Any, names: tuple[str, ...]) -> dict[str, int]:
    """Items of each name, zeros included; `numbers` int64 [K] point into `names`."""
    return dict(zip(names, np.bincount(numbers, minlength=len(names)).tolist(), strict=True))


def _mend(name: str, labels: tuple[str, ...]) -> str:
    if name.isdecimal() and int(name) < len(labels):
        own = f"the model's own number {int(name)} is {labels[int(name)]!r}"
        return f" — a class number? Write names: {own}, and other data may count otherwise"
    if all(label == f"LABEL_{number}" for number, label in enumerate(labels)):
        return " — the model has no names for its labels: put them into id2label of its config.json"
    return label_hint(name, frozenset(labels))


def _is_header(text_value: object, label_value: object, text: str, label: str) -> bool:
    """Whether a row names the columns once more, as after `cat a.csv b.csv`: after a byte order mark or in another order, too."""
    if not (isinstance(text_value, str) and isinstance(label_value, str)) or text.isdecimal():
        return False
    if len(text_value) > len(text) + len(label) + 8:  # most texts, at once
        return False
    return {_plain(text_value), _plain(label_value)} == {_plain(text), _plain(label)}


def _plain(name: str) -> str:
    return seen(name).strip('"').casefold()
