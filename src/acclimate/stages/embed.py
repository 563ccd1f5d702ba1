"""Sentence embeddings from labels: a model learns which texts belong together, and leaves vectors that any kind may be answered by."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from acclimate.errors import DataError, SettingsError
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm, Pooling, Prompts, check_pooling
from acclimate.modeling.longest import LONGEST_DEFAULT
from acclimate.objectives.vector_loss_settings import OF_VECTORS, VectorLoss, VectorLossSettings, named
from acclimate.settings import MOST_EPOCHS
from acclimate.stages.base import LABELS_OF, Context, Outcome, Role, Stage
from acclimate.stages.in_epochs import InEpochs
from acclimate.stages.long_texts import told_of_cut
from acclimate.stages.pace import EncoderPace
from acclimate.stages.planned import BYTES, Reads, Sizes, Work
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.relations import Examples, Relation, Told
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

LR, HEAD_LR = 5e-5, 1e-3
MOST_JUDGING = 2_000  # training texts, or documents, that are encoded besides dev each time that dev chooses
LOSS = "loss"  # as `select_by` says it
EXAMPLES = "examples of train"  # among what is known of what it reads


class Embed(EncoderPace, InEpochs, Stage):
    """Train vectors of texts by the task's labels: near where texts belong together, far where they do not. It leaves an embedding model,
    which `SentenceTransformer(path)` loads, too; a stage after it answers the task (`finetune: {train: head}`, `vectors`)."""

    version: ClassVar[int] = 4
    role: ClassVar[Role] = "embeds"
    reads_decoders: ClassVar[bool] = True
    most_texts: ClassVar[int] = 2
    apart: ClassVar[bool] = True
    stage: Literal["embed"] = "embed"
    task: str | None = None
    """The task whose labels it learns from, by its name among `data: tasks:`; the study's when not given."""
    loss: VectorLoss | None = None
    """What is learned; default by the kind of task: `from_labels` of texts with labels, `cosent` of pairs with scores, `multiple_negatives`
    of queries and their documents, and of pairs where some are entailed (contradictions are hard negatives), else `contrastive`."""
    train: Literal["all", "head"] | Annotated[int, Field(ge=1)] = "all"
    """`all` layers, the top N, or the `head` alone: a dense layer on a frozen encoder. What frozen layers give is computed once (of a
    decoder where all are frozen)."""
    positive: str | tuple[str, ...] | None = None
    """Of pairs with labels, those labels that say two texts belong together; default by their usual names (entailment, duplicate, ...).
    Contradictions, or where there are none all other labels, say that they do not."""
    hard_negatives: int | None = Field(default=None, ge=0, le=100)
    """With `multiple_negatives`, how many texts that do not belong to an anchor are read with it at most, where the task has such; default
    1."""
    pooling: Pooling | None = None
    """What of the states of a text becomes its vector: their `mean`, that of the first token (`cls`) or of the `last`, the highest of each
    column (`max`); default what the model has, or the mean, or of a decoder the last."""
    normalize: bool | None = None
    """Whether vectors have length 1; default what the model has, or yes. Losses compare directions alone."""
    dense: int | None = Field(default=None, gt=0)
    """Width of a layer over the pooled states, which becomes that of the vectors; default what the model has, or none, and with
    `train: head` the width of the states."""
    dimensions: tuple[Annotated[int, Field(gt=0)], ...] = ()
    """So many first dimensions are to be vectors by themselves (Matryoshka: Kusupati et al. 2022), such as [256, 64]: the loss is asked of
    each, and of the whole."""
    prompts: Prompts | None = None
    """What stands before texts, by side: the first text of a pair is a `query`, the second a `document`; default what the model has."""
    lr: float | None = Field(default=None, gt=0)
    """Peak learning rate; default 5e-5, 1e-3 where the head alone is trained."""
    epochs: float = Field(default=3.0, gt=0, le=MOST_EPOCHS)
    """Passes over the examples; of texts with labels each is read once in each."""
    min_steps: int = Field(default=100, ge=0)
    """At least so many optimiser steps, however few the labels are."""
    batch_size: int = Field(default=64, gt=0)
    """Examples per optimiser step, over all devices; in-batch negatives are those of all of them, whatever memory holds at once."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout while training; default the model's own."""
    evaluations: int = Field(default=10, gt=0)
    """How often dev is looked at; the best weights are kept."""
    patience: int | None = Field(default=None, gt=0)
    """Evaluations without a better dev before it stops; null: never."""
    select_by: str | None = None
    """What of dev decides which weights are kept: a score of what the vectors answer by themselves (of pairs with scores their cosines, of
    queries a ranking of documents, of texts with labels the nearest ten of train), or `loss`. Default the task's own first score; of pairs
    with labels, which no vectors answer by themselves, `loss`."""

    def title(self) -> str:
        what = self.word() if self.task is None else f"{self.word()} on {self.task}"
        parts = [] if self.loss is None else [self.loss.loss.replace("_", " ")]
        parts += [] if self.train == "all" else ["head" if self.train == "head" else f"top {self.train}"]
        return f"{what} ({', '.join(parts)})" if parts else what

    def reads(self) -> tuple[str, ...]:
        return ("labels",) if self.task is None else (f"{LABELS_OF}{self.task}",)

    def about(self) -> str | None:
        return self.task

    @classmethod
    def takes(cls, kind: TaskKind) -> bool:
        return kind.relates is not None

    def keyed(self) -> dict[str, Any]:
        # What a task is called decides nothing: what it holds is part of the key as data.
        settings = {name: value for name, value in super().keyed().items() if name != "task"}
        return settings | {"lr": self.peak_lr(), "max_length": self.max_length or LONGEST_DEFAULT, "positive": list(self.told.positive)}

    def peak_lr(self) -> float:
        """The peak learning rate, with its default for what is trained."""
        return self.lr or (HEAD_LR if self.train == "head" else LR)

    def sliver(self) -> Self:
        return self.model_copy(update={"epochs": 1.0, "min_steps": 0, "evaluations": 2})

    @property
    def told(self) -> Told:
        """What is said of how texts belong together."""
        positive = (self.positive,) if isinstance(self.positive, str) else self.positive or ()
        return Told(positive, 1 if self.hard_negatives is None else self.hard_negatives)

    def made_form(self, own: EmbeddingForm, width: int) -> EmbeddingForm:
        """What it makes of the form that a model has, whose states have this width."""
        dense = self.dense or own.dense or (width if self.train == "head" else None)
        said = {name: getattr(self, name) for name in ("pooling", "normalize", "prompts", "max_length")}
        changed = {name: value for name, value in said.items() if value is not None}
        activation = own.activation if dense == own.dense else "identity"
        return own.model_copy(update={**changed, "dense": dense, "activation": activation, "dimensions": self.dimensions, "trained": True})

    def chosen_by(self, task: Task) -> Metric | None:
        """The score of dev by which weights are kept; None: the loss.

        Raises:
            SettingsError: there is no such score, or vectors do not answer the task by themselves.
        """
        answered = "embedding" in task.kind.answered or task.kind.texts() == 1
        if self.select_by == LOSS or (self.select_by is None and not answered):
            return None
        if not answered:
            raise SettingsError(f"select_by: no vectors answer {task.kind.kind} by themselves; leave it out (`{LOSS}`)")
        return task.kind.metric(self.select_by)

    def relation(self, task: Task) -> Relation:
        """How the task says that texts belong together."""
        assert task.kind.relates is not None, "the study refuses kinds that do not"
        return task.kind.relates

    def by(self, task: Task) -> VectorLossSettings:
        """The loss, with its default."""
        return self.loss or named(self.relation(task).usual(task.names))

    def examples(self, task: Task, split: Split) -> Examples:
        """What it learns from a split, without prompts.

        Raises:
            DataError: there is nothing.
        """
        return self.relation(task).examples(split, self.by(task).shape, self.told, task.train)

    def batches(self, examples: int) -> int:
        """Of an epoch over so many examples."""
        return -(-examples // self.batch_size)

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        given.check_training(self.max_length, self.gradient_checkpointing)
        if isinstance(self.train, int):
            assert given.source is not None
            if given.family.shares_layers:
                raise SettingsError(f"train: {given.source.name}'s layers share their weights, so it is `all` or `head`")
            if self.train > given.layers:
                raise SettingsError(f"train: {self.train} layers were asked for, and {given.source.name} has {given.layers}")
        if self.train == "head" and (self.dropout is not None or self.gradient_checkpointing):
            which = "dropout" if self.dropout is not None else "gradient_checkpointing"
            raise SettingsError(f"{which}: with `train: head` the encoder runs once, and is not trained; leave it out")
        check_pooling(self.pooling, given.config)
        form = self.made_form(EmbeddingForm.of(given.config), given.hidden)
        beyond = [each for each in self.dimensions if each > form.width(given.hidden)]
        if beyond:
            width = form.width(given.hidden)
            raise SettingsError(f"dimensions: the vectors have {width}, so {beyond[0]} of them cannot be cut out; ask for at most {width}")
        if task is not None:
            self._check_task(task)
        return replace(given, config={**given.config, EMBEDDING: form.model_dump(mode="json")})

    def _check_task(self, task: Task) -> None:
        relation, loss, kind = self.relation(task), self.by(task), task.kind.kind
        if loss.shape not in relation.shapes():
            able = [each.model_fields["loss"].default for each in OF_VECTORS if each.shape in relation.shapes()]
            raise SettingsError(f"loss: {loss.loss} cannot learn from tasks of the kind {kind}; those that can are {', '.join(able)}")
        if self.hard_negatives is not None and loss.shape != "ranked":
            raise SettingsError(f"hard_negatives: {loss.loss} has none to choose; it goes with multiple_negatives")
        if self.prompts is not None and not relation.sided:
            raise SettingsError(f"prompts: texts of {kind} have no sides, a query and a document; leave it out")
        relation.check(task.names, self.told)
        self.chosen_by(task)
        try:
            examples = self.examples(task, task.train)
        except DataError as error:
            raise SettingsError(f"{self.word()}: {error}") from error
        hard = loss.shape == "ranked" and examples.rows.shape[1] > 2 and bool((examples.rows[:, 2:] >= 0).any(axis=1).all())
        if min(self.batch_size, len(examples)) < loss.least and not hard:
            few = f"batch_size: {self.batch_size}" if self.batch_size < loss.least else f"there are {len(examples)} examples, which"
            raise SettingsError(f"{few} is too few for {loss.loss}: {loss.least_why}; at least {loss.least} are needed")

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        _, whole_U = self._lengths(reads())
        most = self._length(given)
        cut = float(np.maximum(whole_U - most, 0).sum() / max(1.0, whole_U.sum()))
        return told_of_cut({"train": cut}, "texts", f"{most:,} tokens")

    def _length(self, given: Sizes) -> int:
        """Tokens of a text that are read."""
        return given.length(self.max_length or EmbeddingForm.of(given.config).max_length)

    def _lengths(self, reads: Reads) -> tuple[Examples, NDArray[np.float64]]:
        """What is learned from train, and the tokens [U] of each of its texts."""
        if EXAMPLES not in reads.known:
            assert reads.task is not None
            examples, (measured, *_) = self.examples(reads.task, reads.task.train), reads.texts["task train"]
            reads.known[EXAMPLES] = (examples, np.fromiter(measured.lengths(examples.texts), np.float64) + reads.special)
        found: tuple[Examples, NDArray[np.float64]] = reads.known[EXAMPLES]
        return found

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        examples, whole_U = self._lengths(reads)
        length_U = np.minimum(whole_U, self._length(given))
        epoch = float(length_U[examples.rows[examples.rows >= 0]].sum())
        dev = epoch * len(reads.task.dev) / max(1, len(reads.task.train)) + self._judging(reads.task) * float(length_U.mean())
        passes = self.steps(self.batches(len(examples))) * min(self.batch_size, len(examples)) / len(examples)
        share = 1.0 if self.train == "all" else 0.0 if self.train == "head" else min(1.0, self.train / given.layers)
        if not share:
            dense = 6 * given.hidden * (self.dense or given.hidden) * examples.rows.size * passes
            operations = 2 * given.body * (float(length_U.sum()) + dev) + dense
            return Work(given.bytes, tokens=round(epoch * passes), operations=operations)
        # What is frozen runs forward once over every text where its outputs are kept.
        once = share < 1 and reads.fast.packed and reads.fast.frozen_cache and given.family.divisible
        forward = float(length_U.sum()) + dev if once else epoch * passes + dev * self.evaluations
        operations = given.body * (2 * (1 - share) * forward + share * (6 * epoch * passes + 2 * dev * self.evaluations))
        return Work(
            given.bytes,
            tokens=round(epoch * passes),
            operations=operations,
            cache_bytes=round(forward * given.hidden * BYTES) if once else 0,
            cache_key=(reads.parent, self.train, "vectors", reads.fingerprints) if once else None,
        )

    def _judging(self, task: Task) -> int:
        """How many texts besides those of dev are encoded each time that dev chooses."""
        collection = task.dev.collection
        if self.chosen_by(task) is None or (collection is None and "embedding" in task.kind.answered):
            return 0
        return min(MOST_JUDGING, len(task.train) if collection is None else len(collection.texts))

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.stages.vector_training import trained

        assert parent is not None
        return trained(self, parent, context)
