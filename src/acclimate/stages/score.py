"""Asking how well a language model knows held-out text, every token of it once; or letting a decoder write answers as it is."""

import shutil
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from acclimate.data.unknown import unknown_words
from acclimate.errors import SettingsError
from acclimate.modeling.longest import LONGEST_DEFAULT, check_length
from acclimate.stages.asked_documents import asking, operations
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.learning_answers import answer
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.writing import check_nothing_written, check_writing, told_of_room
from acclimate.stages.writing import operations as writing_operations
from acclimate.tasks.generate import MOST_NEW
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class Score(Stage):
    """Judge a language model by held-out text (`kind: perplexity`), a decoder also by the answers that it writes (`kind: generate`).

    Nothing is trained, and the model is handed on as it is.
    """

    silent: ClassVar[Mapping[str, Any]] = {"max_new_tokens": None}

    role: ClassVar[Role] = "answers"
    reads_decoders: ClassVar[bool] = True
    serves: ClassVar[Serves] = {"tokens": ("none",), "text": ("none",)}
    stage: Literal["score"] = "score"
    max_length: int | None = Field(default=None, ge=8)
    """Tokens per window, special ones included; default the model's limit, at most 512. Longer documents are cut into windows."""
    max_new_tokens: int | None = Field(default=None, ge=1, le=4096)
    """Where answers are written (`generate`), at most so many tokens of each; default 64."""

    def reads(self) -> tuple[str, ...]:
        return ("exam",)

    def draws(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | {"max_length": self.max_length or LONGEST_DEFAULT}

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        assert given.source is not None
        if task is not None and self.form(task.kind) == "text":
            check_writing(self.word(), given, task, self.max_length, self.max_new_tokens)
            return given
        check_nothing_written(self.max_new_tokens)
        if given.fresh_head:
            raise SettingsError(
                f"score: {given.source.name} has no head for masked language modelling, so there is nothing to predict words with; "
                "`pretrain` before `score` trains one (by masks, as it does where nothing else is said)"
            )
        check_length(self.max_length, given.config)
        return given

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        read = reads()
        if read.task is None or self.form(read.task.kind) != "text":
            return ()
        return told_of_room(self.word(), read, given.length(self.max_length), self.max_new_tokens or MOST_NEW)

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        if self.form(reads.task.kind) == "text":
            return Work(
                given.disk_bytes,
                operations=writing_operations(given, reads, given.length(self.max_length), self.max_new_tokens or MOST_NEW),
            )
        spent = (
            operations(given, reads.texts[f"task {name}"][0], split.documents(), reads.special, self.max_length)
            for name, split in (("dev", reads.task.dev), ("test", reads.task.test))
        )
        return Work(given.disk_bytes, operations=sum(spent))

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
        from acclimate.evaluation.document_scores import unknown_share
        from acclimate.stages.decision import Decision

        assert parent is not None
        if self.form(context.task().kind) == "text":
            return answer(self, parent, context)
        began, runtime, task = time.monotonic(), context.runtime, context.task()
        devices = runtime.devices
        ask, micro = asking(parent, context, self.max_length)
        with PeakMemory() as memory:
            sums = {}
            for name, split in (("dev", task.dev), ("test", task.test)):
                started = time.monotonic()
                sums[name] = ask(split.inputs[0], name)
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
