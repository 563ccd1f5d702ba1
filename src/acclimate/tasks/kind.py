"""What a kind of task is: what there is to be answered, what is right, how answers are judged and told. No torch.

How a model learns a kind is named here (`Head`) and done elsewhere: counts of words, transformers and networks over words may all answer
one kind. A new kind is one new file and one line in `acclimate.tasks.KINDS`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from acclimate.data.corpus import CorpusSettings
from acclimate.data.ragged import Ragged
from acclimate.data.readers.every_text import Asked, asked_text
from acclimate.data.readers.records import Source
from acclimate.errors import SettingsError, did_you_mean
from acclimate.settings import Settings
from acclimate.tasks.blocks import Block
from acclimate.tasks.budgets import ClassesOf
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.relations import Relation
from acclimate.tasks.split import Answers, Column, Split
from acclimate.tasks.thresholds import Choice, Thresholded, Thresholds

if TYPE_CHECKING:  # a task is of a kind
    from acclimate.tasks.task import Task

T = TypeVar("T", bound="Task")

Form = Literal["sequence", "tokens", "embedding", "ranking", "text"]
"""What a model gives for an item: numbers for the whole of it, numbers for every word, a vector, documents in order, or written words."""


Link = Literal["softmax", "sigmoid", "none"]
"""What a model's numbers mean: probabilities of names of which one holds, of names each of which may hold, or the numbers themselves."""

OF_NAMES = ("cross_entropy", "focal", "label_smoothing", "logit_adjustment", "dice", "module:function")
"""The losses that train whatever is answered with names, the usual one first."""


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
    right_is: ClassVar[str] = ""
    """What `right` says of an answer that may be right in part, in words; "" where an answer is right or wrong."""
    relates: ClassVar[Relation | None] = None
    """How its items tell which texts belong together, so that vectors are learned from them; None: they do not."""
    named: ClassVar[tuple[str, ...]] = ()
    """The columns of predictions that point into the names: results show the names themselves."""
    classed: ClassVar[bool] = False
    """Whether items are examples of classes, so that so many of each may be drawn (`classes`)."""
    card: ClassVar[tuple[str, str]]
    """For a model card: the hub's pipeline tag, and what such a model does; `{count}` stands for the number of names."""
    limits: ClassVar[tuple[str, ...]] = ()
    """For a model card: sentences on what no model of this kind should be trusted with; `{count}` as above."""
    plain_use: ClassVar[str] = ""
    """For a model card: Python that asks such a model with plain transformers; `{cut}` stands for `, max_length=N`."""
    own_use: ClassVar[str] = ""
    """For a model card: Python that asks such a model with acclimate, where plain transformers cannot."""
    tuned_plain_use: ClassVar[str] = ""
    """As `plain_use`, where thresholds were tuned, of which plain transformers knows nothing; empty where it tells that already."""
    tuned_own_use: ClassVar[str] = ""
    """As `own_use`, where thresholds were tuned."""
    whole_use: ClassVar[str] = "acclimate predict FOLDER texts.jsonl --out labels.csv"
    """For a model card: the command that does it for a whole file; `FOLDER` stands for the model's."""
    name_is: ClassVar[str] = "label"
    """What its names are called in tables."""
    counted: ClassVar[str] = ""
    """What is counted by name (`counts`) where it is not items."""
    architecture: ClassVar[str | tuple[str, ...] | None] = None
    """How the names of transformers' classes end whose models answer this kind, where that tells."""
    every_word: ClassVar[bool] = False
    """Whether every word of a text is asked about (`Split.words`), and answers are what words make: entities."""
    problem: ClassVar[str | None] = None
    """The `problem_type` of transformers' config.json whose outputs are answers of this kind."""

    # Items

    def opened(self, task: "type[T]", place: Place) -> "T":
        """The task itself (`task` is what makes one), read and checked.

        Raises:
            DataError: something that it names cannot be used.
        """
        raise NotImplementedError

    @classmethod
    def texts(cls) -> int:
        """How many columns of text an item has."""
        return 1

    @classmethod
    def asked(cls, source: Source, stated: Mapping[str, str]) -> Asked:
        """What of the rows of a source a model is asked about, without what is right; `stated` are the columns that the user named.

        Raises:
            DataError: it is not clear which columns are meant.
        """
        return asked_text(source, stated)

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

    def classes(self, gold: Column, names: tuple[str, ...]) -> ClassesOf:
        """The classes of each item, where they are `classed`."""
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
    def check_thresholds(cls, choice: Choice, names: tuple[str, ...]) -> None:
        """Refuse thresholds to be tuned where answers know none; `names` are those of the task.

        Raises:
            SettingsError: this kind, or a task of these names, has none.
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
        """What is right for an item, or what a model said of it, in words; `names`: classes, or ids of documents."""
        raise NotImplementedError

    @classmethod
    def agreed(cls, columns: Sequence[Column], row: int, names: tuple[str, ...]) -> str:
        """What the seeds of a recipe said of an item, in words: what most of them did."""
        return Counter(cls.shown(column, row, names) for column in columns).most_common(1)[0][0]

    @classmethod
    def about(cls) -> dict[str, Any]:
        """What result files say of this kind, so that whoever reads them needs to know none: name, item, scores in order, and card."""
        told = ("words", "better", "span", "compared", "hub")
        return {
            "kind": cls.model_fields["kind"].default,
            "item": cls.item,
            "name_is": cls.name_is,
            "learned": cls.learned,
            "right_is": cls.right_is,
            "counted": cls.counted,
            "metrics": {metric.name: {name: getattr(metric, name) for name in told} for metric in cls.metrics},
            "card": {
                "tag": cls.card[0],
                "does": cls.card[1],
                "limits": list(cls.limits),
                "plain_use": cls.plain_use,
                "own_use": cls.own_use,
                "tuned_plain_use": cls.tuned_plain_use,
                "tuned_own_use": cls.tuned_own_use,
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


def many(item: str) -> str:
    """The plural of an item: `texts`, `queries`."""
    return f"{item[:-1]}ies" if item.endswith("y") else f"{item}s"


def split_scores(kind: TaskKind, answered: Mapping[str, tuple[Split, Answers]]) -> dict[str, float]:
    """Every score of each split, as `dev_macro_f1`, ..., `test_macro_f1`, ..."""
    return {f"{name}_{metric}": value for name, both in answered.items() for metric, value in kind.scores(*both).items()}
