"""Answering a task by asking a model for the words of its labels: at the mask of a template, or after examples (`stages/prompted.py`).

Encoders have a head for masked words (Schick & Schütze 2021), decoders say how likely words are to come next (Brown et al. 2020).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from acclimate.errors import SettingsError
from acclimate.modeling.head_settings import MlmHead
from acclimate.modeling.label_prompt import DEFAULTS, LabelPrompt
from acclimate.modeling.longest import LONGEST_DEFAULT, check_length
from acclimate.stages.asking import Asked, check_asking, cloze_of, template_tokens, told_of_asking, vocabulary_of
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.long_texts import LongTexts
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.prompted import check_decoder, run_prompt, told_of_prompt, work_of_prompt
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class Prompt(MlmHead, Stage):
    """Let a language model answer the task: which label's word stands at the mask of "{text} It was {mask}."? Nothing is trained.

    A masked language model fills the mask: `finetune: {head: mlm}` with the same template and names goes on from there with labels. A
    decoder says how likely the words of each label are to come next, after `shots` examples.
    """

    silent: ClassVar[Mapping[str, Any]] = {"shots": 0, "calibrate": None}
    role: ClassVar[Role] = "answers"
    reads_decoders: ClassVar[bool] = True
    apart: ClassVar[bool] = True  # what stands between the two texts of a pair is the template's
    serves: ClassVar[Serves] = {"sequence": ("softmax",)}
    most_texts: ClassVar[int] = 2
    stage: Literal["prompt"] = "prompt"
    max_length: int | None = Field(default=None, ge=8)
    """Tokens of text and template, special ones included; default the model's limit, at most 512. Longer texts are cut, the template
    never."""
    shots: int = Field(default=0, ge=0, le=256)
    """Decoders: so many labelled texts of the seed stand before each text, with the words of their labels; classes take turns. Each has an
    equal part of `max_length` at most, and is cut to it."""
    calibrate: bool | None = None
    """Decoders: divide the probability of each label by what the model gives it where the text is `N/A`, `[MASK]` or empty (Zhao et al.
    2021); default true."""

    def title(self) -> str:
        return f"prompt, {self.shots} shots" if self.shots else "prompt, no labels"

    def reads(self) -> tuple[str, ...]:
        return ("labels",) if self.shots else ("exam",)

    def draws(self) -> bool:
        return self.shots > 0

    def settled(self, given: Sizes) -> Self:
        if given.family.decoder:
            return self.model_copy(update={"calibrate": self.calibrate is not False})
        for name in ("shots", "calibrate"):
            if getattr(self, name):
                raise SettingsError(
                    f"{name}: {given.family.model_type} is an encoder, which fills the mask of one text; `{name}` is for decoders, which "
                    "read on after examples — leave it out"
                )
        return self

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | self.asked() | {"max_length": self.max_length or LONGEST_DEFAULT}

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        check_length(self.max_length, given.config)
        if given.family.decoder:
            if task is not None:
                self._check_decoder(given, task)
            return given
        check_asking(self, given, task, self.max_length, self.word())
        return given

    def _prompt(self, task: Task) -> LabelPrompt:
        return LabelPrompt(cloze_of(self, task, self.word(), DEFAULTS))

    def _check_decoder(self, given: Sizes, task: Task) -> None:
        try:
            check_decoder(self._prompt(task), self.shots, task, given.length(self.max_length), vocabulary_of(given))
        except SettingsError as error:
            raise SettingsError(f"{self.word()}: {error}") from error

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        read = reads()
        assert read.task is not None
        kind = read.task.kind
        if given.family.decoder:
            asked = self._prompt(read.task), self.shots, read, given.length(self.max_length), vocabulary_of(given)
            return told_of_prompt(*asked)
        long = LongTexts(kind, self.form(kind), given.length(self.max_length), "cut", None, None, template=True)
        cut = long.notes(read, template_tokens(self, given, read.task, self.word()))
        return (*told_of_asking(self, given, read.task, self.word()), *cut)

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        if given.family.decoder:
            length = given.length(self.max_length)
            return work_of_prompt(self._prompt(reads.task), self.shots, given, reads, length, vocabulary_of(given))
        template, tokens = template_tokens(self, given, reads.task, self.word()), 0.0
        for name, split in (("dev", reads.task.dev), ("test", reads.task.test)):
            length_N = np.fromiter(reads.texts[f"task {name}"][0].lengths_together(split.inputs), np.float64)
            tokens += float(np.minimum(length_N + template, given.length(self.max_length)).sum())
        return Work(given.disk_bytes, operations=2 * tokens * given.body)

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
        if parent.family.decoder:
            return run_prompt(self._prompt(task), self.shots, bool(self.calibrate), parent, context, self.max_length)
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
