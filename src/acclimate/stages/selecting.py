"""Choosing a corpus from others, as a step of the plan before the stages that read it: done once for all recipes and seeds, and kept.

It is a stage, and no work of whoever opens the data, because it takes time: so the plan tells how long, the engine does it once while a
study runs (workers only read what was chosen), what it cost is part of what its recipes cost, and the store keeps it under a key. That key
covers the settings, what the documents are to be like, all that they are chosen from, and dev and test, whose texts are left out; it is
the fingerprint of the chosen corpus, so that the plan knows the keys of all that comes after without choosing anything.
"""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from acclimate.data.digests import text_hash
from acclimate.data.selection import bm25, dsir
from acclimate.data.selection.candidates import Candidates
from acclimate.data.selection.chosen import write_chosen
from acclimate.data.selection.expected import share_asked
from acclimate.data.selection.ranked import Budget, Choice
from acclimate.data.selection.settings import LEARNING_TASK, Selection
from acclimate.errors import DataError, Interrupted
from acclimate.evaluation.cost import Cost, PeakMemory
from acclimate.stages import nearest_states
from acclimate.stages.base import Context, Outcome, Role, Stage
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.task import Task
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

CHARACTERS_A_SECOND = {"random": 2e7, "dsir": 1.2e7, "bm25": 1e6, "knn": 1e7}  # of all passes on one core, roughly
LIBRARIES = {"bm25": ("bm25s",), "knn": ("torch", "transformers", "tokenizers")}  # besides numpy
MOST_TEXTS = 10_000  # to which documents are nearest; of more, so many are taken, spread over all
LIKE_AT_ONCE = 4096
NEARLY_ALL = 0.8  # share of the text; where so much is chosen, little is left out


class Selecting(Stage):
    """Not written by users: a corpus with `select` becomes one of these."""

    role: ClassVar[Role] = "selects"
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    stage: Literal["select"] = "select"
    of: Selection
    """The settings."""
    judged: bool = False
    """Whether there is a task, whose dev and test texts are never chosen."""
    name: str = Field(exclude=True)  # of the corpus: not part of the key

    def title(self) -> str:
        return f"{self.word()} {self.name} ({self.of.told()})"

    def reads(self) -> tuple[str, ...]:
        like = ("train text",) if self._like_task else ()
        return (*like, *self.of.named, *(("dev text", "test text") if self.judged else ()))

    @property
    def _like_task(self) -> bool:
        return self.of.like == LEARNING_TASK and self.of.method != "random"

    def draws(self) -> bool:
        return False  # it has a seed of its own, for all seeds of a study

    def seeds_apart(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        libraries = LIBRARIES.get(self.of.method, ())
        like = "" if self.of.method == "random" else "task" if self._like_task else "corpus"
        if like == "corpus" and self.of.like in self.of.sources[1:]:
            # It stands first in what is read, and the others keep their order: their content does not tell which number it has.
            like = f"corpus {self.of.sources.index(self.of.like)}"
        return {"stage": self.stage, "like": like, **self.of.keyed(), "libraries": {name: version(name) for name in libraries}}

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        if self.of.method == "bm25":
            bm25.check_installed()
        return given

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        texts = reads().texts
        share = share_asked([found.sample for name in self.of.sources for found in texts.get(name, ())], self.of)
        if not texts or share < NEARLY_ALL:
            return ()
        return (f"{self.name}: {self.of.told()}: about {100 * min(1.0, share):.0f} % of what there is will be chosen",)

    def work(self, given: Sizes, reads: Reads) -> Work:
        characters = sum(found.sample.characters for name in self.of.sources for found in reads.texts.get(name, ()))
        seconds = 1 + characters / CHARACTERS_A_SECOND[self.of.method]
        if not self.of.asks_base:
            return Work(0, seconds=seconds)
        room = given.length(None) - reads.special
        found = [each for name in self.of.sources for each in reads.texts[name]]
        tokens = sum(min(each.tokens, each.sample.documents * room) for each in found)
        return Work(0, operations=2 * given.body * tokens, seconds=seconds)  # forward alone

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        if not context.runtime.devices.is_main:
            return Outcome({}, Cost())
        began, data, runtime = time.monotonic(), context.data, context.runtime

        def told(documents: int) -> None:
            if runtime.stop.asked:
                raise Interrupted(f"{context.title}: stopped; it begins anew")

        judged = self._judged(data.task)
        candidates = Candidates([data.documents(name) for name in self.of.sources], judged, told)
        runtime.reporter.start(context.title, 1, 0)
        with PeakMemory() as memory:
            choice, notes = self._choice(candidates, context, parent)
            tests = tuple(data.task.test.documents()) if data.task is not None else None
            found = write_chosen(choice, candidates, self.of.sources, tests, context.output)
        metrics = {name: value for name, value in found.items() if name != "examples"}
        return Outcome(metrics, Cost(time.monotonic() - began, peak_memory_bytes=memory.bytes), notes)

    def _judged(self, task: Task | None) -> frozenset[int]:
        if task is None:
            return frozenset()
        return frozenset((*task.judging, *(text_hash(text) for split in (task.dev, task.test) for text in split.documents())))

    def _choice(self, candidates: Candidates, context: Context, parent: "ModelFolder | None") -> tuple[Choice, tuple[str, ...]]:
        budget, seed = Budget(self.of.tokens, self.of.documents), self.of.seed or 0
        notes: list[str] = []
        if self.of.method == "random":
            choice = dsir.choose_randomly(candidates, budget, seed)
        elif self.of.method == "dsir":
            choice = dsir.choose(_chunked(self._like(context)), candidates, budget, seed)
        else:
            texts = list(self._like(context))
            if len(texts) > MOST_TEXTS:
                notes.append(f"{self.name}: of the {len(texts):,} texts of {self.of.like} {MOST_TEXTS:,}, spread over all, were looked at")
                texts = [texts[place * len(texts) // MOST_TEXTS] for place in range(MOST_TEXTS)]
            if self.of.asks_base:
                assert parent is not None
                choice = nearest_states.choose(parent, texts, candidates, budget, context)
            else:
                choice = bm25.choose(texts, candidates, budget)
        if not len(choice.numbers):
            raise DataError(f"data.corpora.{self.name}: no document of {' and '.join(self.of.sources)} can be chosen ({self.of.told()})")
        if not budget.filled(choice.tokens):
            each = "" if choice.rank is None else f" (of each text the {choice.rank.max():,} nearest at most)"
            notes.append(f"{self.name}: all {len(choice.numbers):,} documents that can be chosen{each} are fewer than {self.of.told()}")
        return choice, tuple(notes)

    def _like(self, context: Context) -> Iterator[str]:
        if self._like_task:
            assert context.data.task is not None, "the study refuses a selection like its task where it has none"
            return context.data.task.train.documents()
        return context.data.documents(self.of.like).documents()


def _chunked(texts: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(texts, LIKE_AT_ONCE)):
        yield chunk
