"""What a stage is: frozen settings, what it reads, and `run`, which turns one model folder into the next."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from acclimate.data.corpus import Corpus
from acclimate.data.sentences import RULES, SentenceStore
from acclimate.data.tokens import TokenStore
from acclimate.errors import Interrupted
from acclimate.evaluation.cost import Cost
from acclimate.files import digest_file, digest_json
from acclimate.locks import Patience
from acclimate.modeling.fast_paths import FastPaths
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.searchable import Searchable
from acclimate.tasks.kind import Form, Link, TaskKind
from acclimate.tasks.opened import Data
from acclimate.tasks.split import Answers, Split
from acclimate.tasks.task import Task
from acclimate.versions import version

if TYPE_CHECKING:  # torch is loaded by the stages that run, not by reading a study file
    from acclimate.modeling.folder import ModelFolder
    from acclimate.objectives.losses.loss import Given, Loss
    from acclimate.training.devices import Devices
    from acclimate.training.interrupt import StopRequest
    from acclimate.training.progress import Reporter


Role = Literal["start", "changes", "pretrains", "embeds", "searches", "selects", "learns", "answers", "baseline", "measures"]
ANSWERING = ("learns", "answers", "baseline")  # the roles of stages that leave answers to a task behind
ABOUT_TASKS = ("embeds", *ANSWERING)  # and of all that are about one
Serves = Mapping[Form, tuple[Link, ...]]
USUAL_SCORE = "macro_f1"  # what keys say where `select_by` is silent, whatever the usual score of the kind of task is
GENERAL_TEXT = "general text"  # what a stage reads that measures what a model knows of it
LABELS_OF = "labels of "  # what a stage reads that is about another task than the study's, before that one's name
OWN_BASE = "base"  # among the models that a stage needs besides: what its recipe starts from, where no recipe goes by that name
TOKEN_RULES = 1  # raise it when the same tokenizer would now give other tokens


@dataclass(frozen=True)
class Runtime:
    """How a stage runs here. Recorded with an artifact, not part of its key."""

    devices: "Devices"
    reporter: "Reporter"
    stop: "StopRequest"
    micro_tokens: int | None = None  # largest forward pass, tokens; None: what memory allows
    checkpoint_seconds: float = 120.0
    fast: FastPaths = FastPaths()
    sharing: int = 1  # processes that take their memory from the same device, this one among them
    log: Callable[[dict[str, Any]], None] | None = None  # is given each line of log.jsonl as it comes, for trackers


@dataclass(frozen=True)
class Context:
    """Everything a stage may use besides its settings and its parent."""

    data: Data
    labels: str  # label budget, e.g. "500", "8 per class" or "all"
    seed: int  # of everything random
    title: str  # for progress lines, e.g. "DAPT + TAPT, seed 1: pretrain"
    cache: Path  # token stores
    work: Path  # checkpoints of this stage; survives a kill
    output: Path  # the artifact being built: model/, predictions.parquet, log.jsonl
    runtime: Runtime
    sample: int | None = None  # the seed that chooses the labelled texts of a budget; None: `seed`
    named: str | None = None  # the task that the stage learns, of `data: tasks:`; None: the study's
    beside: Mapping[str, "ModelFolder"] = field(default_factory=dict)  # the models of the recipes that it names, by recipe
    began: float = field(default_factory=time.monotonic)  # when the stage was begun in this process
    trial: Callable[[int, float], bool] | None = None
    """Of a trial of a search: whether it ends early, by the step of an evaluation and the best score so far. Trials never see test."""

    def task(self) -> Task:
        """The task that the stage is about: the study's at this run's label budget, or one that it names, whole."""
        task = task_at(self.data, self.labels, self.seed if self.sample is None else self.sample, self.named)
        return task if self.trial is None else replace(task, test=task.dev)

    def tokens(self, corpus: Corpus, folder: "ModelFolder") -> TokenStore:
        """The corpus tokenised with the folder's tokenizer, from the cache where it is there already."""
        key = self.tokens_key(corpus, folder)
        return TokenStore.build(self.cache / key[:32], corpus.documents(), folder.tokenizer(), key, self.patience)

    def joined(self, corpora: Iterable[Corpus], folder: "ModelFolder") -> TokenStore:
        """The tokens of several corpora, one after the other."""
        corpora = list(corpora)
        key = digest_json(["joined", *(self.tokens_key(corpus, folder) for corpus in corpora)])
        return TokenStore.join(self.cache / key[:32], [self.tokens(corpus, folder) for corpus in corpora], key, self.patience)

    def sentences(self, corpus: Corpus) -> SentenceStore:
        """The digests of the corpus's sentences, from the cache where they are there already."""
        key = digest_json(["sentences", RULES, corpus.fingerprint])
        return SentenceStore.build(self.cache / key[:32], corpus.documents(), key, self.patience)

    def tokens_key(self, corpus: Corpus, folder: "ModelFolder") -> str:
        """All that decides the tokens of a corpus: its documents, the tokenizer, and the library that applies it."""
        library = {"tokenizers": version("tokenizers"), "rules": TOKEN_RULES}
        return digest_json({"corpus": corpus.fingerprint, "tokenizer": digest_file(folder.tokenizer_file), "library": library})

    @property
    def patience(self) -> Patience:
        """How this stage waits for another process: it says so, and gives up when it is asked to stop."""

        def poll() -> None:
            if self.runtime.stop.asked:
                raise Interrupted(f"{self.title}: stopped while waiting for another process")

        return Patience(lambda line: self.runtime.reporter.say(line), poll)


