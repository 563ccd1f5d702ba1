"""What the plain baselines share: fit, predict dev and test, and say what it cost."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
from acclimate.modeling.baselines.table import PlainModel, outputs_of
from acclimate.stages.base import Context, Outcome
from acclimate.stages.decision import Decision
from acclimate.tasks.kind import Form
from acclimate.tasks.task import Task
from acclimate.tasks.thresholds import Choice


@dataclass(frozen=True)
class Fitted:
    """A plain baseline and what fitting it told."""

    model: PlainModel
    parameters: int
    metrics: dict[str, Any] = field(default_factory=dict)
    log: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def plain_outcome(context: Context, fit: Callable[[Task], Fitted], thresholds: Choice = "half", form: Form = "sequence") -> Outcome:
    """Fit a baseline on the run's labels, keep model and predictions, and measure it; `form` is that of what the model gives."""
    began = time.monotonic()
    task = context.task()
    with PeakMemory() as memory:
        fitted = fit(task)
        dev = outputs_of(fitted.model, task.dev)
        test_began = time.monotonic()
        test = outputs_of(fitted.model, task.test)
        test_seconds = time.monotonic() - test_began
    fitted.model.save(context.output / "model")
    decision = Decision.of(task, thresholds, dev, form)
    scores = decision.taken(test, context.output / "predictions.parquet")
    cost = Cost(
        seconds=time.monotonic() - began,
        peak_memory_bytes=memory.bytes,
        parameters=fitted.parameters,
        trained_parameters=fitted.parameters,
        disk_bytes=disk_bytes(context.output / "model"),
        inference_texts_per_second=len(task.test) / max(test_seconds, 1e-9),
    )
    return Outcome(fitted.metrics | scores, cost, (*fitted.notes, *decision.notes(scores)), fitted.log)
