"""What a kind of task is: where its examples are, how a row is read, what is right, how answers are judged and told. No torch.

How a model learns a kind is named here (`Head`) and done elsewhere: counts of words, transformers and networks over words may all answer
one kind. A new kind is one new file and one line in `acclimate.tasks.KINDS`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.data.corpus import CorpusSettings
from acclimate.data.ragged import Ragged
from acclimate.data.readers.columns import detect_column
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import LabelledFormat, Reading, TableReading
from acclimate.data.readers.records import Record, Source
from acclimate.errors import DataError, SettingsError, did_you_mean
from acclimate.settings import Settings
from acclimate.tasks.blocks import Block
from acclimate.tasks.grouping import Group
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.rows import Row, Rows
from acclimate.tasks.split import Answers, Column, Split
from acclimate.tasks.thresholds import Choice, Thresholded, Thresholds

if TYPE_CHECKING:  # a task is of a kind
    from acclimate.tasks.task import Task

T = TypeVar("T", bound="Task")

Form = Literal["sequence", "tokens", "embedding", "text"]
"""What a model gives for an item: numbers for the whole of it, numbers for every word, a vector, or written words."""


Link = Literal["softmax", "sigmoid", "none"]
"""What a model's numbers mean: probabilities of names of which one holds, of names each of which may hold, or the numbers themselves."""


NO_PLACE = "a task needs either `path` (a folder, a dataset, or one file to be split) or `train`"


class ColumnRole(NamedTuple):
    """A column that a kind reads: its key in the study file, and the names by which it is found where that is silent."""

    name: str
    known_as: tuple[str, ...]
    is_text: bool = False


class Head(NamedTuple):
    """What a model needs to answer a kind: outputs by name, what they mean, and the losses that may train it, the usual one first."""

    form: Form
    names: tuple[str, ...]
    link: Link
    losses: tuple[str, ...]


class Judged(NamedTuple):
    """What a report tells of one recipe: the test split, for each seed the answers to it, and the thresholds where they were tuned."""

    split: Split
    answers: tuple[Answers, ...]
    thresholds: tuple[Thresholds | None, ...] = ()
    recipes: Mapping[str, tuple[Answers, ...]] = {}
    """The answers of every recipe, in the order of the study."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, tags, ... of the task."""
        return self.split.names


class Place(NamedTuple):
    """Where the data of a study is, and what is known of it already."""

    root: Path
    """Relative paths start here."""
    rejects: Path | None = None
    """A folder for records that are skipped."""
    planned: str | None = None
    """The fingerprint of the task's unlabelled texts, where an earlier reading found it."""
    corpora: Mapping[str, CorpusSettings] = {}
    """The corpora of the study, by name."""


