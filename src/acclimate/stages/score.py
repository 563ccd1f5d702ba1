"""Asking how well a masked language model knows held-out text: what a byte of each document costs it, every token asked for once."""

import shutil
import time
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from acclimate.data.masking import GROUPS
from acclimate.data.unknown import unknown_words
from acclimate.errors import SettingsError
from acclimate.modeling.longest import LONGEST_DEFAULT, check_length
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.watched import watched
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class Score(Stage):
    """Judge a masked language model by held-out text (`kind: perplexity`); nothing is trained, and the model is handed on as it is."""

    role: ClassVar[Role] = "answers"
    serves: ClassVar[Serves] = {"tokens": ("none",)}
    stage: Literal["score"] = "score"
    max_length: int | None = Field(default=None, ge=8)
    """Tokens per window, special ones included; default the model's limit, at most 512. Longer documents are cut into windows."""

    def reads(self) -> tuple[str, ...]:
        return ("exam",)

    def draws(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | {"max_length": self.max_length or LONGEST_DEFAULT}

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        assert given.source is not None
        if given.fresh_head:
            raise SettingsError(
                f"score: {given.source.name} has no head for masked language modelling, so there is nothing to predict words with; "
                "`pretrain` before `score` trains one"
            )
        check_length(self.max_length, given.config)
        return given

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        most, tokens = given.length(self.max_length), 0.0
        for name, split in (("dev", reads.task.dev), ("test", reads.task.test)):
            for length in reads.texts[f"task {name}"][0].lengths(split.documents()):
                tokens += length + reads.special * max(1.0, -(-length // (most - reads.special)))
        # Forward alone, and the vocabulary where something is masked.
        return Work(given.bytes, operations=2 * tokens * (GROUPS * given.body + given.entries * given.hidden))

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
        from acclimate.evaluation.document_scores import document_sums, unknown_share
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.heads import load_mlm
        from acclimate.modeling.longest import sequence_length
        from acclimate.stages.decision import Decision
        from acclimate.stages.trainer import forward_tokens

        assert parent is not None
        began, runtime, task = time.monotonic(), context.runtime, context.task()
        model, fresh = load_mlm(parent, context.seed)
        assert not fresh, "the plan refuses models without a head"
        length, devices = sequence_length(self.max_length, parent), runtime.devices
        micro = forward_tokens(context, model, 1 / GROUPS)
        packed = Packed(model, runtime.fast).to(devices.device)
        with PeakMemory() as memory:
            sums = {}
            for name, split in (("dev", task.dev), ("test", task.test)):
                started = time.monotonic()
                told = watched(context, name, micro)
                sums[name] = document_sums(packed, split.inputs[0], parent.tokenizer(), length, micro, devices, told)
                runtime.reporter.close()
            speed = len(task.test) / max(time.monotonic() - started, 1e-9)
            decision = Decision.of(task, "half", sums["dev"], "tokens")
            scores = decision.taken(sums["test"], context.output / "predictions.parquet" if devices.is_main else None)
        output = context.output / "model"
        if devices.is_main:
            shutil.copytree(parent.path, output)
        cost = Cost(
            seconds=time.monotonic() - began, peak_memory_bytes=memory.bytes, parameters=parent.parameters, trained_parameters=0,
            disk_bytes=disk_bytes(output) if devices.is_main else 0, inference_texts_per_second=speed,
        )  # fmt: skip
        unknown = {name: unknown_share(split.inputs[0], parent.tokenizer()) for name, split in (("dev", task.dev), ("test", task.test))}
        note = unknown_words({f"the {name} documents": share for name, share in unknown.items()})
        metrics = {**scores, **{f"unknown_share_{name}": share for name, share in unknown.items()}, "micro_tokens": micro}
        return Outcome(metrics, cost, (note,) if note else ())
