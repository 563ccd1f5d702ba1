"""What plain baselines share that give texts vectors: make them, answer dev and test by them, keep both, and say what it cost."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import Interrupted
from acclimate.evaluation.by_vectors import by_vectors
from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
from acclimate.modeling.vector_heads import write_head
from acclimate.stages.answers_by_vectors import AnswersByVectors
from acclimate.stages.base import Context, Outcome
from acclimate.stages.decision import Decision

TOLD = 50  # times, at most, while texts are given vectors
NOTED = 0.1  # share of the words that are unknown from which it is said
Each = Callable[[int, int], None]


@dataclass(frozen=True)
class Vectored:
    """What gives texts vectors, and what making it told."""

    vectors: Callable[[Sequence[str], Each], NDArray[np.float32]]
    """[N, D] of N texts; the second argument is called after every text with its words, and how many of them are unknown."""
    save: Callable[[Path], object]
    """Writes it into a new folder, with a config.json."""
    parameters: int
    metrics: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tokens: int = 0
    """Words that it was trained on."""
    seconds_before: float = 0.0
    """That making it took at another time, where it was kept: a run costs what it needs, whoever came first."""


def vectors_outcome(context: Context, stage: AnswersByVectors, make: Callable[[], Vectored]) -> Outcome:
    """Answer the run's task by what is made, keep it with what answers on it, and measure it.

    Raises:
        Interrupted: a stop was asked for.
    """
    began, task, read = time.monotonic(), context.task(), _Read()
    with PeakMemory() as memory:
        made = make()

        def encode(asked: Sequence[str], _: object) -> NDArray[np.float32]:
            started = time.monotonic()
            vectors = made.vectors(asked, _told(context, len(asked), read))
            context.runtime.reporter.close()
            read.seconds += time.monotonic() - started
            return vectors

        found = by_vectors(task, stage.form(task.kind), encode, stage.head_settings())
    decision = Decision.of(task, "half", found.dev, found.form)
    scores = decision.taken(found.test, context.output / "predictions.parquet")
    folder = context.output / "model"
    made.save(folder)
    if found.head is not None:
        write_head(folder, found.head, task.kind.texts())
    fitted = 0 if found.head is None else sum(tensor.size for tensor in found.head.tensors.values())
    cost = Cost(
        seconds=time.monotonic() - began + made.seconds_before, tokens=made.tokens, peak_memory_bytes=memory.bytes,
        parameters=made.parameters + fitted, trained_parameters=made.parameters + fitted, disk_bytes=disk_bytes(folder),
        inference_texts_per_second=read.texts / max(read.seconds, 1e-9),
    )  # fmt: skip
    metrics = {**made.metrics, **stage.told_of(found, task), "unknown_share": read.unknown_share}
    return Outcome(metrics | scores, cost, (*made.notes, *read.notes(), *found.notes), found.log)


@dataclass
class _Read:
    """What was read so far."""

    texts: int = 0
    words: int = 0
    unknown: int = 0
    seconds: float = 0.0

    @property
    def unknown_share(self) -> float:
        return self.unknown / max(1, self.words)

    def notes(self) -> tuple[str, ...]:
        if self.unknown_share < NOTED:
            return ()
        return (f"{100 * self.unknown_share:.1f} % of the words of the labelled texts have no vector",)


def _told(context: Context, texts: int, read: _Read) -> Each:
    """Tells of every so many texts, and stops where that is asked."""
    reporter, steps, done, before, began = context.runtime.reporter, min(TOLD, texts), 0, read.words, time.monotonic()
    reporter.start(f"{context.title} (vectors)", steps, 0)

    def each(words: int, unknown: int) -> None:
        nonlocal done
        done, read.texts, read.words, read.unknown = done + 1, read.texts + 1, read.words + words, read.unknown + unknown
        if done * steps // texts > (done - 1) * steps // texts:
            reporter.step(done * steps // texts, (read.words - before) / max(time.monotonic() - began, 1e-9), None)
        if context.runtime.stop.asked:
            raise Interrupted(f"{context.title}: stopped; it begins anew")

    return each
