"""Several labels for a text, or none: each label is a question of its own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from acclimate.data.ragged import Ragged
from acclimate.data.readers.columns import NAMES, detect_column
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record, Source
from acclimate.data.readers.texts import checked_text
from acclimate.errors import DataError, SettingsError
from acclimate.tasks.blocks import Block
from acclimate.tasks.kind import OF_NAMES, Form, Head, Judged
from acclimate.tasks.label_cells import LIST, NONE, WORDS, cells_of, indicators, labels_in, repeated, separator_between, truth, written
from acclimate.tasks.label_checks import check_labels, without_labels
from acclimate.tasks.labels import is_missing
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.metrics.sets import METRICS, example_f1
from acclimate.tasks.named import NamedKind
from acclimate.tasks.one_name import refuse_not_finite
from acclimate.tasks.rows import Row, Rows
from acclimate.tasks.set_blocks import NONE as NO_LABEL
from acclimate.tasks.set_blocks import TOLD
from acclimate.tasks.split import Answers, Column, Split
from acclimate.tasks.thresholds import HALF, Thresholded, Thresholds, best_f1

_NAMED = 8  # columns named in a note
PLAIN_USE = """\
from transformers import pipeline

model = pipeline("text-classification", model=".", top_k=None)  # "." is this folder; a hub id serves as well
# The probability of every label: it is given above one half, or above its place in `acclimate_thresholds` of config.json.
print(model(["a text to label"], truncation=True{cut}))"""
OWN_USE = """\
from pathlib import Path

from acclimate import load_predictor

model = load_predictor(Path("."))  # this folder
print(model.labels, model.probabilities(["a text to label"]))  # a row a text, a column a label"""


def above(probabilities_NL: Any, split: Split, thresholds: Thresholds | float = HALF) -> Answers:
    """The labels whose probabilities are above their thresholds, and the probabilities.

    Raises:
        TrainingError: a probability is not a number.
    """
    probabilities_NL = np.asarray(probabilities_NL, dtype=np.float64)
    refuse_not_finite(probabilities_NL)
    return {"predicted": probabilities_NL > thresholds, "probabilities": probabilities_NL}


def tuned(probabilities_NL: Any, dev: Split) -> Thresholds:
    """[L] for each label the threshold with its highest F1 on dev."""
    gold, probabilities_NL = np.asarray(dev.gold, dtype=bool), np.asarray(probabilities_NL, dtype=np.float64)
    refuse_not_finite(probabilities_NL)
    return np.array([best_f1(gold[:, number], probabilities_NL[:, number]) for number in range(gold.shape[1])])