class TaskKind(Settings):
    """What is answered and how it is judged, wherever its items come from."""

    kind: str
    """What is to be learned."""

    learned: ClassVar[bool] = True
    """Whether there are examples to learn from; else the items only judge, and train is empty."""
    traced: ClassVar[bool] = True
    """Whether digests tell tasks of this kind from those of others; not so the first kind, whose digests are older than kinds."""
    item: ClassVar[str] = "text"
    """What is judged and resampled: a text, a pair, a sentence, a query."""
    metrics: ClassVar[tuple[Metric, ...]]
    """Every score of a split; the first one is compared where nothing is said."""
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]]
    """From the outputs of a model of some form to answers; a form that is missing cannot answer this kind."""
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = ()
    """What a report tells of the chosen recipe: values, no prose."""
    thresholded: ClassVar[Mapping[Form, Thresholded]] = {}
    """By form of model, how thresholds are tuned on dev and used; a form that is missing has none to tune."""
    named: ClassVar[tuple[str, ...]] = ()
    """The columns of predictions that point into the names: results show the names themselves."""
    card: ClassVar[tuple[str, str]]
    """For a model card: the hub's pipeline tag, and what such a model does; `{count}` stands for the number of names."""
    limits: ClassVar[tuple[str, ...]] = ()
    """For a model card: sentences on what no model of this kind should be trusted with; `{count}` as above."""
    plain_use: ClassVar[str] = ""
    """For a model card: Python that asks such a model with plain transformers; `{cut}` stands for `, max_length=N`."""
    own_use: ClassVar[str] = ""
    """For a model card: Python that asks such a model with acclimate, where plain transformers cannot."""
    whole_use: ClassVar[str] = "acclimate predict FOLDER texts.jsonl --out labels.csv"
    """For a model card: the command that does it for a whole file; `FOLDER` stands for the model's."""
    name_is: ClassVar[str] = "label"
    """What its names are called in tables."""
    problem: ClassVar[str | None] = None
    """The `problem_type` of transformers' config.json whose outputs are answers of this kind."""

    # Items

    def opened(self, task: "type[T]", place: Place) -> "T":
        """The task itself (`task` is what makes one), read and checked.

        Raises:
            DataError: something that it names cannot be used.
        """
        raise NotImplementedError

    @property
    def placed(self) -> bool:
        """Whether it says where its items are; else they are given from Python."""
        return True

    def paths(self) -> tuple[str, ...]:
        """What it names of files, folders and datasets with examples."""
        return ()

    def corpora(self) -> dict[str, CorpusSettings]:
        """Text that it names by itself, by what it is called in results."""
        return {}

    def strata(self, gold: Column) -> Ragged:
        """The strata of each item: splits and label budgets are balanced over these."""
        raise NotImplementedError

    def counts(self, gold: Column, names: tuple[str, ...]) -> dict[str, int]:
        """Items of each name, zeros included."""
        return {}

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """An item of a split that acclimate made, for a jsonl file that this kind reads again."""
        raise NotImplementedError

    # Judging

    @classmethod
    def metric(cls, name: str | None) -> Metric:
        """The score of this name that may be compared; the usual one for None.

        Raises:
            SettingsError: this kind has none of this name, or none that can be compared.
        """
        known = {metric.name: metric for metric in cls.metrics if metric.compared}
        if name is None:
            return cls.metrics[0]
        if name not in known:
            kind = cls.model_fields["kind"].default
            mend = did_you_mean(name, list(known)) or f"; those of {kind} are {', '.join(known)}"
            raise SettingsError(f"{name!r} is no score by which {kind} is compared{mend}")
        return known[name]

    @classmethod
    def scores(cls, split: Split, answers: Answers) -> dict[str, float]:
        """Every score of a split, by name."""
        return {metric.name: metric.score(split, answers) for metric in cls.metrics}

    @classmethod
    def decoded(cls, form: Form, outputs: Any, split: Split, thresholds: Thresholds | None = None) -> Answers:
        """The answers that a model's outputs mean; with thresholds [L] where they are not the usual ones."""
        return cls.answered[form](outputs, split) if thresholds is None else cls.thresholded[form].answer(outputs, split, thresholds)

    @classmethod
    def check_thresholds(cls, choice: Choice) -> None:
        """Refuse thresholds to be tuned where answers know none.

        Raises:
            SettingsError: this kind has none.
        """
        if choice != "half" and not cls.thresholded:
            raise SettingsError(f"thresholds: {cls.model_fields['kind'].default} has no thresholds to be tuned; leave `thresholds` out")

    def head(self, names: tuple[str, ...], form: Form) -> Head:
        """What a model of some form needs to answer this kind.

        Raises:
            SettingsError: such a model cannot.
        """
        raise NotImplementedError

    @classmethod
    def right(cls, split: Split, answers: Answers) -> NDArray[np.float64]:
        """[N] how right the answer to each item is, from 0 to 1: what recipes may disagree about."""
        raise NotImplementedError

    @classmethod
    def shown(cls, column: Column, row: int, names: tuple[str, ...]) -> str:
        """What is right for an item, or what a model said of it, in words."""
        raise NotImplementedError

    @classmethod
    def about(cls) -> dict[str, Any]:
        """What result files say of this kind, so that whoever reads them needs to know none: name, item, scores in order, and card."""
        told = ("words", "better", "span", "compared", "hub")
        return {
            "kind": cls.model_fields["kind"].default,
            "item": cls.item,
            "name_is": cls.name_is,
            "metrics": {metric.name: {name: getattr(metric, name) for name in told} for metric in cls.metrics},
            "card": {
                "tag": cls.card[0],
                "does": cls.card[1],
                "limits": list(cls.limits),
                "plain_use": cls.plain_use,
                "own_use": cls.own_use,
                "whole_use": cls.whole_use,
            },
        }

    @classmethod
    def told_of(cls, judged: Judged) -> tuple[Block, ...]:
        """What there is to tell of a recipe's answers."""
        return tuple(block for tell in cls.blocks if (block := tell(judged)) is not None)

    def identity(self) -> list[Any]:
        """What digests of a task hold besides its names and splits."""
        return [self.kind] if self.traced else []


