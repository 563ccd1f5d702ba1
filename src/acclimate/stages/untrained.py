"""What stages share that answer a task by a model as it is: dev and test are asked once, and nothing is trained."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from acclimate.data.unknown import unknown_words
from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
from acclimate.evaluation.inference import Told
from acclimate.modeling.folder import ModelFolder
from acclimate.stages.base import Context, Outcome
from acclimate.stages.decision import Decision
from acclimate.stages.long_texts import told_of_cut
from acclimate.stages.watched import watched
from acclimate.tasks.kind import Form, many
from acclimate.tasks.split import Split
from acclimate.tasks.thresholds import Thresholds


class Said(NamedTuple):
    """What a model says of a split."""

    outputs: NDArray[Any]
    """[N, L]."""
    cut_tokens: int
    """Of its texts, that were not read."""
    tokens: int
    """Of its texts, read or not."""
    unknown_share: float
    """Of the tokens of its texts: 0 to 1."""
    notes: tuple[str, ...] = ()
    counted: Mapping[str, int] = {}
    """What else is measured of it."""


def answered(
    context: Context, parent: ModelFolder, sizes: tuple[int, int], ask: Callable[[str, Split, Told], Said],
    write: Callable[[Path], object], notes: tuple[str, ...] = (), form: Form = "sequence", thresholds: Thresholds | None = None,
) -> Outcome:  # fmt: skip
    """What a stage comes to that asks a model for dev and test; `write` makes the folder of the model that is handed on.

    `sizes`: the tokens of the longest sequence, and of the largest forward pass; `thresholds` [L]: those that the model brings.

    Raises:
        Interrupted: a stop was asked for.
    """
    runtime, task = context.runtime, context.task()
    length, micro = sizes
    outputs, unknown, cut = {}, {}, {}
    metrics: dict[str, Any] = {}
    with PeakMemory() as memory:
        for name, split in (("dev", task.dev), ("test", task.test)):
            started = time.monotonic()
            said = ask(name, split, watched(context, name, micro))
            outputs[name], unknown[name], cut[name] = said.outputs, said.unknown_share, said.cut_tokens / max(1, said.tokens)
            metrics |= {f"cut_tokens_{name}": said.cut_tokens, **said.counted}
            notes = (*notes, *said.notes)
            runtime.reporter.close()
        speed = len(task.test) / max(time.monotonic() - started, 1e-9)
    decision = Decision(task, form, outputs["dev"], thresholds)
    scores = decision.taken(outputs["test"], context.output / "predictions.parquet" if runtime.devices.is_main else None)
    output = context.output / "model"
    if runtime.devices.is_main:
        write(output)
    cost = Cost(
        seconds=time.monotonic() - context.began, peak_memory_bytes=memory.bytes, parameters=parent.parameters, trained_parameters=0,
        disk_bytes=disk_bytes(output) if runtime.devices.is_main else 0, inference_texts_per_second=speed,
    )  # fmt: skip
    metrics |= {f"unknown_share_{name}": share for name, share in unknown.items()}
    note = unknown_words({f"the {name} texts": share for name, share in unknown.items()})
    told = (*notes, *decision.changed(scores), *told_of_cut(cut, many(task.kind.item), f"{length:,} tokens"), *((note,) if note else ()))
    return Outcome({**scores, **metrics, "micro_tokens": micro}, cost, told)
