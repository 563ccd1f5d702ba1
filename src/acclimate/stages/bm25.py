"""The plain baseline stage for retrieval: BM25. What is not better has learned nothing that words do not say."""

import time
from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field

from acclimate.errors import Interrupted
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.words_read import WordsRead
from acclimate.tasks.task import Task

TOLD = 50  # times, at most, while queries are answered


class Bm25(Stage):
    """BM25 on the documents of the task, as Lucene and bm25s compute it (Robertson & Zaragoza 2009); needs `acclimate[select]`."""

    libraries: ClassVar[tuple[str, ...]] = ("bm25s", "scipy", "numpy")
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"ranking": ("none",)}
    stage: Literal["bm25"] = "bm25"
    k1: float = Field(default=1.5, gt=0)
    """How much more a word counts that stands in a document several times."""
    b: float = Field(default=0.75, ge=0, le=1)
    """How much less the words of a long document count: 0 not at all, 1 by its length."""
    words: WordsRead = "letters"
    """What a word is: a run of `letters` and digits, in lower case; with `marks` also every run of another sign, as `<<`, `!!!` or `@`."""

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def draws(self) -> bool:
        return False

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        from acclimate.modeling.baselines.bm25_ranking import check_installed

        check_installed()
        return given

    def work(self, given: Sizes, reads: Reads) -> Work:
        return Work(disk_bytes=0, seconds=5.0)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
        from acclimate.modeling.baselines.bm25_ranking import Bm25Ranking
        from acclimate.stages.decision import Decision
        from acclimate.tasks.collection import Collection
        from acclimate.tasks.rankings import asked_for

        began, task, outputs = time.monotonic(), context.task(), {}
        collection, splits = task.test.collection, {"dev": task.dev, "test": task.test}
        assert isinstance(collection, Collection)
        ranking = Bm25Ranking(collection.texts, self.k1, self.b, self.words == "marks")
        with PeakMemory() as memory:
            most = asked_for(*splits.values())
            for name, split in splits.items():
                started = time.monotonic()
                outputs[name] = ranking.ranked(split.inputs[0], most, _told(context, name, len(split)))
                context.runtime.reporter.close()
        decision = Decision.of(task, "half", outputs["dev"], "ranking")
        scores = decision.taken(outputs["test"], context.output / "predictions.parquet")
        folder = context.output / "model"
        ranking.save(folder)
        cost = Cost(
            seconds=time.monotonic() - began, peak_memory_bytes=memory.bytes, parameters=ranking.size, trained_parameters=0,
            disk_bytes=disk_bytes(folder), inference_texts_per_second=len(task.test) / max(time.monotonic() - started, 1e-9),
        )  # fmt: skip
        lost = ranking.without_words([query for split in splits.values() for query in split.inputs[0]])
        notes = (f"{lost:,} queries share no word with any document: their documents stand in the order of the files",) if lost else ()
        return Outcome({"documents": len(collection), **scores}, cost, notes)


def _told(context: Context, split: str, queries: int) -> Callable[[], None]:
    """Tells of every so many queries, and stops where that is asked."""
    reporter, steps, done, began = context.runtime.reporter, min(TOLD, queries), 0, time.monotonic()
    reporter.start(f"{context.title} ({split})", steps, 0)

    def each() -> None:
        nonlocal done
        done += 1
        if done * steps // queries > (done - 1) * steps // queries:
            reporter.step(done * steps // queries, done / max(time.monotonic() - began, 1e-9), None)
        if context.runtime.stop.asked:
            raise Interrupted(f"{context.title}: stopped; it begins anew")

    return each
