"""What plain baselines share that rank documents by words: rank for dev and test, keep what the ranking is made with, say what it cost."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from acclimate.errors import Interrupted
from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
from acclimate.stages.base import Context, Outcome
from acclimate.stages.decision import Decision
from acclimate.tasks.collection import Collection
from acclimate.tasks.rankings import asked_for

TOLD = 50  # times, at most, while queries are answered


class Ranking(Protocol):
    """Ranks the documents of a collection."""

    def ranked(self, queries: Sequence[str], most: int, each: Callable[[], None]) -> Any:
        """[N, K] documents, and their scores, the highest first; `each` is called after every query."""

    def without_words(self, queries: Sequence[str]) -> int:
        """How many of the queries share no word with any document."""

    @property
    def size(self) -> int:
        """Numbers that it keeps."""

    def save(self, folder: Path) -> None:
        """Write what it is made with."""


def ranking_outcome(context: Context, make: Callable[[Sequence[str]], Ranking]) -> Outcome:
    """Rank the documents of the run's task, keep ranking and predictions, and measure it.

    Raises:
        Interrupted: a stop was asked for.
    """
    began, task, outputs = time.monotonic(), context.task(), {}
    collection, splits = task.test.collection, {"dev": task.dev, "test": task.test}
    assert isinstance(collection, Collection)
    ranking = make(collection.texts)
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
    notes = (f"{lost:,} queries share no word with any document: nothing is found for them",) if lost else ()
    return Outcome({"documents": len(collection), "learned_from": 0, **scores}, cost, notes)


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
