"""The data section of a study: settings, and everything it names opened and checked."""

import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, create_model, model_validator

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.selection.chosen import Chosen
from acclimate.data.selection.settings import AnyCorpus, SelectedCorpus, Selection
from acclimate.errors import AcclimateError, SettingsError, did_you_mean
from acclimate.files import word_of
from acclimate.settings import OneOf, Settings
from acclimate.tasks import KINDS
from acclimate.tasks.general_text import GeneralText
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.leaks import UNLABELED_TOLD, note_of, refuse_test_set
from acclimate.tasks.looked_through import UNLABELED, LookedThrough, look_through
from acclimate.tasks.task import Task

_ROLES = ("domain", "general", "transfer")
_TASK_NAME = re.compile(r"\w(?:[\w .-]*[\w.-])?")  # what is made of a task stands in folders of its name
# The rest name parts of the data in plans, and places of leaks, as does what begins with "task ".
_RESERVED = (*_ROLES, "task", "labels", "exam", "train", "train text", "dev text", "test text", "general text")


def _one_of(kinds: tuple[type[TaskKind], ...]) -> tuple[OneOf, BeforeValidator]:
    # What says no kind is of the first, and so is a path alone.
    first = kinds[0].model_fields["kind"].default

    def as_written(value: Any) -> Any:
        value = {"path": value} if isinstance(value, str) else value
        return {"kind": first, **value} if isinstance(value, Mapping) else value

    return OneOf("kind", kinds), BeforeValidator(as_written)


class DataSettings(Settings):
    """The data of a study: a labelled task and corpora by role or by name."""

    kinds: ClassVar[tuple[type[TaskKind], ...]] = KINDS

    task: Annotated[TaskKind, *_one_of(KINDS)] | None = None
    """The labelled task."""
    tasks: dict[str, Annotated[TaskKind, *_one_of(KINDS)]] = Field(default_factory=dict)
    """Further labelled tasks under names of your own, which a stage may learn on the way (`finetune: {task: NAME}`)."""
    domain: CorpusSettings | None = None
    """Text of the domain (DAPT)."""
    general: CorpusSettings | None = None
    """General text: a corpus under this name."""
    transfer: CorpusSettings | None = None
    """Text without labels of which students ask their teacher (`distill`), or of a field next door: a corpus under this name."""
    corpora: dict[str, AnyCorpus] = Field(default_factory=dict)
    """Further corpora under names of your own: in files, or chosen from other corpora (`select`)."""
    leaks: Literal["keep", "drop"] = "keep"
    """`drop` reads every corpus without the documents that are a text of dev or test, nearly so, or contain one; train stays as it is."""

    @model_validator(mode="before")
    @classmethod
    def _of_other_kinds(cls, value: Any) -> Any:
        for role in _ROLES if isinstance(value, Mapping) else ():
            if isinstance(value.get(role), Mapping) and "select" in value[role]:
                raise ValueError(f"`{role}: {{select: ...}}`: what is chosen stands under `corpora:`, by a name of its own")
        foreign = isinstance(value, DataSettings) and not isinstance(value, cls)
        return {name: getattr(value, name) for name in type(value).model_fields} if foreign else value

    @model_validator(mode="after")
    def _names(self) -> Self:
        for name in self.corpora:
            if name in (*_ROLES, "task"):
                raise ValueError(f"`corpora: {name}` takes a name that has a role; say `{name}:` directly under `data:`, or rename it")
            if name in _RESERVED or name.startswith("task "):
                raise ValueError(f"`corpora: {name}` takes a name that a part of the data has; rename it")
        for name, task in self.tasks.items():
            if name in (*_RESERVED, *self.corpora) or name == "unlabeled":
                raise ValueError(f"`tasks: {name}` takes a name that something else has; rename it")
            if not _TASK_NAME.fullmatch(name):
                raise ValueError(f"`tasks: {name!r}` is no name: letters, digits, spaces, dots and dashes, the first a letter or digit")
            if not task.learned:
                raise ValueError(f"`tasks: {name}` is of the kind {task.kind}, which nothing learns: it can only be the study's `task`")
            if getattr(task, "unlabeled", None) is not None:
                raise ValueError(f"`tasks: {name}` has `unlabeled`, and only the study's task has: say it as a corpus under `corpora:`")
        return self

    def corpora_by_name(self) -> dict[str, CorpusSettings]:
        """All corpora that stand in files, those with a role first."""
        roles = {"domain": self.domain, "general": self.general, "transfer": self.transfer}
        return {name: corpus for name, corpus in {**roles, **self.corpora}.items() if isinstance(corpus, CorpusSettings)}

    def selections(self) -> dict[str, Selection]:
        """By name, how corpora are chosen from others."""
        return {name: corpus.select for name, corpus in self.corpora.items() if isinstance(corpus, SelectedCorpus)}

    def sources(self, name: str) -> tuple[str, ...]:
        """The corpora in files from which the texts of a corpus come: itself, or those that it is chosen from."""
        selection = self.selections().get(name)
        return (name,) if selection is None else tuple(file for source in selection.sources for file in self.sources(source))

    def __reduce__(self) -> Any:
        # A worker in another process has no class that was made for other kinds, but can make it.
        return _empty, (self.kinds,), self.__getstate__()


