"""Distillation of vectors: a student learns to give texts the vectors that a teacher gives them (Reimers & Gurevych 2020)."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from acclimate.data.mixture import Mixture, in_words, read_of, reads_of, shares
from acclimate.errors import DataError
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm, Pooling, check_pooling
from acclimate.modeling.longest import LONGEST_DEFAULT
from acclimate.settings import MOST_EPOCHS
from acclimate.stages.asked_text import AskedText
from acclimate.stages.base import Context, Outcome, Role, Stage
from acclimate.stages.in_epochs import InEpochs
from acclimate.stages.long_texts import LESS, told_of_cut
from acclimate.stages.pace import EncoderPace
from acclimate.stages.planned import BYTES, Reads, Sizes, Work
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

SLIVER = 64  # texts of each corpus
HELD_OUT = 0.1  # of the texts at most


class DistillVectors(EncoderPace, InEpochs, Stage):
    """Train the model before it, the student, to give texts the vectors that a teacher gives them, which are computed once, and kept; no
    label is read. Out comes a sentence encoder, for `vectors`, `embed` and `acclimate encode`."""

    role: ClassVar[Role] = "pretrains"
    reads_decoders: ClassVar[bool] = True
    apart: ClassVar[bool] = True
    beside_models: ClassVar[Literal["none", "bare", "trained"]] = "bare"
    stage: Literal["distill_vectors"] = "distill_vectors"
    teacher: str = Field(min_length=1)
    """Whose vectors are learned: another recipe, as it is at its end with the same seed and label budget, or a model by name (a folder, a
    hub id), such as a sentence encoder. It makes vectors as it says itself, and may have another architecture, tokenizer and width."""
    corpus: Mixture = "domain"
    """The text: any corpus of `data`, or `task` (the texts of the whole training split and of the task's unlabelled files, each by itself),
    or several with how often each is read in an epoch, `{domain: 1, task: 0.25}`."""
    texts: int | None = Field(default=None, gt=0)
    """At most so many texts of each corpus, a fixed random part of it, which a larger number has within its own; null: all."""
    pooling: Pooling | None = None
    """What of the states of a text becomes the student's vector: their `mean`, that of the first token (`cls`) or of the `last`, the
    highest of each column (`max`); default what it has, or the mean, or of a decoder the last."""
    heldout: int = Field(default=500, gt=0)
    """So many texts at most, and a tenth at most, are not learned from: how far the vectors of these are apart decides which weights are
    kept."""
    lr: float = Field(default=1e-4, gt=0)
    """Peak learning rate."""
    epochs: float = Field(default=3.0, gt=0, le=MOST_EPOCHS)
    """Passes over the text."""
    min_steps: int = Field(default=200, ge=0)
    """At least so many optimiser steps, however few the texts are."""
    batch_size: int = Field(default=64, gt=0)
    """Texts per optimiser step, over all devices."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout while training; default the model's own."""
    evaluations: int = Field(default=10, gt=0)
    """How often the held-out texts are asked; the best weights are kept."""
    patience: int | None = Field(default=None, gt=0)
    """Evaluations without improvement before it stops; null: never."""

    def title(self) -> str:
        return f"distill vectors of {self.teacher} on {in_words(self.corpus)}"

    def reads(self) -> tuple[str, ...]:
        return reads_of(self.corpus)

    def teaches_words(self) -> bool:
        return False

    def beside(self) -> tuple[str, ...]:
        return (self.teacher,)

    def keyed(self) -> dict[str, Any]:
        # What the teacher is called decides nothing: its key is part of this one's.
        settings = {name: value for name, value in super().keyed().items() if name != "teacher"}
        return settings | {"max_length": self.max_length or LONGEST_DEFAULT}

    def sliver(self) -> Self:
        return self.model_copy(update={"epochs": 1.0, "min_steps": 0, "evaluations": 2, "texts": min(self.texts or SLIVER, SLIVER)})

    def held_out(self, texts: int) -> int:
        """How many of so many texts are not learned from."""
        return min(self.heldout, int(HELD_OUT * texts))

    def made_form(self, own: EmbeddingForm, states: int, theirs: EmbeddingForm, width: int) -> EmbeddingForm:
        """How a student makes vectors, whose states have the width `states`, like a teacher whose vectors have this `width`.

        Where its own would be wider, a dense layer makes them as wide; where they are narrower, they stay so, and the teacher's are
        reduced.
        """
        dense = width if own.width(states) > width else own.dense
        said = {name: value for name in ("pooling", "max_length") if (value := getattr(self, name)) is not None}
        activation = own.activation if dense == own.dense else "identity"
        made = {"dense": dense, "activation": activation, "normalize": theirs.normalize, "dimensions": ()}
        return own.model_copy(update={**said, **made})

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        given.check_training(self.max_length, self.gradient_checkpointing)
        check_pooling(self.pooling, given.config)
        teacher = given.beside[self.teacher]
        theirs = EmbeddingForm.of(teacher.config)
        form = self.made_form(EmbeddingForm.of(given.config), given.hidden, theirs, theirs.width(teacher.hidden))
        return replace(given, config={**given.config, EMBEDDING: form.model_dump(mode="json")})

    def check_texts(self, given: Sizes, reads: Callable[[], Reads]) -> None:
        found = reads().texts
        counts = {name: sum(part.sample.documents for part in found[name]) for name in shares(self.corpus)}
        self.refuse_few(sum(read_of(counts[name], share, self.texts) for name, share in shares(self.corpus).items()))

    def refuse_few(self, texts: int) -> None:
        """See that so many texts are enough to learn from most and hold some out.

        Raises:
            DataError: they are too few.
        """
        if not self.held_out(texts):
            found = f"distill_vectors: {texts:,} texts of {in_words(self.corpus)} are too few"
            raise DataError(f"{found}: a tenth is held out, so at least ten are needed")

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        found = {name: text.cut_share for name, text in self._text(given, reads()).items()}
        return told_of_cut(found, "texts", f"{self._length(given):,} tokens", LESS)

    def _length(self, given: Sizes) -> int:
        """Tokens of a text that are read."""
        return given.length(self.max_length or EmbeddingForm.of(given.config).max_length)

    def _text(self, given: Sizes, reads: Reads) -> dict[str, AskedText]:
        """What is read of each corpus at all, roughly."""
        whole = {name: AskedText.of(reads.texts[name], reads.special, self._length(given)) for name in shares(self.corpus)}
        return {name: whole[name].part(share, self.texts) for name, share in shares(self.corpus).items()}

    def work(self, given: Sizes, reads: Reads) -> Work:
        text = self._text(given, reads)
        items, tokens = (sum(getattr(each, name) for each in text.values()) for name in ("items", "tokens"))
        held = self.held_out(round(items)) / max(1.0, items)
        often = {name: (1 - held) * max(1.0, share) for name, share in shares(self.corpus).items()}
        epoch, learned = (sum(share * getattr(text[name], each) for name, share in often.items()) for each in ("items", "tokens"))
        batches = max(1, math.ceil(epoch / self.batch_size))
        trained = learned * self.steps(batches) / batches
        teacher = given.beside[self.teacher]
        width = EmbeddingForm.of(teacher.config).width(teacher.hidden)
        return Work(
            given.bytes,
            tokens=round(trained),
            operations=given.body * (6 * trained + 2 * held * tokens * (1 + self.evaluations)) + 2 * teacher.body * tokens,
            cache_bytes=round(BYTES * width * items),
            cache_key=("vectors", self.teacher, reads.fingerprints),
        )

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.stages.distilling_vectors import distilled_vectors

        assert parent is not None
        return distilled_vectors(self, parent, context)
