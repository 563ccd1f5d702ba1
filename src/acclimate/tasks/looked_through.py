"""All that a study learns from, read once: checked, sampled, and looked through for what the models are judged by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from acclimate.data.corpus import Corpus
from acclimate.errors import DataError
from acclimate.files import word_of
from acclimate.tasks.leaks import TRAIN, UNLABELED_TOLD, Holding, Leak, Sought
from acclimate.tasks.task import Task

MOST_EXAMPLES = 3  # of each corpus and kind
UNLABELED = "task"  # what the task's unlabelled texts go by among the corpora; no corpus can be called so


@dataclass(frozen=True)
class LookedThrough:
    """What the one reading has found."""

    holdings: Mapping[str, Holding] = field(default_factory=dict)
    """What each corpus, train and each further task holds of dev and test, by name; without a task nothing is judged."""
    repeated: Mapping[str, int] = field(default_factory=dict)
    """Of further tasks, how many texts to learn from stand in the study's test."""
    dropping: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """By corpus, the digests of the documents without which it is read from here on (`leaks: drop`)."""

    @property
    def overlap(self) -> dict[str, float]:
        """The share of test texts that stand in a corpus or further task, by its name."""
        return {name: holding.overlap for name, holding in self.holdings.items() if name != TRAIN}

    def examples(self, most: int = MOST_EXAMPLES) -> list[Leak]:
        """So many of each corpus and kind."""
        return [leak for holding in self.holdings.values() for leak in holding.examples(most)]


def look_through(
    task: Task | None, corpora: Mapping[str, Corpus], tasks: Mapping[str, Task], rejects: Path | None, drop: bool
) -> tuple[LookedThrough, dict[str, Corpus]]:
    """Read every corpus to its end (the task's unlabelled texts are among them, under `task`), train, and what is learned on the way.

    Also gives the corpora as they are read from here on. What `skip_bad` skips is written to the folder `rejects`.

    Raises:
        DataError: a corpus cannot be used, or nothing is left of it.
    """
    if task is None:
        for name, corpus in corpora.items():
            corpus.scan(_rejects_file(rejects, name))
        return LookedThrough(), dict(corpora)
    sought = Sought(task)
    holdings = {TRAIN: sought.in_train()} if task.kind.learned else {}
    for name, other in tasks.items():
        holdings[f"task {name}"] = sought.in_items(f"task {name}", tuple(learned_from(other)), len(other.train.inputs))
    read, dropping = dict(corpora), {}
    for name, corpus in corpora.items():
        called = UNLABELED_TOLD if name == UNLABELED else name
        holding = sought.in_corpus(called, corpus, _rejects_file(rejects, name))
        if drop and holding.digests:
            fewer = read[name] = corpus.without(holding.digests)
            if next(fewer.documents(), None) is None:
                raise DataError(f"leaks: nothing is left of the corpus {called!r}: {_each(corpus)} holds what models are judged by")
            fewer.scan(_rejects_file(rejects, name))
            pairs = fewer.leaked if fewer.texts > 1 else 0
            holding, dropping[name] = replace(holding, dropped=True, pairs=pairs), holding.digests
        holdings[called] = holding
    return LookedThrough(holdings, {name: _repeated(task, other) for name, other in tasks.items()}, dropping), read


def _each(corpus: Corpus) -> str:
    return "each of its documents" if corpus.texts == 1 else "in each of its pairs a text"


def learned_from(task: Task) -> Iterator[str]:
    """The texts of a further task that is learned on the way."""
    return chain(task.train.documents(), task.dev.documents())


def _rejects_file(rejects: Path | None, name: str) -> Path | None:
    # A corpus of the user's may be called "unlabeled" too; files of rejects are kept apart.
    file = "task-unlabeled.jsonl" if name == UNLABELED else f"corpus-{word_of(name)}.jsonl"
    return rejects / file if rejects else None


def _repeated(task: Task, other: Task) -> int:
    test = set(task.test.documents())
    return sum(text in test for text in learned_from(other))
