"""Answering a task by the vectors that a model gives its texts: the encoder stays as it is, and several kinds of task judge it."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from acclimate.errors import SettingsError
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm, Pooling, Prompts, Side, check_pooling
from acclimate.modeling.longest import check_length
from acclimate.stages.answers_by_vectors import AnswersByVectors
from acclimate.stages.base import Context, Outcome, Role
from acclimate.stages.long_texts import LESS, lengths, told_of_cut
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.kind import many
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class Vectors(AnswersByVectors):
    """Answer the task by the vectors of an embedding model, of any encoder (the mean of its last states) or decoder (the last of them).
    Nothing of it is trained.

    Texts with labels: a classifier is fitted on the vectors of train. Pairs with a score: their cosine. Queries: the documents by cosine.
    """

    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tokenizers", "numpy", "scikit-learn")
    role: ClassVar[Role] = "answers"
    reads_decoders: ClassVar[bool] = True
    apart: ClassVar[bool] = True
    stage: Literal["vectors"] = "vectors"
    pooling: Pooling | None = None
    """How the states of a text's tokens become one vector, where the model does not say: `mean`, the default, `last`, that of decoders,
    `cls` or `max`."""
    normalize: bool | None = None
    """Whether vectors are made of length 1, where the model does not say; default yes. A cosine is the same either way."""
    prompts: Prompts | None = None
    """What stands before the texts of a side (`{query: "query: ", document: "passage: "}`); default what the model says, or nothing."""
    dimensions: int | None = Field(default=None, ge=1)
    """Only so many of the first dimensions are looked at (Kusupati et al. 2022); default all."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens of a text, special ones included; default what the model says, or its limit, at most 512. Longer texts are cut."""

    def title(self) -> str:
        parts = [part for part in (self.classify, f"{self.dimensions} dimensions" if self.dimensions else None) if part]
        return f"vectors ({', '.join(parts)})" if parts else "vectors"

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def form_of(self, config: dict[str, Any]) -> EmbeddingForm:
        """How the model of a config.json makes vectors here.

        Raises:
            SettingsError: it says so by itself, and something else is asked for.
        """
        own = EmbeddingForm.of(config)
        asked = {"pooling": self.pooling, "normalize": self.normalize, "prompts": self.prompts, "max_length": self.max_length}
        for name in ("pooling", "normalize"):
            if EMBEDDING in config and asked[name] not in (None, getattr(own, name)):
                raise SettingsError(f"{name}: the model says {getattr(own, name)!r} by itself, as it was trained; leave `{name}` out")
        return own.model_copy(update={name: value for name, value in asked.items() if value is not None})

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        check_length(self.max_length, given.config)
        check_pooling(self.pooling, given.config)
        width = self.form_of(given.config).width(given.hidden)
        if self.dimensions is not None and self.dimensions > width:
            assert given.source is not None
            raise SettingsError(f"dimensions: {self.dimensions} were asked for, and the vectors of {given.source.name} have {width}")
        if task is not None:
            self.check_heads(task)
        return given

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        read = reads()
        assert read.task is not None
        if read.task.kind.texts() > 1:
            return ()  # lengths are those of both texts together, and each is cut by itself
        length, cut = self._length(given), {}
        for split, texts in lengths(read).items():
            cut[split] = float(np.maximum(texts + read.special - length, 0).sum() / max(1.0, texts.sum()))
        return told_of_cut(cut, many(read.task.kind.item), f"{length:,} tokens", LESS)

    def _length(self, given: Sizes) -> int:
        return given.length(self.form_of(given.config).max_length)

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        most = self._length(given) * reads.task.kind.texts()
        tokens = sum(float(np.minimum(texts + reads.special, most).sum()) for texts in lengths(reads).values())
        if (collection := reads.task.test.collection) is not None:
            documents = np.fromiter(reads.texts["task test"][0].lengths(collection.texts), np.float64)
            tokens += float(np.minimum(documents + reads.special, most).sum())
        return Work(given.disk_bytes, operations=2 * tokens * given.body, seconds=1.0)

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.evaluation.by_vectors import by_vectors
        from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
        from acclimate.evaluation.encoder_vectors import EncoderVectors
        from acclimate.modeling.embedder import load_embedder, save_embedder
        from acclimate.modeling.vector_heads import write_head
        from acclimate.stages.decision import Decision
        from acclimate.stages.trainer import forward_tokens
        from acclimate.stages.vector_cache import vector_cache
        from acclimate.stages.watched import watched

        assert parent is not None
        runtime, task = context.runtime, context.task()
        embedder = load_embedder(parent, self.form_of(parent.config), 0.0, fast=runtime.fast)
        micro = forward_tokens(context, embedder.encoder.model, 0.0)
        cache = vector_cache(context, parent, embedder.form)
        vectors = EncoderVectors(embedder, parent.tokenizer(), micro, runtime.devices, self.dimensions, cache)

        def encode(texts: Sequence[str], side: Side | None) -> Any:
            found = vectors.of(texts, side, watched(context, f"{many(side)}" if side else "texts", micro))
            runtime.reporter.close()
            return found

        with PeakMemory() as memory:
            found = by_vectors(task, self.form(task.kind), encode, self.head_settings())
        decision = Decision.of(task, "half", found.dev, found.form)
        scores = decision.taken(found.test, context.output / "predictions.parquet" if runtime.devices.is_main else None)
        output = context.output / "model"
        if runtime.devices.is_main:
            save_embedder(output, parent, embedder, answers=True)
            read = {} if self.dimensions is None else {"dimensions": self.dimensions}
            write_head(output, found.head, task.kind.texts(), read)
        cost = Cost(
            seconds=time.monotonic() - context.began, peak_memory_bytes=memory.bytes, parameters=parent.parameters, trained_parameters=0,
            disk_bytes=disk_bytes(output) if runtime.devices.is_main else 0, inference_texts_per_second=vectors.speed,
        )  # fmt: skip
        metrics = {**scores, **self.told_of(found, task), "cut_tokens": vectors.unread.cut_units, "micro_tokens": micro}
        cut = told_of_cut({"all texts": vectors.cut_share}, "texts", f"{embedder.length:,} tokens")
        return Outcome(metrics, cost, (*found.notes, *cut), found.log)