@dataclass(frozen=True)
class Outcome:
    """What a stage measured; its model stands in `context.output`."""

    metrics: dict[str, Any]
    cost: Cost
    notes: tuple[str, ...] = ()
    log: tuple[dict[str, Any], ...] = field(default=(), repr=False)  # the learning curve, a line each


def task_at(data: Data, labels: str, seed: int, named: str | None = None) -> Task:
    """The task of a study at a label budget, `all`, a number in words, or `8 per class`; another one, by its name, is never cut."""
    task = data.task_called(named)
    assert task is not None, "stages that read labels are planned only where there is a task"
    if named is not None:
        return task
    return task.budget(int(labels) if labels.isdecimal() else labels, seed)


def dev_scores(kind: TaskKind, select_by: str | None, dev: Split, answers: Answers) -> dict[str, float]:
    """Every score of dev as `dev_...`, and as `score` the one that chooses weights, the higher the better."""
    scores, metric = kind.scores(dev, answers), kind.metric(select_by)
    return {**{f"dev_{name}": value for name, value in scores.items()}, "score": metric.merit(scores[metric.name])}


class Stage(Searchable):
    """One step of a recipe. Every setting has a default, and a stage never looks at another stage."""

    version: ClassVar[int] = 1  # raise it when the same settings would now give another model
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tokenizers", "numpy")
    """What computes it: their versions are part of the key."""
    role: ClassVar[Role] = "changes"
    """What it is to a recipe: the model that it `start`s from, a step that `changes` a model without training it, one that `pretrains` it
    on text, one that `embeds` texts and learns from labels which of them belong together, one that `learns` a task from labels, one that
    `answers` the task and trains nothing, or a plain `baseline`, which starts from labelled texts and nothing else. One that `searches`
    settings of another, or that `selects` a corpus from others, stands beside the recipe, and so does one that `measures` a model: it
    leaves none behind, and nothing goes on from it."""
    serves: ClassVar[Serves] = {}
    """What it can learn to give, and so which kinds of task it answers: those whose head (`TaskKind.head`) it can train."""
    most_texts: ClassVar[int] = 1
    """How many columns of text an item may have at most: those of a pair are two."""
    apart: ClassVar[bool] = False
    """Whether it reads every text by itself, also the two of a pair."""
    asks_trained: ClassVar[bool] = False
    """It asks the trained classifier of the model before it. A base then keeps its own, which is left behind otherwise, and the stage may
    be written as a base: `base: {STAGE: MODEL or RECIPE, settings}`."""
    beside_models: ClassVar[Literal["none", "bare", "trained"]] = "none"
    """Whether a model that it needs besides (`beside`) may be one by name, a folder or a hub id: as a base is, or with the classifier that
    it brings."""
    reads_decoders: ClassVar[bool] = False
    """Whether its model may be a decoder, which reads from left to right."""
    silent: ClassVar[Mapping[str, Any]] = {}
    """Settings that were added later -> the value (as in JSON) that means what was done before there was a choice: it leaves no trace in
    the key, so that what was computed then is found."""

    @classmethod
    def unsearchable(cls) -> str | None:
        if cls.role in ("learns", "baseline"):
            return None
        why = "is judged by what is learned after it" if cls.role in ("pretrains", "embeds") else "learns no task"
        return f"{cls.word()} {why}, so dev cannot choose its settings; write a recipe for each value that is to be compared"

    @classmethod
    def word(cls) -> str:
        """The word for it in a study file, e.g. `pretrain`."""
        return str(cls.model_fields["stage"].default)

    def title(self) -> str:
        """What it does, in a few words for people, e.g. `pretrain on domain`."""
        return self.word()

    def reads(self) -> tuple[str, ...]:
        """What of the data it reads: corpora by name, and any of "labels" (of the study's task at its budget), "labels of NAME" (of another
        task), "exam" (dev and test alone, what is right with them), "task text", "train text" (without unlabelled files), "dev text",
        "test text", "general text".
        """
        raise NotImplementedError

    def replays(self) -> tuple[str, ...]:
        """Of the corpora that it reads those that only keep what the model knew: no recipe is compared by them.

        Where the study has none by that name, the text that comes with acclimate is taken.
        """
        return ()

    def unlabelled_items(self) -> tuple[str, ...]:
        """Of the corpora that it reads those whose records it takes for items of its task: for a task of pairs they must be pairs."""
        return ()

    def asks_all_seeds(self) -> bool:
        """Whether of recipes that it needs besides (`beside`) it needs the models of all seeds: those of others as `NAME (seed N)`."""
        return False

    def variants(self) -> "Mapping[str, Stage]":
        """Where it was written as several of its kind, each by what is added to its recipe's name, such as ` @0.25`; else none."""
        return {}

    def beside(self) -> tuple[str, ...]:
        """The recipes whose models it needs besides its parent's: each as it is at its end, of the same seed and label budget.

        `base` (OWN_BASE) is what its own recipe starts from; where `beside_models` allows, a name that no recipe has is a model's.
        """
        return ()

    def made_from(self) -> str | None:
        """Of a plain baseline, the model that it is made from, by its name, or `base` for the study's; None: it starts from nothing."""
        return None

    def about(self) -> str | None:
        """The task that it learns or answers, by its name among `data: tasks:`; None: the study's."""
        return None

    def teaches_words(self) -> bool:
        """Whether the model that it leaves has just learned to predict words, by a head of its own for them."""
        return self.role == "pretrains"

    def own_code(self) -> tuple[str, ...]:
        """Functions of the user's own that it calls, as `module:function`: whoever runs it must allow that."""
        return ()

    def located(self, root: Path) -> Self:
        """The same stage knowing the sources of its `own_code`; `root` is the folder of the study file. Nothing is imported.

        Raises:
            SettingsError: there is no such function, or it does not take what it would be given.
        """
        return self

    def seeds_apart(self) -> bool:
        """Whether every seed gets its own computation; otherwise it runs once, with the study's first seed."""
        return True

    def draws(self) -> bool:
        """Whether the seed changes the outcome beyond the choice of data; if not, it stays out of the key."""
        return True

    def keyed(self) -> dict[str, Any]:
        """The settings that decide what is computed; they are part of the key.

        A setting whose default is found out later (null in the file) stands here as what it comes to: said or not, it is the same
        computation, and another default is another key. One that is `silent` does not stand here.
        """
        settings = self.model_dump(mode="json")
        return {name: value for name, value in settings.items() if name not in self.silent or value != self.silent[name]}

    @classmethod
    def answers(cls, kind: TaskKind) -> bool:
        """Whether it can learn, or answer, this kind of task."""
        return kind.texts() <= cls.most_texts and cls._form(kind) is not None

    @classmethod
    def asked_texts(cls, kind: TaskKind) -> int:
        """To answer this kind, how many columns of text the classifier must have learned that it asks: the kind's own, as a rule."""
        return kind.texts()

    @classmethod
    def takes(cls, kind: TaskKind) -> bool:
        """Whether it can learn from this kind of task, or answer it."""
        return cls.answers(kind)

    @classmethod
    def form(cls, kind: TaskKind) -> Form:
        """What it gives for the items of a kind that it answers."""
        found = cls._form(kind)
        assert found is not None, "the study refuses stages that cannot answer their task"
        return found

    @classmethod
    def _form(cls, kind: TaskKind) -> Form | None:
        able = (form for form, links in cls.serves.items() if form in kind.answered and kind.head((), form).link in links)
        return next(able, None)

    @classmethod
    def losses(cls) -> "Mapping[str, Callable[[Given], Loss]]":
        """The losses that it can train by, under the names that the head of a kind of task gives them. Loads torch."""
        from acclimate.objectives.losses import LOSSES

        return LOSSES

    def sliver(self) -> Self:
        """The same stage cut down to a few steps, to see that it works."""
        return self

    def settled(self, given: Sizes) -> Self:
        """The same stage with those defaults settled that the model decides; the plan does so before it checks or keys anything.

        Raises:
            SettingsError: its settings do not fit that model.
        """
        return self

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        """What it makes of the sizes that it is given, before anything is spent; `task` is what it is about, whatever the label budget.

        Raises:
            SettingsError: it cannot be done with this model, or on this task.
        """
        return given

    def check_texts(self, given: Sizes, reads: Callable[[], Reads]) -> None:
        """Refuse texts that it was told not to take as they are; `reads()` counts the tokens of each, in the vocabulary of the base.

        Raises:
            DataError: there are such texts.
        """

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        """What should be said of it, and of what it reads, before anything is spent, each a sentence; it was checked."""
        return ()

    def work(self, given: Sizes, reads: Reads) -> Work:
        """What it takes, roughly; by default a moment, and the room of its model."""
        return Work(self.check(given, reads.task).bytes, seconds=1.0)

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        """Do it: read `parent`, write `context.output / "model"`, say what was measured."""
        raise NotImplementedError