@cache
def data_settings(kinds: tuple[type[TaskKind], ...]) -> type[DataSettings]:
    """The data section of studies that may name these kinds of task."""
    if kinds == KINDS:
        return DataSettings
    task = Annotated[TaskKind, *_one_of(kinds)]
    fields = DataSettings.model_fields
    made: type[DataSettings] = create_model(
        "DataSettings", __base__=DataSettings, __doc__=DataSettings.__doc__, __module__=__name__,
        kinds=(ClassVar[tuple[type[TaskKind], ...]], kinds),
        task=(task | None, copy(fields["task"])), tasks=(dict[str, task], copy(fields["tasks"])),
    )  # fmt: skip
    return made


def _empty(kinds: tuple[type[TaskKind], ...]) -> DataSettings:
    return data_settings(kinds).__new__(data_settings(kinds))


@dataclass(frozen=True, eq=False)
class Data:
    """Everything a study reads."""

    task: Task | None
    corpora: Mapping[str, Corpus]
    found: LookedThrough = field(default_factory=LookedThrough)  # of dev and test in what is learned from; only when scanned
    scanned: bool = True
    tasks: Mapping[str, Task] = field(default_factory=dict)  # those besides the study's, by name
    selections: Mapping[str, Selection] = field(default_factory=dict)  # how corpora are chosen from others, by name
    chosen: Mapping[str, Chosen] = field(default_factory=dict)  # of these, what has been chosen; it is among the corpora, too
    general: GeneralText | None = None  # by which forgetting is measured; None: it is not

    @classmethod
    def open(
        cls,
        settings: DataSettings,
        root: Path,
        rejects: Path | None = None,
        planned: Mapping[str, str] | None = None,
        dropping: Mapping[str, frozenset[int]] | None = None,
        general: str | None = None,
    ) -> "Data":
        """Open all of it; relative paths start at `root`. The task is always read and checked in full.

        Corpora are, too, unless their fingerprints are given as `planned` (see `fingerprints`): then they are only found here, and who
        reads one to its end is told if it has changed; `dropping` is what was found then to be read without (`found.dropping`). What
        `skip_bad` skips is written to the folder `rejects`, a jsonl file for each of task and corpora. Forgetting is measured on the text
        called `general` (`GeneralText.open`), where there is one.

        Raises:
            DataError: a file is missing, malformed or inconsistent.
        """
        known = planned or {}
        named = settings.corpora_by_name()
        task = Task.open(settings.task, root, rejects, known.get(UNLABELED), named) if settings.task else None
        asked = GeneralText.open(general, named, root) if general is not None else None
        without = (task.withheld if task else frozenset()) | (asked.withheld if asked else frozenset())
        corpora = {name: Corpus.open(name, corpus, root, known.get(name), without) for name, corpus in named.items()}
        tasks = {name: _named(name, kind, root, rejects) for name, kind in settings.tasks.items()}
        found, read = LookedThrough(), {**corpora, **({UNLABELED: task.unlabeled} if task and task.unlabeled else {})}
        if planned is None:
            found, read = look_through(task, read, tasks, rejects, settings.leaks == "drop")
        else:
            read |= {name: read[name].without(digests, planned[name]) for name, digests in (dropping or {}).items()}
        if task is not None and UNLABELED in read:
            task = replace(task, unlabeled=read.pop(UNLABELED))
        return cls(task, read, found, planned is None, tasks, settings.selections(), general=asked)

    @property
    def overlap(self) -> dict[str, float]:
        """The share of test texts that stand in a corpus, or further task, by its name; only when scanned."""
        chosen = {name: each.overlap for name, each in self.chosen.items() if each.overlap is not None}
        return {**self.found.overlap, **chosen}

    def task_called(self, name: str | None) -> Task | None:
        """The task of this name among `data: tasks:`; the study's, if it has one, for None."""
        return self.task if name is None else self.tasks[name]

    def fingerprints(self) -> dict[str, str]:
        """Of every corpus by name, the task's unlabelled texts under `task`; what `open` takes as `planned`."""
        unlabeled = {UNLABELED: self.task.unlabeled} if self.task and self.task.unlabeled else {}
        read = {name: corpus for name, corpus in self.corpora.items() if name not in self.chosen}
        return {name: corpus.fingerprint for name, corpus in {**read, **unlabeled}.items()}

    def choosing(self, made: Mapping[str, tuple[str, Path]]) -> "Data":
        """With corpora that have been chosen by now: of each the key of what decides them, and the folder in which they stand."""
        by = self.selections
        chosen = {name: Chosen(folder, key, by[name].told(), by[name].sources) for name, (key, folder) in made.items()}
        corpora = {**self.corpora, **{name: each.corpus(name) for name, each in chosen.items()}}
        return replace(self, corpora=corpora, chosen={**self.chosen, **chosen})

    def sources(self, name: str) -> tuple[Corpus, ...]:
        """The corpora in files from which the texts of a corpus come: itself, or those that it is chosen from."""
        if name in self.corpora:
            return (self.corpora[name],)
        return tuple(corpus for source in self.selections[name].sources for corpus in self.sources(source))

    def documents(self, name: str) -> Corpus:
        """The corpus of this name; `task` is the text of the whole training split, whatever the label budget, and of unlabelled files.

        Raises:
            SettingsError: there is no such corpus.
        """
        if name == "task" and self.task is not None:
            train = self.task.train
            return Corpus.of_texts("task", train.documents(), self.task.text_fingerprint, self.task.unlabeled, train.document_groups)
        if name in self.corpora:
            return self.corpora[name]
        known = [*(["task"] if self.task else []), *self.corpora]
        mend = did_you_mean(name, known) or f"; the study has {', '.join(map(repr, known)) or 'none'}"
        raise SettingsError(f"there is no corpus {name!r}{mend}")

    def refuse_test_sets(self) -> None:
        """See that no corpus is the test set.

        Raises:
            DataError: one is, and is not read without its texts.
        """
        # Documents that are searched are there to be read: that a query is one of them, word for word, tells no model what answers it.
        searched = self.task is not None and self.task.test.collection is not None
        unlabeled = self.task.unlabeled if self.task is not None and not searched else None
        for name, corpus in {**self.corpora, **({} if unlabeled is None else {UNLABELED_TOLD: unlabeled})}.items():
            if self.task is not None and name in self.found.holdings:
                refuse_test_set(self.task, self.found.holdings[name], corpus)

    def facts(self) -> dict[str, Any]:
        """What was found, ready for JSON: the task's facts, and for each corpus its facts and its overlap with the test split.

        A corpus that was not scanned shows only what was detected.
        """
        facts: dict[str, Any] = {"task": None, "corpora": {}, "overlap": self.overlap}
        if self.task is not None:
            facts["task"] = self.task.facts.as_dict()
            del facts["task"]["file_notes"], facts["task"]["group_notes"]  # they are among `notes`
            if found := self.task.repeated:
                facts["task"]["repeated_sentences"] = {"texts": found.texts, "sentences": found.sentences}
            if self.task.unlabeled is not None:
                facts["task"]["unlabeled"] = self._corpus_facts(self.task.unlabeled)
        for name, corpus in self.corpora.items():
            facts["corpora"][name] = self._corpus_facts(corpus)
        for name, selection in self.selections.items():
            known = facts["corpora"].setdefault(name, {})
            known["select"] = self.chosen[name].facts if name in self.chosen else {"to be chosen": selection.told()}
        if leaks := {name: holding.facts() for name, holding in self.found.holdings.items() if holding.leaks}:
            facts["leaks"] = leaks
        if self.tasks:
            facts["tasks"] = {name: task.facts.as_dict() for name, task in self.tasks.items()}
            for told in facts["tasks"].values():
                del told["file_notes"], told["group_notes"]
        return facts

    def notes(self) -> tuple[str, ...]:
        """What is to be known before anything is spent: files that are not read, texts that may be read twice."""
        task = self.task.notes if self.task is not None else ()
        unlabeled = (self.task.unlabeled,) if self.task is not None and self.task.unlabeled is not None else ()
        corpora = (*self.corpora.values(), *unlabeled) if self.scanned else ()
        others = (f"task {name}: {note}" for name, other in self.tasks.items() for note in other.facts.notes)
        twice = (f"task {name}: {count:,} of its texts stand in the study's test" for name, count in self.found.repeated.items() if count)
        leaks = (note for holding in self.found.holdings.values() if self.task and (note := note_of(self.task, holding)))
        return (*task, *others, *twice, *leaks, *(note for corpus in corpora for note in corpus.notes))

    def _corpus_facts(self, corpus: Corpus) -> dict[str, Any]:
        if not self.scanned:
            return {"files": len(corpus.files), "detected": corpus.detected}
        told = corpus.facts.as_dict()
        if held := corpus.held_out:  # of how many documents a corpus is must not look as if some were lost
            pairs = {"pairs": told["pairs"] + held} if "pairs" in told else {}
            told |= {"documents": told["documents"] + corpus.texts * held, "held_out": held, **pairs}
        return told | {"leaked": corpus.leaked} if corpus.leaked else told


def _named(name: str, kind: TaskKind, root: Path, rejects: Path | None) -> Task:
    # Each has a folder for its rejects: files in it are called after what they hold.
    try:
        return Task.open(kind, root, rejects / f"task-{word_of(name)}" if rejects else None)
    except AcclimateError as error:
        raise type(error)(f"data.tasks.{name}: {error}") from error
