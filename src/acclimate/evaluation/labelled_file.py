"""A file of labelled items by which a trained model is judged: opened before a weight is read, then read against its labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from acclimate.data.readers.one_split import open_one
from acclimate.data.readers.records import Source
from acclimate.errors import DataError, ModelError, SettingsError
from acclimate.evaluation.asked_rows import notes_of
from acclimate.evaluation.trained_folder import model_config
from acclimate.modeling.base_files import EXPORTED, KIND
from acclimate.tasks.generate import Generate
from acclimate.tasks.kind import Form, TaskKind, many
from acclimate.tasks.labelled import read_labelled
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.rows import Rows
from acclimate.tasks.split import Split
from acclimate.tasks.task import split_of

Say = Callable[[str], None]


@dataclass(frozen=True)
class LabelledFile:
    """Opened, and not yet read."""

    file: str
    kind: LabelledKind
    source: Source

    @classmethod
    def open(cls, kind: type[LabelledKind], file: str, reading: Mapping[str, Any], split: str | None) -> "LabelledFile":
        """A file, a folder, a glob or a dataset with items of this kind; `reading` says how it is read, where that is stated.

        Raises:
            DataError: it cannot be opened, or holds no labels.
            SettingsError: `reading` says what this kind of task does not know.
        """
        read = _read_as(kind, {"train": file, **reading})
        source = open_one(file, Path.cwd(), read.reading, split)
        if source.format == "txt":
            raise DataError(f"{source.files[0]}: scores need labels, and a txt file has none; say {read.reading.with_labels}")
        refuse_sentences(source, kind)
        return cls(file, read, source)

    def rows(self, model: Path, labels: tuple[str, ...], say: Say) -> "Judged":
        """Its items, for a model that knows these labels.

        Raises:
            DataError: rows cannot be used, or their labels are unknown to the model.
            ModelError: whoever made the model did not say what it answers, and this is something else.
        """
        kind, found = self.kind.detect(self.source, labels)
        columns = _columns(model, kind, self.source)
        for note in notes_of(
            self.file, self.source, {role.name: columns[role.name] for role in reversed(kind.roles) if role.name in columns}
        ):
            say(note)
        if found:
            say(f"{self.file}: {', '.join(f'{name} {value}' for name, value in found.items())}")
        rows, rejected = read_labelled(self.source, kind, columns, labels)
        say(
            f"evaluated on {len(rows):,} {many(kind.item)} of {_named(self.source)}"
            + (f"; {rejected:,} rows that could not be used are left out" if rejected else "")
        )
        return Judged(kind, split_of(rows, kind, labels), rows)


@dataclass(frozen=True)
class LabelledItems:
    """Items by which a model is judged."""

    kind: LabelledKind
    split: Split

    def scores(self, outputs: Any, thresholds: Any) -> dict[str, float]:
        """By name, of what a model gave for them ([N, L], or [all words, L]) and the thresholds [L] that make answers of it."""
        form: Form = "text" if "text" in self.kind.answered else "sequence" if self.split.words is None else "tokens"
        answers = self.kind.decoded(form, outputs, self.split, thresholds)
        return self.kind.scores(self.split, answers)


@dataclass(frozen=True)
class Judged(LabelledItems):
    """The items of a file, and where they stand in it."""

    rows: Rows

    @property
    def chat(self) -> bool:
        """Whether they are conversations."""
        return isinstance(self.kind, Generate) and self.kind.chat


def refuse_sentences(source: Source, kind: type[TaskKind] | None) -> None:
    """Refuse sentences in columns where it is texts that are asked about.

    Raises:
        DataError: they are.
    """
    if source.format == "conll" and (kind is None or not kind.every_word):
        raise DataError(f"{source.files[0]}: a word a line (CoNLL), which models that tag words are asked about; this one answers texts")


def _columns(model: Path, kind: LabelledKind, source: Source) -> dict[str, str]:
    """The column of each role."""
    try:
        return kind.columns(source)[0]
    except DataError as error:
        if kind.problem != "regression" or (model / EXPORTED).is_file() or KIND in model_config(model):
            raise
        # Whoever made it said no more of it than that it gives a number: of one text, perhaps.
        raise ModelError(
            f"{model}: this model gives numbers (problem_type: regression); only models that give a text labels are evaluated, and such a "
            f"one on pairs with a score: {error}"
        ) from error


def _read_as(kind: type[LabelledKind], said: Mapping[str, Any]) -> LabelledKind:
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        setting, answers = ".".join(map(str, first["loc"])), kind.model_fields["kind"].default
        why = f"says nothing of {answers}, which this model answers" if first["type"] == "extra_forbidden" else first["msg"]
        raise SettingsError(f"`{setting}:` {why}") from error


def _named(source: Source) -> str:
    files = sorted({str(file) for file in source.files})
    return files[0] if len(files) == 1 else f"{len(files)} files ({files[0]}, ...)"
