"""Answering a task by the trained classifier that a model brings, as it stands: off the shelf, or to see what a model forgot of a task."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from acclimate.errors import SettingsError
from acclimate.modeling.base_files import CONFIG, MAX_LENGTH, STRIDE
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.longest import check_length
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.long_texts import Long, LongTexts, lengths
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.trained_labels import check_fit, rows_of
from acclimate.tasks.labels import label_name
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

NAMES = "`names: {{{label}: ITS LABEL}}`, and so of every label that it calls something else"


class AsIs(Stage):
    """Let the trained classifier, or tagger, that the model brings answer the task as it stands. Nothing is trained.

    It is one that the base brings, or that a `finetune` before left and the stages between carried along.
    """

    role: ClassVar[Role] = "answers"
    serves: ClassVar[Serves] = {"sequence": ("softmax", "sigmoid", "none"), "tokens": ("softmax",)}
    most_texts: ClassVar[int] = 2
    asks_trained: ClassVar[bool] = True
    stage: Literal["as_is"] = "as_is"
    names: dict[str, Annotated[str, Field(pattern=r"\S")]] = Field(default_factory=dict)
    """What the model calls a label of the task, where that is not the label itself, in whatever case: `{positive: LABEL_1}`."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens per sequence, special ones included; default what the model learned with, or its limit, at most 512. Longer texts are cut, or
    read in windows, as it learned."""

    @field_validator("names", mode="before")
    @classmethod
    def _named_as_they_are_read(cls, value: Any) -> Any:
        """`{0: LABEL_0}` names what a file's 0 is called."""
        return {label_name(label) or label: name for label, name in value.items()} if isinstance(value, dict) else value

    def title(self) -> str:
        return "as it is, nothing trained"

    def reads(self) -> tuple[str, ...]:
        return ("exam",)

    def draws(self) -> bool:
        return False

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        assert given.source is not None
        found, model = given.classifier, f"{self.word()}: the model before it ({given.source.name})"
        if found is None:
            # One on vectors is not part of the model that goes on.
            learned = "finetune: {head: architecture}" if EmbeddingForm.of(given.config).trained else "finetune"
            raise SettingsError(
                f"{model} has no trained classifier: take a base that brings one, or let one learn before, [{learned}, {self.word()}]"
            )
        check_length(self.max_length, given.config)
        if task is not None:
            check_fit(found, task, self.form(task.kind), model, f"let it learn this task, [finetune, {self.word()}]")
            try:
                self.rows(task, found.names)
            except SettingsError as error:
                raise SettingsError(f"{model}: {error}") from error
        return given

    def rows(self, task: Task, outputs: Sequence[str]) -> tuple[int, ...]:
        """[L] for each output that the task needs, in order, which one of the model's `outputs` it is.

        Raises:
            SettingsError: these are not the labels of the task, by their names or by `names`.
        """
        return rows_of(task, self.form(task.kind), outputs, self.names, NAMES)

    def _long(self, given: Sizes, task: Task) -> LongTexts:
        assert given.classifier is not None
        way: Long | None = "windows" if given.classifier.whole else None
        length = given.classifier_length(self.max_length)
        return LongTexts(task.kind, self.form(task.kind), length, way, None, None, settled=True)

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        read = reads()
        assert read.task is not None
        return self._long(given, read.task).notes(read, read.special)

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        long, found = self._long(given, reads.task), lengths(reads)
        tokens = sum(float(long.sequences(found[split], reads.special).sum()) for split in ("dev", "test"))
        return Work(given.disk_bytes, operations=2 * tokens * given.body)

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.evaluation.inference import LINKS, Told, class_probabilities, word_probabilities
        from acclimate.evaluation.pooling import pooled
        from acclimate.evaluation.stated import thresholds_of
        from acclimate.evaluation.transformer_predictor import windows_of
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.folder import save_model
        from acclimate.modeling.heads import load_trained_classifier, load_trained_tagger, relabelled
        from acclimate.modeling.longest import sequence_length
        from acclimate.stages.trainer import forward_tokens, split_sequences
        from acclimate.stages.untrained import Said, answered

        assert parent is not None
        runtime, task, learned = context.runtime, context.task(), parent.config.get(MAX_LENGTH)
        head, rows = task.kind.head(task.names, self.form(task.kind)), self.rows(task, parent.labels)
        thresholds, words = thresholds_of(parent.path, parent.labels), head.form == "tokens"
        model = (load_trained_tagger if words else load_trained_classifier)(parent)
        relabelled(model, head.names, rows, head.link)
        length = sequence_length(self.max_length or learned, parent)
        # Windows of another length than it learned with overlap as is usual.
        config = parent.config if length == learned else {name: value for name, value in parent.config.items() if name != STRIDE}
        overlap, pool = windows_of(config, length, parent.path / CONFIG)
        stride, micro = overlap if words or pool else None, forward_tokens(context, model, 0.0)
        packed = Packed(model, runtime.fast).to(runtime.devices.device)

        def ask(name: str, split: Split, told: Told) -> Said:
            texts = split_sequences(context, parent, split, length, stride)
            if words:
                found = word_probabilities(packed, texts, head.names, micro, runtime.devices, told)
            else:
                found = class_probabilities(packed, texts, len(head.names), micro, runtime.devices, LINKS[head.link], told)
            outputs = found if pool is None else pooled(found, texts, pool, head.link)
            notes = (texts.told(name),) if texts.told(name) else ()
            return Said(outputs, texts.cut_tokens, texts.tokens, texts.unknown_share, notes, texts.counted(name))

        def write(output: Path) -> None:
            save_model(output, parent, model, length, stride=stride, pool=pool)

        return answered(
            context, parent, (length, micro), ask, write, form=head.form, thresholds=None if thresholds is None else thresholds[list(rows)]
        )