class LabelledKind(TaskKind, TableReading):
    """Where the examples are and how to read them: `path` for the whole, or `train` with or without `dev` and `test`.

    A bare string stands for `path`.
    """

    path: str | None = None
    """A folder with train/dev/test files, a Hugging Face dataset folder or hub id, or one file or glob that acclimate splits."""
    train: str | None = None
    """The training examples: a file, glob or folder."""
    dev: str | None = None
    """The examples that choose; taken out of train when not given."""
    test: str | None = None
    """The examples that judge; taken out of train when not given."""
    group: Group | None = None
    """What belongs together (a patient, a contract): a column, or `{text_without: REGEX}` where texts are the same but for marks. Groups
    are the unit of intervals and verdicts, of splits that acclimate makes, of label budgets, and of text held out in pretraining."""
    format: LabelledFormat | None = None
    """`jsonl`, `json`, `csv`, `tsv`, `parquet` or `hf`; known from the file names when not given."""
    unlabeled: CorpusSettings | None = None
    """More text of the task without labels; read where a stage reads the corpus `task`."""
    skip_bad: bool = False
    """Skip and count records that cannot be used, and keep them in a rejects file, instead of stopping."""
    duplicates: Literal["error", "drop", "keep"] = "error"
    """What to do with a text that is in train and in test: stop, `drop` it (from train, then from dev, never from test), or `keep` it."""
    dev_share: float = Field(default=0.1, gt=0, lt=1)
    """The share of all examples that becomes dev where none is given."""
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """The share of all examples that becomes test where none is given."""
    split_seed: int = 0
    """The seed of what acclimate splits and samples; it is the same for every run of a study."""
    test_examples: int | None = Field(default=None, ge=2)
    """Judge on so many test examples, drawn at random, where there are more; all when not given. Intervals widen accordingly. Single
    examples are drawn, also of groups, which stay the unit of the statistics."""

    roles: ClassVar[tuple[ColumnRole, ...]]
    """The columns that are read, in the order in which they are looked for."""

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [{"type": "string"}, full], "description": full.get("description", "")}

    @model_validator(mode="after")
    def _one_way(self, info: ValidationInfo) -> "LabelledKind":
        # In Python, where nothing is said of a source, rows may be given later.
        if (self.path is not None and self.train is not None) or (info.context is not None and not self.placed):
            raise ValueError(NO_PLACE)
        if self.path is not None and (self.dev or self.test):
            raise ValueError("`path` stands for the whole task; with `dev` or `test` say `train` instead of `path`")
        if self.dev_share + self.test_share >= 1:
            raise ValueError("`dev_share` and `test_share` leave nothing for train")
        return self

    @property
    def placed(self) -> bool:
        """Whether it says where its examples are; else they are given from Python."""
        return self.path is not None or self.train is not None

    @property
    def reading(self) -> Reading:
        """How the files are to be read, as far as it is stated."""
        return self.read_as(self.format)

    def opened(self, task: "type[T]", place: Place) -> "T":
        """As its files say."""
        return task.of_files(self, place)

    def paths(self) -> tuple[str, ...]:
        """The whole, or its splits."""
        return tuple(path for path in (self.path, self.train, self.dev, self.test) if path is not None)

    def corpora(self) -> dict[str, CorpusSettings]:
        """The texts without labels."""
        return {} if self.unlabeled is None else {"task unlabeled": self.unlabeled}

    @property
    def group_column(self) -> str | None:
        """The column that names the groups; None where there are none, or where they follow from the texts."""
        return self.group if isinstance(self.group, str) else None

    # Rows

    def detect(self, source: Source, names: tuple[str, ...] = ()) -> tuple[Self, dict[str, str]]:
        """This kind with what nobody stated and the rows of a source show (train, or what a model is judged by), and what that was.

        `names` are those that a model knows, where one is judged.

        Raises:
            DataError: it is not clear.
        """
        return self, {}

    def columns(self, source: Source) -> tuple[dict[str, str], dict[str, str]]:
        """The name of the column of each role, and what of the source and of them was detected rather than stated.

        Raises:
            DataError: it is not clear which column is meant.
        """
        detected = dict(source.detected)
        stated = {role.name: name for role in self.roles if (name := getattr(self, role.name, None)) is not None}
        found = dict(stated)
        for role in self.roles:
            if role.name not in found:
                taken = tuple(name for name in (*found.values(), self.group_column) if name)
                found[role.name] = detected[role.name] = detect_column(role.name, source, taken, role.known_as)
        twice = next((name for name in found.values() if list(found.values()).count(name) > 1), None)
        if twice is not None:
            both = " and ".join(role.name for role in sorted(self.roles, key=lambda role: not role.is_text) if found[role.name] == twice)
            raise DataError(f"{source.files[0]}: the column {twice!r} cannot be both {both}")
        return {role.name: found[role.name] for role in self.roles}, detected

    @classmethod
    def texts(cls) -> int:
        """How many columns of text an item has."""
        return sum(role.is_text for role in cls.roles)

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """What a record says; `problems` gets to know why it says nothing."""
        raise NotImplementedError

    def lacking(self, source: Source, columns: Mapping[str, str], train: Rows | None) -> str | None:
        """Why no row of a source says what is right, as benchmarks hide it; None where one does. `train`: as it was read."""
        return None

    def odd(self, rows: Mapping[str, Rows], columns: Mapping[str, str], problems: Problems) -> tuple[str, ...]:
        """Look at the whole of what was read; `problems` gets to know what is wrong, and what is to be known of it is returned."""
        return ()

    def settle(self, rows: Mapping[str, Rows], problems: Problems) -> dict[str, Rows]:
        """The rows that can be used together: dev and test hold nothing that train does not know; `problems` gets to know the others."""
        return dict(rows)

    def known_to_model(self, rows: Rows, names: tuple[str, ...], problems: Problems) -> Rows:
        """The rows by which a model that knows these names can be judged; `problems` gets to know the others."""
        return rows

    def found(self, train: Rows) -> tuple[str, ...]:
        """The classes, tags, ... of train, in order; none where a kind has none."""
        return ()

    def names(self, train: Rows) -> tuple[str, ...]:
        """Those of the task: as the study file says, or as found."""
        return self.found(train)

    def gold(self, targets: Sequence[Any], names: tuple[str, ...]) -> Column:
        """What is right [N], as a column."""
        raise NotImplementedError

    def noted(self, train: Rows, made: bool) -> tuple[str, ...]:
        """What is to be known of train; `made` says that acclimate takes dev or test out of it."""
        return ()

    def absent(self, counts: Mapping[str, int], split: str) -> tuple[str, ...]:
        """What is to be known of a split with these counts."""
        return ()

    def too_few(self, train: Rows, split: str) -> str:
        """Why nothing could be taken out of train."""
        of = repr(self.group_column) if self.group_column else "equal texts"
        by = f" without tearing apart groups of {of}" if self.group else ""
        return f"{len(train):,} examples are too few to take {split} out of train{by}; name `{split}:`, or raise `{split}_share`"


def many(item: str) -> str:
    """The plural of an item: `texts`, `queries`."""
    return f"{item[:-1]}ies" if item.endswith("y") else f"{item}s"


def split_scores(kind: TaskKind, answered: Mapping[str, tuple[Split, Answers]]) -> dict[str, float]:
    """Every score of each split, as `dev_macro_f1`, ..., `test_macro_f1`, ..."""
    return {f"{name}_{metric}": value for name, both in answered.items() for metric, value in kind.scores(*both).items()}