class Multilabel(NamedKind):
    """Texts that have several labels, one or none, and how they are written: lists, cells such as `a|b`, or a column of 0 and 1 a label.

    A bare string stands for `path`.
    """

    kind: Literal["multilabel"] = "multilabel"
    """What is to be learned: `multilabel` gives a text every label that holds of it, several or none."""
    label: str | None = None
    """The column that holds the labels; detected when not given."""
    labels: tuple[str, ...] | None = None
    """The closed set of labels, in order; those of train when not given. Where no column holds labels, the columns of 0 and 1, one a
    label; found by what stands in them when not given."""
    separator: str | None = None
    """What stands between labels in one cell: any text, `tab` or `space`; `list` for lists written as text, `none` where a cell is one
    label. Detected over the whole of train when not given. Where there are lists, as in JSON, none is needed."""

    right_is: ClassVar[str] = "F1 of labels"
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]] = {"sequence": above}
    thresholded: ClassVar[Mapping[Form, Thresholded]] = {"sequence": Thresholded(above, tuned)}
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = TOLD
    named: ClassVar[tuple[str, ...]] = ("gold", "predicted")
    card: ClassVar[tuple[str, str]] = ("text-classification", "gives a text every label that holds of it, several or none")
    limits: ClassVar[tuple[str, ...]] = (
        "Each label is a question of its own (problem_type: multi_label_classification): its probabilities do not sum to 1.",
        "Its probabilities were not calibrated.",
    )
    plain_use: ClassVar[str] = PLAIN_USE
    own_use: ClassVar[str] = OWN_USE
    problem: ClassVar[str | None] = "multi_label_classification"

    @field_validator("separator")
    @classmethod
    def _as_it_stands_in_cells(cls, value: str | None) -> str | None:
        if value == "":
            raise ValueError("`separator` is empty; for cells with one label each say `none`")
        return value if value is None else WORDS.get(value, value)

    @staticmethod
    def of(target: Any) -> tuple[str, ...]:
        """All of its labels."""
        return tuple(target)

    # Rows

    def detect(self, source: Source, names: tuple[str, ...] = ()) -> tuple[Self, dict[str, str]]:
        """The columns of 0 and 1 where no column holds labels; else what stands between labels in one cell."""
        wanted = self.labels or names
        if not self._columns_of(source, wanted) and self.label is None and not _has_label_column(source):
            there = [name for name in wanted if name in source.columns]
            if there:
                missing = next(name for name in wanted if name not in there)
                raise DataError(f"{source.files[0]}: no column {missing!r}, though there is one of the label {there[0]!r}")
            found = indicators(source, [name for name in (self.text, self.group_column) if name]) if self.labels is None else ()
            wanted = found if len(found) > 1 else wanted
        if self._columns_of(source, wanted):
            return self.model_copy(update={"labels": wanted}), {"labels": _columns_told(wanted)}
        if self.separator is not None:
            return self, {}
        column = self.columns(source)[0]["label"]
        cells, alone = cells_of(source, column) if column in source.columns else ({}, set())
        if not any(cell.strip() for cell in cells):
            return self, {}
        separator = separator_between(cells, alone, frozenset(self.labels or names))
        told = {LIST: "list (lists written as text)", NONE: "none (a cell is one label)"}.get(separator, written(separator))
        return self.model_copy(update={"separator": separator}), {"separator": told}

    def columns(self, source: Source) -> tuple[dict[str, str], dict[str, str]]:
        """Text and labels; where each label has a column of its own, these."""
        own = self._columns_of(source, self.labels or ())
        if not own:
            return super().columns(source)
        text = self.text or detect_column("text", source, tuple(name for name in (*own, self.group_column) if name))
        if text in own:
            raise DataError(f"{source.files[0]}: the column {text!r} cannot be both text and a label")
        detected = dict(source.detected) | ({} if self.text else {"text": text})
        return {"text": text, **{f"label {number}": name for number, name in enumerate(own, start=1)}}, detected

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """A text and its labels, each once and in order."""
        if "label" in columns and self.repeats_header(record, columns, problems):
            return None
        text = checked_text(record, columns["text"], problems)
        if text is None:
            return None
        labels = self._listed(record, columns["label"], problems) if "label" in columns else self._indicated(record, problems)
        return None if labels is None else Row((text,), tuple(sorted(labels)))

    def lacking(self, source: Source, columns: Mapping[str, str], train: Rows | None) -> str | None:
        """Why no row of a source has a label."""
        if "label" in columns:
            return super().lacking(source, columns, train)
        return without_labels(source, self.labels or (), frozenset(("0", "1")))

    def odd(self, rows: Mapping[str, Rows], columns: Mapping[str, str], problems: Problems) -> tuple[str, ...]:
        """Labels that look like noise."""
        return check_labels(rows, self.of, columns.get("label", "label"), self.labels, self.odd_labels, problems)

    def refuse_one_class(self, train: Rows, known: set[str], problems: Problems) -> None:
        """One label alone is no set."""
        what = f"the only label in train is {next(iter(known))!r}; two at least are wanted" if known else "no text in train has a label"
        problems.fatal("one class only", train.files[0], None, what)

    def noted(self, train: Rows, made: bool) -> tuple[str, ...]:
        """How many labels texts have, and labels with a single example."""
        none, several = sum(not target for target in train.targets), sum(len(target) > 1 for target in train.targets)
        told = f"of {len(train):,} texts{'' if made else ' in train'} {none:,} have no label and {several:,} have several"
        return (told if several else f"{told}; where each has one, say `kind: classify`", *super().noted(train, made))

    def gold(self, targets: Sequence[Any], names: tuple[str, ...]) -> Column:
        """Bool [N, L], which labels a text has."""
        numbers = {name: number for number, name in enumerate(names)}
        flags = np.zeros((len(targets), len(names)), dtype=bool)
        for row, target in enumerate(targets):
            flags[row, [numbers[name] for name in target]] = True
        return flags

    def strata(self, gold: Column) -> Ragged:
        """Each label of a text; those without any are a stratum of their own."""
        flags = np.asarray(gold, dtype=bool)
        flags = np.concatenate([flags, ~flags.any(axis=1, keepdims=True)], axis=1)
        return Ragged.of([row.nonzero()[0] for row in flags])

    def counts(self, gold: Column, names: tuple[str, ...]) -> dict[str, int]:
        """Texts that have each label, zeros included."""
        return dict(zip(names, np.asarray(gold, dtype=bool).sum(axis=0).tolist(), strict=True))

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """Text and labels."""
        return {"text": split.inputs[0][row], "labels": _names(split.gold, row, split.names)}

    # Judging

    @classmethod
    def right(cls, split: Split, answers: Answers) -> NDArray[np.float64]:
        """The F1 of each text's labels."""
        return example_f1(split, answers)

    @classmethod
    def shown(cls, column: Column, row: int, names: tuple[str, ...]) -> str:
        """The labels, or that there is none."""
        return ", ".join(_names(column, row, names)) or NO_LABEL

    def head(self, names: tuple[str, ...], form: Form) -> Head:
        """A number a label, each by itself."""
        if form not in self.answered:
            raise SettingsError(f"a model that gives {form} cannot answer multilabel")
        return Head("sequence", names, "sigmoid", OF_NAMES)

    # Cells

    def _columns_of(self, source: Source, labels: Collection[str]) -> tuple[str, ...]:
        """The labels, where each has a column of its own."""
        return tuple(labels) if labels and self.label is None and set(labels) <= set(source.columns) else ()

    def _listed(self, record: Record, column: str, problems: Problems) -> list[str] | None:
        value = record.values[column]
        if not isinstance(value, str) and is_missing(value):
            message = f"{column!r} is missing; where a text has no label, write an empty list"
            problems.add("no label", record.file, record.line, message, record.values)
            return None
        try:
            cell = labels_in(value, self.separator or NONE)
        except ValueError as error:
            problems.add("odd labels", record.file, record.line, f"{column!r} {error}", record.values)
            return None
        labels: list[str] = []
        for each in cell:
            name = self.checked(record, column, each, problems)
            if name is None:
                return None
            labels.append(name)
        if (twice := repeated(labels)) is not None:
            problems.add("repeated label", record.file, record.line, f"{column!r} names {twice!r} twice", record.values)
            return None
        return labels

    def _indicated(self, record: Record, problems: Problems) -> list[str] | None:
        labels = []
        for name in self.labels or ():
            holds = truth(record.values[name])
            if holds is None:
                message = (
                    f"{name!r} is {record.values[name]!r}, in a column of 0 and 1 (if it is none, name the columns that are with `labels:`)"
                )
                kind = "no label" if is_missing(record.values[name]) else "neither 0 nor 1"
                problems.add(kind, record.file, record.line, message, record.values)
                return None
            labels += [name] if holds else []
        return labels


def _has_label_column(source: Source) -> bool:
    return any(name.strip().casefold() in NAMES["label"] for name in source.columns)


def _names(column: Column, row: int, names: tuple[str, ...]) -> list[str]:
    return [name for name, holds in zip(names, np.asarray(column)[row].tolist(), strict=True) if holds]


def _columns_told(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more} (columns of 0 and 1)"
