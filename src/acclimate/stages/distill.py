"""Distillation: a student learns what a trained teacher says of text that needs no labels (Hinton et al. 2015; Turc et al. 2019)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from acclimate.data.mixture import Mixture, in_words, reads_of, shares
from acclimate.errors import SettingsError
from acclimate.modeling.longest import LONGEST_DEFAULT
from acclimate.settings import MOST_EPOCHS
from acclimate.stages.asked_text import AskedText, told_of_single
from acclimate.stages.base import USUAL_SCORE, Context, Outcome, Role, Serves, Stage
from acclimate.stages.in_epochs import InEpochs
from acclimate.stages.inside import bytes_inside, check_inside
from acclimate.stages.long_texts import lengths, told_of_cut
from acclimate.stages.pace import EncoderPace
from acclimate.stages.planned import BYTES, Classifier, Reads, Sizes, Work
from acclimate.stages.trained_labels import check_fit, rows_of
from acclimate.tasks.kind import many
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

TEMPERATURE, ALPHA = 2.0, 0.9
TASK, SLIVER = "task", 64  # texts of each corpus
MEND = "the same name in the data; or let a recipe of this study learn the task, and name that"


class Distill(EncoderPace, InEpochs, Stage):
    """Train the model before it, the student, to answer as a trained teacher does, on text without labels; where texts have labels, these
    count, too. What the teacher says is computed once, and kept. Out comes a classifier, from whose head a `finetune` after it goes on."""

    role: ClassVar[Role] = "learns"
    serves: ClassVar[Serves] = {"sequence": ("softmax", "sigmoid", "none"), "tokens": ("softmax",)}
    reads_decoders: ClassVar[bool] = True
    most_texts: ClassVar[int] = 2
    beside_models: ClassVar[Literal["none", "bare", "trained"]] = "trained"
    silent: ClassVar[Mapping[str, Any]] = {"hidden": "none", "hidden_weight": 1.0, "relation_heads": None, "ensemble": False}
    stage: Literal["distill"] = "distill"
    teacher: str = Field(min_length=1)
    """Whose answers are learned: another recipe, as it is at its end with the same seed and label budget, or a model with a trained
    classifier (a folder, a hub id). It answers the study's task, and may have another architecture and another tokenizer."""
    ensemble: bool = False
    """Ask the runs of all seeds of the recipe `teacher`, and learn the mean of their probabilities (of scores, of their numbers). Together
    they know the labels that any of the seeds has drawn."""
    corpus: Mixture = TASK
    """The text: `task` (the whole training split, whatever the label budget, and the task's unlabelled files), or any corpus of `data`, or
    several with how often each is read in an epoch, `{task: 1, transfer: 0.25}`. Where items have two texts, a corpus of pairs (one with
    a `text_b`)."""
    texts: int | None = Field(default=None, gt=0)
    """At most so many texts (or pairs) of each corpus, a fixed random part of it, which a larger number has within its own; null: all."""
    temperature: float | None = Field(default=None, gt=0)
    """What the logits of both are divided by before they are compared; default 2, and above 1 what the teacher thinks likely besides counts
    more. Of scores there are no logits."""
    alpha: float | None = Field(default=None, gt=0, le=1)
    """Of a text of the corpus `task` with a label within the label budget, the weight of what the teacher says; the label's is the rest.
    Default 0.9 (Hinton et al. 2015: labels count little); 1 learns from the teacher alone."""
    hidden: Literal["none", "layers", "relations"] = "none"
    """What inside of the student is to be like its teacher's, where both have the same vocabulary: the state of a text's first token after
    each layer but the last (`layers`: Sun et al. 2019; both of the same width), or how the tokens of a text stand to each other in the last
    attention (`relations`: Wang et al. 2021, MiniLMv2; of any width)."""
    hidden_weight: float = Field(default=1.0, gt=0)
    """Of that, beside the rest of the loss."""
    relation_heads: int | None = Field(default=None, gt=0)
    """With `relations`, into how many heads what is compared is divided; default as many as the teacher has, or the next smaller number
    that divides both widths."""
    lr: float = Field(default=1e-4, gt=0)
    """Peak learning rate."""
    epochs: float = Field(default=3.0, gt=0, le=MOST_EPOCHS)
    """Passes over the text."""
    min_steps: int = Field(default=200, ge=0)
    """At least so many optimiser steps, however few the texts are."""
    batch_size: int = Field(default=32, gt=0)
    """Texts per optimiser step, over all devices; where every word is answered, windows of texts."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout while training; default the model's own."""
    evaluations: int = Field(default=10, gt=0)
    """How often dev is answered; the best weights are kept."""
    patience: int | None = Field(default=None, gt=0)
    """Evaluations without a better dev score before it stops; null: never."""
    select_by: str | None = None
    """The dev score that decides which weights are kept; the task's own first one (macro F1) when not given."""

    @model_validator(mode="after")
    def _one_inside(self) -> Self:
        if self.ensemble and self.hidden != "none":
            raise ValueError(f"hidden: {self.hidden} is learned from one teacher; leave out one of `hidden` and `ensemble`")
        return self

    def title(self) -> str:
        return f"{self.word()} {f'all seeds of {self.teacher}' if self.ensemble else self.teacher} on {in_words(self.corpus)}"

    def reads(self) -> tuple[str, ...]:
        return (*reads_of(self.corpus), "labels")

    def beside(self) -> tuple[str, ...]:
        return (self.teacher,)

    def asks_all_seeds(self) -> bool:
        return self.ensemble

    def unlabelled_items(self) -> tuple[str, ...]:
        return tuple(name for name in shares(self.corpus) if name != TASK)

    def keyed(self) -> dict[str, Any]:
        # What the teacher is called decides nothing: its key is part of this one's.
        settings = {name: value for name, value in super().keyed().items() if name != "teacher"}
        return settings | {
            "temperature": self.softened,
            "alpha": self.weight,
            "max_length": self.max_length or LONGEST_DEFAULT,
            "select_by": self.select_by or USUAL_SCORE,
        }

    def sliver(self) -> Self:
        return self.model_copy(update={"epochs": 1.0, "min_steps": 0, "evaluations": 2, "texts": min(self.texts or SLIVER, SLIVER)})

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        given.check_training(self.max_length, self.gradient_checkpointing)
        if task is None:
            return given
        self._check_teacher(given.beside[self.teacher], task)
        check_inside(self, given, given.beside[self.teacher], self.form(task.kind))
        head = task.kind.head(task.names, self.form(task.kind))
        if head.form == "tokens" and not given.family.tagger_linear:
            raise SettingsError(
                f"distill: for {given.family.model_type} transformers has no class that answers every word; take another base"
            )
        if head.link == "none" and self.temperature is not None:
            raise SettingsError(f"temperature: {task.kind.kind} is answered by a number, which none softens; leave it out")
        if self.alpha is not None and TASK not in shares(self.corpus):
            raise SettingsError(f"alpha: no text of {in_words(self.corpus)} has a label; leave it out, or read `task`, too")
        return replace(given, classifier=Classifier(head.names, task.kind.texts(), given.length(self.max_length), head.form, head.link))

    def _check_teacher(self, teacher: Sizes, task: Task) -> None:
        named, form = f"teacher: {self.teacher}", self.form(task.kind)
        if teacher.classifier is None:
            raise SettingsError(
                f"{named} has no trained classifier of its own; name a recipe that ends with finetune (not by label words, nor on "
                "vectors), or the folder of a model that was fine-tuned on this task; the vectors of a sentence encoder are learned by "
                "`distill_vectors`"
            )
        mend = "name one that learned this task"
        check_fit(teacher.classifier, task, form, named, mend)
        try:
            self.rows(task, teacher.classifier.names)
        except SettingsError as error:
            raise SettingsError(f"{named}: {error}") from error

    def rows(self, task: Task, outputs: Sequence[str]) -> tuple[int, ...]:
        """[L] for each output that the task needs, in order, which one of the teacher's `outputs` it is.

        Raises:
            SettingsError: these are not the labels of the task.
        """
        return rows_of(task, self.form(task.kind), outputs, {}, MEND)

    def teachers(self, beside: "Mapping[str, ModelFolder]") -> "list[ModelFolder]":
        """Of the models that stand beside it its teacher first, and with `ensemble` those of the other seeds (`asks_all_seeds`)."""
        others = [folder for name, folder in beside.items() if self.ensemble and name.startswith(f"{self.teacher} (seed ")]
        return [beside[self.teacher], *others]

    @property
    def softened(self) -> float:
        """The temperature, with its default."""
        return self.temperature or TEMPERATURE

    @property
    def weight(self) -> float:
        """Of what the teacher says, beside a label."""
        return self.alpha or ALPHA

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        read = reads()
        assert read.task is not None
        if self.form(read.task.kind) == "tokens":  # texts are read whole, in windows
            return ()
        found = {name: text.cut_share for name, text in self._text(given, read).items()}
        single = told_of_single(read.task) if TASK in found else ()
        return (*single, *told_of_cut(found, many(read.task.kind.item), f"{given.length(self.max_length):,} tokens"))

    def _text(self, given: Sizes, reads: Reads) -> dict[str, AskedText]:
        """What is read of each corpus at all, roughly."""
        assert reads.task is not None
        length, kind = given.length(self.max_length), reads.task.kind
        of = (reads.special, length, kind.texts(), self.form(kind))
        parts = {name: reads.texts[name] for name in shares(self.corpus)}
        if TASK in parts and reads.task.unlabelled_items is None:
            parts[TASK] = parts[TASK][:1]  # train without the unlabelled texts
        whole = {name: AskedText.of(part, *of) for name, part in parts.items()}
        return {name: whole[name].part(share, self.texts) for name, share in shares(self.corpus).items()}

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        text, often = self._text(given, reads), {name: max(1.0, share) for name, share in shares(self.corpus).items()}
        items, tokens = (sum(share * getattr(text[name], each) for name, share in often.items()) for each in ("items", "tokens"))
        batches = max(1, math.ceil(items / self.batch_size))
        trained = tokens * self.steps(batches) / batches
        judged = {name: np.minimum(each + reads.special, given.length(self.max_length)).sum() for name, each in lengths(reads).items()}
        answered = float(judged["dev"] * (1 + self.evaluations) + judged["test"])
        # The teacher reads every text of a corpus once, however often the student does. All teachers of an ensemble are asked, but what
        # one student was told the others find: a teacher for each of them.
        asked, asked_items = (sum(getattr(text[name], each) for name in often) for each in ("tokens", "items"))
        outputs = len(reads.task.kind.head(reads.task.names, self.form(reads.task.kind)).names)
        return Work(
            given.bytes,
            tokens=round(trained),
            operations=given.body * (6 * trained + 2 * answered)
            + 2 * given.beside[self.teacher].body * asked * (1 if self.hidden == "none" else 2),
            cache_bytes=round(
                BYTES * outputs * sum(each.answers for each in text.values()) + bytes_inside(self, given, asked_items, asked)
            ),
            cache_key=("teacher", reads.beside[:1], self.hidden, reads.fingerprints),
        )

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.stages.distilling import distilled

        assert parent is not None
        return distilled(self, parent, context)
