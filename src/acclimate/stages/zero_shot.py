"""Answering a task without its labels: a model of natural language inference judges a hypothesis for each (Yin et al. 2019)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from acclimate.data.crossed import check_room
from acclimate.data.pairs import pair_marks
from acclimate.data.tokens import encoded
from acclimate.errors import SettingsError
from acclimate.modeling.base_files import MAX_LENGTH, TOKENIZER, read_tokenizer
from acclimate.modeling.hypotheses import TEMPLATE, Hypotheses, check_template, check_words, with_hypotheses
from acclimate.modeling.longest import check_length
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.long_texts import LongTexts
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


PAIR = 2
MARKS = 16  # special tokens of a pair at most


class ZeroShot(Stage):
    """Let a model of natural language inference answer the task: does "This text is about sport." follow from the text? Nothing is trained.

    The model is that of the stages before, which learned pairs (`finetune: {task: NAME}`), or a base that brings such a classifier.
    """

    role: ClassVar[Role] = "answers"
    serves: ClassVar[Serves] = {"sequence": ("softmax", "sigmoid")}
    asks_trained: ClassVar[bool] = True
    stage: Literal["zero_shot"] = "zero_shot"
    template: str = TEMPLATE
    """The hypothesis; `{}` stands for a label."""
    names: dict[str, Annotated[str, Field(pattern=r"\S")]] = Field(default_factory=dict)
    """What stands in the template for a label, where that is not the label itself: `{sci_tech: "science and technology"}`."""
    entailment: str | int | None = None
    """The label of the model that says a hypothesis follows; the one whose name begins with `entail` when not given."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens of text and hypothesis, special ones included; default what the model learned with, or its limit, at most 512. Longer texts
    are cut, hypotheses never."""

    @field_validator("template")
    @classmethod
    def _one_place(cls, template: str) -> str:
        try:
            check_template(template)
        except SettingsError as error:
            raise ValueError(str(error).removeprefix("template: ")) from error
        return template

    @classmethod
    def asked_texts(cls, kind: TaskKind) -> int:
        """A text and a hypothesis."""
        return PAIR

    def title(self) -> str:
        return "zero-shot, no labels"

    def reads(self) -> tuple[str, ...]:
        return ("exam",)

    def draws(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | {"entailment": None if self.entailment is None else str(self.entailment)}

    def hypotheses(self, task: Task) -> Hypotheses:
        """A hypothesis for each label of a task."""
        named = None if self.entailment is None else str(self.entailment)
        several = task.kind.head(task.names, "sequence").link == "sigmoid"
        return Hypotheses(task.names, self.template, self.names, named, several)

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        assert given.source is not None
        found = given.classifier
        if found is None or found.texts not in (None, PAIR):
            brings = "has no trained classifier" if found is None else "learned to classify single texts"
            raise SettingsError(
                f"{self.word()}: the model before it ({given.source.name}) {brings}, and pairs of texts must be judged: take a model of "
                f"natural language inference as the base, or let one learn before, [finetune: {{task: NLI}}, {self.word()}]"
            )
        check_length(self.max_length, given.config)
        if task is not None:
            check_words(self.names, task.names)
            hypotheses = self.hypotheses(task)
            try:
                hypotheses.columns(found.names)
            except SettingsError as error:
                raise SettingsError(f"{self.word()}: {given.source.name}: {error}") from error
            self._check_room(hypotheses, given)
        return given

    def _check_room(self, hypotheses: Hypotheses, given: Sizes) -> None:
        assert given.source is not None
        most, longest = given.classifier_length(self.max_length), max(len(sentence.encode()) for sentence in hypotheses.sentences)
        if longest + MARKS >= most:  # else no vocabulary makes it too long
            tokenizer = read_tokenizer(given.source.folder / TOKENIZER)
            check_room(encoded(tokenizer, hypotheses.sentences)[1], pair_marks(tokenizer), most)

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        read = reads()
        assert read.task is not None
        (measured, *_), kind = read.texts["task dev"], read.task.kind
        # As in `work`; beside the longest hypothesis least of a text is read.
        asked = round(max(measured.lengths(self.hypotheses(read.task).sentences))) + read.special + 1
        most = given.classifier_length(self.max_length)
        return LongTexts(kind, self.form(kind), most, "cut", None, None, template=True).notes(read, asked)

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        tokens, most = 0.0, given.classifier_length(self.max_length)
        for name, split in (("dev", reads.task.dev), ("test", reads.task.test)):
            measured = reads.texts[f"task {name}"][0]
            length_N = np.fromiter(measured.lengths(split.documents()), np.float64)
            asked_L = np.fromiter(measured.lengths(self.hypotheses(reads.task).sentences), np.float64)
            # One special token more than around a single text: between the two.
            tokens += float(np.minimum(length_N[:, None] + asked_L + reads.special + 1, most).sum())
        return Work(given.disk_bytes, operations=2 * tokens * given.body)

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.data.crossed import crossed
        from acclimate.evaluation.entailment import entailments
        from acclimate.evaluation.inference import Told
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.heads import load_trained_classifier
        from acclimate.modeling.longest import sequence_length
        from acclimate.stages.trainer import forward_tokens, stored
        from acclimate.stages.untrained import Said, answered

        assert parent is not None
        runtime, hypotheses, model = context.runtime, self.hypotheses(context.task()), load_trained_classifier(parent)
        length = sequence_length(self.max_length or parent.config.get(MAX_LENGTH), parent)
        micro = forward_tokens(context, model, 0.0)
        packed = Packed(model, runtime.fast).to(runtime.devices.device)
        asked, tokenizer = stored(context, parent, hypotheses.sentences), parent.tokenizer()

        def ask(_: str, split: Split, told: Told) -> Said:
            texts = stored(context, parent, split.inputs[0])
            pairs = crossed(texts, asked, tokenizer, length)
            outputs = entailments(packed, pairs, hypotheses, parent.labels, micro, runtime.devices, told)
            return Said(outputs, pairs.windows.cut_tokens, texts.total, texts.unknown_share)

        return answered(
            context, parent, (length, micro), ask, lambda output: with_hypotheses(parent.path, output, hypotheses, parent.labels, length)
        )
