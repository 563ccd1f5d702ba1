"""The plain baseline stage of static vectors: an encoder's own vocabulary, read once, or vectors of words from a file."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from acclimate.errors import SettingsError
from acclimate.files import digest_file
from acclimate.stages.answers_by_vectors import AnswersByVectors
from acclimate.stages.base import OWN_BASE, Context, Outcome, Role
from acclimate.stages.planned import BYTES, Reads, Sizes, Work
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.baselines.static_model import StaticVectors
    from acclimate.modeling.folder import ModelFolder

TOKENS_OF_ENTRY = 3  # with the special ones around it
OPERATIONS_A_SECOND = 5e10
DIMENSIONS = 256


class Static(AnswersByVectors):
    """A vector for every entry of a vocabulary, distilled from an encoder or read from a file; a text has the mean of its tokens' vectors.

    Each entry goes through the encoder once, alone; principal components and Zipf weights follow (model2vec: Tulkens & van Dongen 2024).
    It stands between tf-idf and a transformer, and reads no context.
    """

    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tokenizers", "scikit-learn", "scipy", "numpy")
    role: ClassVar[Role] = "baseline"
    stage: Literal["static"] = "static"
    model: str | None = Field(default=None, min_length=1)
    """Whose vocabulary is distilled: a hub id, a folder or a short name; default the study's base."""
    vectors: str | None = Field(default=None, min_length=1)
    """A file of words' vectors instead, as GloVe's: a line for each word, then its numbers, separated by spaces, frequent words first."""
    dimensions: int | None = Field(default=None, ge=1)
    """Principal components that are kept, at most; default 256. A file's vectors that are no longer than that stay as they are."""
    zipf: bool = True
    """Whether an entry counts by the logarithm of its rank in the vocabulary, so that frequent ones count little."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model is not None and self.vectors is not None:
            raise ValueError("give `model` or `vectors`: words' vectors come from an encoder, or from a file")
        return self

    def made_from(self) -> str | None:
        return None if self.vectors is not None else self.model or OWN_BASE

    def title(self) -> str:
        return f"{self.word()} vectors of {Path(self.vectors).name}" if self.vectors is not None else f"{self.word()} vectors"

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def located(self, root: Path) -> Self:
        if self.vectors is None:
            return self
        path = (root / Path(self.vectors).expanduser()).resolve()
        if not path.is_file():
            raise SettingsError(f"vectors: {path} is no file; relative paths start at the study file")
        return self.model_copy(update={"vectors": str(path)})

    def keyed(self) -> dict[str, Any]:
        # What is distilled is the model before it, whatever it is called; a file is what stands in it.
        settings = {name: value for name, value in super().keyed().items() if name not in ("model", "vectors")}
        file = None if self.vectors is None else _digest(Path(self.vectors), Path(self.vectors).stat().st_mtime_ns)
        return settings | {"file": file, "dimensions": self.dimensions or DIMENSIONS}

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        if task is not None:
            self.check_heads(task)
        return given

    def work(self, given: Sizes, reads: Reads) -> Work:
        entries = given.entries if given.source is not None else 0
        seconds = 2 * given.body * TOKENS_OF_ENTRY * entries / OPERATIONS_A_SECOND
        return Work(BYTES * entries * (self.dimensions or DIMENSIONS), seconds=5 + seconds)

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.modeling.baselines.static_model import from_file, write_static
        from acclimate.stages.kept_static import distilled_once
        from acclimate.stages.plain_vectors import Vectored, vectors_outcome

        def make() -> Vectored:
            repeated, before, dimensions = 0, 0.0, self.dimensions or DIMENSIONS
            if parent is not None:
                texts, before = distilled_once(context, parent, dimensions, self.zipf, lambda: self._distilled(parent, context))
            else:
                assert self.vectors is not None
                texts, repeated = from_file(Path(self.vectors), dimensions, self.zipf)
            told = (f"{repeated:,} lines of {Path(self.vectors or '').name} repeat a word; the first one counts",) if repeated else ()
            metrics = {"entries": len(texts.rows), "dimensions": texts.rows.shape[1]}
            return Vectored(
                texts.vectors, lambda folder: write_static(folder, texts), texts.rows.size, metrics, told, seconds_before=before
            )  # fmt: skip

        return vectors_outcome(context, self, make)

    def _distilled(self, parent: "ModelFolder", context: Context) -> "StaticVectors":
        import numpy as np

        from acclimate.data.model_inputs import sequences_of
        from acclimate.data.tokens import TokenStore
        from acclimate.evaluation.text_vectors import sequence_vectors
        from acclimate.modeling.baselines.static_model import distilled
        from acclimate.modeling.embedder import load_embedder
        from acclimate.modeling.embedding_form import EmbeddingForm
        from acclimate.stages.trainer import own_forward_tokens
        from acclimate.stages.watched import watched

        # Lengths tell of entries what they tell of texts until the mean is taken.
        form = EmbeddingForm.of(parent.config).model_copy(update={"normalize": False})
        embedder = load_embedder(parent, form, 0.0, fast=context.runtime.fast).to(context.runtime.devices.device)
        tokenizer, micro = parent.tokenizer(), own_forward_tokens(context, embedder.encoder.model)
        entries = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())
        alone = TokenStore(np.arange(entries, dtype=np.uint32), np.arange(entries + 1, dtype=np.int64))
        told = watched(context, "vocabulary", micro)
        states = sequence_vectors(embedder, sequences_of([alone], tokenizer, embedder.length), micro, context.runtime.devices, told)
        context.runtime.reporter.close()
        return distilled(tokenizer, states, self.dimensions or DIMENSIONS, self.zipf)


@cache
def _digest(path: Path, _: int) -> str:
    """Of a file as it was at a time: a plan asks for every seed and label budget."""
    return digest_file(path)
