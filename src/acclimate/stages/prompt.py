"""Answering a task without its labels: a head for masked words says which label word fits a template (Schick & Schütze 2021)."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from acclimate.modeling.head_settings import MlmHead
from acclimate.modeling.longest import LONGEST_DEFAULT, check_length
from acclimate.stages.asking import Asked, check_asking, cloze_of, template_tokens, told_of_asking
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.long_texts import LongTexts
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class Prompt(MlmHead, Stage):
    """Let a masked language model answer the task: which label's word stands at the mask of "{text} It was {mask}."? Nothing is trained.

    `finetune: {head: mlm}` with the same template and names goes on from there with labels.
    """

    role: ClassVar[Role] = "answers"
    serves: ClassVar[Serves] = {"sequence": ("softmax",)}
    most_texts: ClassVar[int] = 2
    stage: Literal["prompt"] = "prompt"
    max_length: int | None = Field(default=None, ge=8)
    """Tokens of text and template, special ones included; default the model's limit, at most 512. Longer texts are cut, the template
    never."""

    def title(self) -> str:
        return "prompt, no labels"

    def reads(self) -> tuple[str, ...]:
        return ("exam",)

    def draws(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | self.asked() | {"max_length": self.max_length or LONGEST_DEFAULT}

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        check_length(self.max_length, given.config)
        check_asking(self, given, task, self.max_length, self.word())
        return given

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        read = reads()
        assert read.task is not None
        kind = read.task.kind
        long = LongTexts(kind, self.form(kind), given.length(self.max_length), "cut", None, None, template=True)
        cut = long.notes(read, template_tokens(self, given, read.task, self.word()))
        return (*told_of_asking(self, given, read.task, self.word()), *cut)

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        template, tokens = template_tokens(self, given, reads.task, self.word()), 0.0
        for name, split in (("dev", reads.task.dev), ("test", reads.task.test)):
            length_N = np.fromiter(reads.texts[f"task {name}"][0].lengths_together(split.inputs), np.float64)
            tokens += float(np.minimum(length_N + template, given.length(self.max_length)).sum())
        return Work(given.bytes, operations=2 * tokens * given.body)

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.data.cloze import cloze_sequences
        from acclimate.evaluation.inference import Told, class_probabilities
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.folder import save_model
        from acclimate.modeling.heads import load_asked
        from acclimate.modeling.longest import sequence_length
        from acclimate.stages.trainer import forward_tokens, stored
        from acclimate.stages.untrained import Said, answered

        assert parent is not None
        runtime, task = context.runtime, context.task()
        asked = Asked.of(cloze_of(self, task, self.word()), parent)
        model = load_asked(parent, asked.tokens.words, 0.0)
        length, micro = sequence_length(self.max_length, parent), forward_tokens(context, model, 0.0)
        packed = Packed(model, runtime.fast).to(runtime.devices.device)

        def ask(_: str, split: Split, told: Told) -> Said:
            stores = [stored(context, parent, column) for column in asked.tokens.pattern.led(split.inputs)]
            texts = cloze_sequences(stores, asked.tokens.pattern, length)
            outputs = class_probabilities(packed, texts, len(task.names), micro, runtime.devices, told=told)
            return Said(outputs, texts.cut_tokens, texts.tokens, texts.unknown_share)

        def write(output: Path) -> None:
            save_model(output, parent, model, length, asked=asked.written)

        return answered(context, parent, (length, micro), ask, write, asked.notes)
