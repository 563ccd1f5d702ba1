"""Labelled rows by themselves, for measuring a trained model on them."""

from collections.abc import Sequence
from functools import partial

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Source
from acclimate.errors import DataError
from acclimate.tasks.label_checks import without_labels
from acclimate.tasks.labels import label_hint, some_labels
from acclimate.tasks.rows import Rows, read_rows


def read_labelled(source: Source, text: str, label: str, labels: Sequence[str], skip_bad: bool) -> tuple[Rows, int]:
    """The rows whose label is one of a model's `labels`, read as strictly as a study reads them, and how many were skipped.

    Raises:
        DataError: there are no labels at all, or rows cannot be used; names file and line.
    """
    known = frozenset(labels)
    if label in source.columns and (why := without_labels(source, label, known)):
        raise DataError(f"{source.files[0]}: scores need labels, and there are none ({why}); name the column that holds them with `label:`")
    with Problems(skip_bad) as problems:
        rows = read_rows(source, text, label, None, None, problems)
        good = [row for row, name in enumerate(rows.labels) if name in known]
        among = some_labels(labels)
        for row, name in enumerate(rows.labels):
            if name not in known:
                message = f"label {name!r} is not among the model's {among}"
                record = {"text": rows.texts[row], "label": name}
                problems.add("unknown label", *rows.places[row], message, record, partial(_mend, name, labels))
        if rows.texts and not good and skip_bad:
            problems.fatal("no usable record", source.files[0], None, "no row has a label that the model knows")
    return rows.take(good), problems.rejected


def _mend(name: str, labels: Sequence[str]) -> str:
    if name.isdecimal() and int(name) < len(labels):
        return f" — a class number? The model's number {int(name)} is {labels[int(name)]!r}; write that"
    if all(label == f"LABEL_{number}" for number, label in enumerate(labels)):
        return " — the model has no names for its labels: put them into id2label of its config.json"
    return label_hint(name, frozenset(labels))
