"""A kind of task whose examples are labelled rows of files: where they are, how a row is read, what is right. No torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.ragged import Ragged
from acclimate.data.readers.columns import detect_column
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import LabelledFormat, Reading, TableReading
from acclimate.data.readers.records import Record, Source
from acclimate.errors import DataError
from acclimate.tasks.grouping import Group
from acclimate.tasks.kind import ColumnRole, Place, T, TaskKind
from acclimate.tasks.rows import Row, Rows
from acclimate.tasks.split import Column, Split
from acclimate.tasks.split_files import open_splits

NO_PLACE = "a task needs either `path` (a folder, a dataset, or one file to be split) or `train`"


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
    gold_is: ClassVar[str] = "labels"
    """What is right for items, in messages."""

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(super().__get_pydantic_json_schema__(core_schema, handler))
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

    @classmethod
    def gold_role(cls) -> str:
        """The column that holds what is right: `label`, `score`, ..."""
        return next(role.name for role in cls.roles if not role.is_text)

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """What a record says; `problems` gets to know why it says nothing."""
        raise NotImplementedError

    def lacking(self, source: Source, columns: Mapping[str, str], train: Rows | None) -> str | None:
        """Why no row of a source says what is right, as benchmarks hide it; None where one does. `train`: as it was read."""
        return None

    def sources(self, root: Path) -> dict[str, Source]:
        """The files of each split that is there, train first.

        Raises:
            DataError: nothing is there, or it is not clear which file belongs to which split.
        """
        return open_splits({"train": self.train, "dev": self.dev, "test": self.test}, self.path, root, self.reading)

    def gathered(
        self, rows: Mapping[str, Rows], sources: Mapping[str, Source], root: Path, problems: Problems
    ) -> tuple[dict[str, Rows], tuple[str, ...]]:
        """The rows with what they have in common besides what each says, and what is to be known of that."""
        return dict(rows), ()

    def more_text(self, train: Split, place: Place) -> Corpus | None:
        """Text of the task without labels, which the corpus `task` reads besides that of train."""
        return Corpus.open("unlabeled", self.unlabeled, place.root, place.planned) if self.unlabeled else None

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

    def words(self, targets: Sequence[Any]) -> Ragged | None:
        """Where the words of each item's text begin and end (`Split.words`), for kinds that ask about every word; else None."""
        return None

    def plain(self, inputs: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
        """The texts as people read them (`Split.plain`), for kinds whose items have a form besides; else None."""
        return None

    def noted(self, train: Rows, made: bool) -> tuple[str, ...]:
        """What is to be known of train; `made` says that acclimate takes dev or test out of it."""
        return ()

    def ungrouped(self, splits: Mapping[str, Split], made: tuple[str, ...], columns: Mapping[str, str]) -> tuple[str, ...]:
        """What is to be known of items that may belong together, where nothing says so; `made` names splits that acclimate made."""
        return ()

    def absent(self, counts: Mapping[str, int], split: str) -> tuple[str, ...]:
        """What is to be known of a split with these counts."""
        return ()

    def too_few(self, train: Rows, split: str) -> str:
        """Why nothing could be taken out of train."""
        of = repr(self.group_column) if self.group_column else "equal texts"
        by = f" without tearing apart groups of {of}" if self.group else ""
        return f"{len(train):,} examples are too few to take {split} out of train{by}; name `{split}:`, or raise `{split}_share`"
