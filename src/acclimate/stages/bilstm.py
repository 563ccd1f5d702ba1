"""The neural plain baseline stage: a bidirectional LSTM over words, from scratch; what a network learns from the labelled texts alone."""

import math
import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from acclimate.modeling.baselines.word_list import WordList
from acclimate.objectives.class_weights import check_class_weights
from acclimate.settings import MOST_EPOCHS
from acclimate.stages.base import USUAL_SCORE, Context, Outcome, Role, Serves, Stage, dev_scores
from acclimate.stages.planned import BYTES, Reads, Sizes, Work
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.data.sequences import Sequences
    from acclimate.modeling.baselines.bilstm_model import BilstmClassifier
    from acclimate.training.loop import Group


class Bilstm(Stage):
    """Word vectors and a bidirectional LSTM with max pooling (Conneau et al. 2017), from scratch: what no pretraining at all comes to."""

    libraries: ClassVar[tuple[str, ...]] = ("torch", "numpy")
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"sequence": ("softmax",)}
    stage: Literal["bilstm"] = "bilstm"
    embedding: int = Field(default=200, gt=0)
    """Width of a word's vector."""
    hidden: int = Field(default=200, gt=0)
    """Units of each of the two directions."""
    layers: int = Field(default=1, ge=1, le=2)
    """LSTM layers, one on the other."""
    most_words: int = Field(default=30_000, gt=0)
    """Keep the most frequent words of the training texts only; the others share the entry of unknown words."""
    min_count: int = Field(default=1, ge=1)
    """A word must stand in the training texts so often to be kept."""
    max_length: int = Field(default=400, gt=0)
    """Words per text. The rest is cut off, and counted."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Dropout of word vectors, between layers and of the pooled features."""
    word_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of the words that are read as unknown while training, so that unknown words of dev and test mean something."""
    lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate of AdamW (its usual one for networks from scratch, Kingma & Ba 2015)."""
    warmup: float = Field(default=0.0, ge=0, le=1)
    """Share of the steps in which the rate rises."""
    schedule: Literal["linear", "cosine", "constant"] = "constant"
    """How the rate falls after warm-up; dev ends the training long before the last step, so by default it does not."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay; biases have none."""
    clip: float = Field(default=5.0, gt=0)
    """Largest norm of the gradient."""
    epochs: float = Field(default=40.0, gt=0, le=MOST_EPOCHS)
    """Passes over the labelled texts, at most."""
    min_steps: int = Field(default=200, ge=0)
    """At least so many optimiser steps, however few the labels are."""
    batch_size: int = Field(default=32, gt=0)
    """Texts per optimiser step, over all devices."""
    class_weights: Literal["none", "balanced"] | dict[str, Annotated[float, Field(gt=0)]] = "none"
    """`balanced` (N / (L x count of the class)), or a weight per label, 1 where it is silent."""
    patience: int | None = Field(default=5, gt=0)
    """Epochs without a better dev score before it stops (never before `min_steps`); null: never."""
    select_by: str | None = None
    """The dev score that decides which epoch's weights are kept; the task's own first one (macro F1) when not given."""

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | {"select_by": self.select_by or USUAL_SCORE}

    def sliver(self) -> Self:
        return self.model_copy(update={"epochs": 1.0, "min_steps": 0})

    def steps(self, batches_per_epoch: int) -> int:
        """Optimiser steps at most: `epochs`, and at least `min_steps`."""
        return max(1, self.min_steps, math.ceil(self.epochs * batches_per_epoch))

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        if task is not None:
            check_class_weights(self.class_weights, task.names)
        return given

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        splits = (reads.task.train, reads.task.dev, reads.task.test)
        train, dev, test = (sum(min(text.count(" ") + 1, self.max_length) for text in split.documents()) for split in splits)
        batches = -(-len(splits[0]) // self.batch_size)
        epochs = self.steps(batches) / batches
        # Four gates in each of two directions, over what is below and over themselves.
        widths = [self.embedding, *[2 * self.hidden] * (self.layers - 1)]
        body = sum(2 * 4 * self.hidden * (width + self.hidden + 2) for width in widths)
        vectors = len(WordList.of(splits[0].inputs[0], self.most_words, self.min_count)) * self.embedding
        operations = body * (6 * train * epochs + 2 * (dev * (1 + epochs) + test))
        return Work(BYTES * (vectors + body), tokens=round(train * epochs), operations=operations)

    def run(self, parent: object, context: Context) -> Outcome:
        import numpy as np

        from acclimate.data.batches import CountOrder
        from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes, training_flops
        from acclimate.evaluation.inference import class_probabilities
        from acclimate.evaluation.predictions import write_predictions
        from acclimate.modeling.baselines.bilstm_model import BilstmClassifier, BilstmConfig
        from acclimate.objectives.class_weights import class_weights
        from acclimate.objectives.losses import LOSSES
        from acclimate.objectives.supervised import Supervised
        from acclimate.objectives.word_dropout import WordDropout
        from acclimate.stages.training import train_in
        from acclimate.tasks.kind import split_scores
        from acclimate.training.memory import MOST

        began = time.monotonic()
        devices = context.runtime.devices
        task = context.task()
        answered, gold = task.kind.answered["sequence"], np.asarray(task.train.gold)
        words = WordList.of(task.train.inputs[0], self.most_words, self.min_count)
        config = BilstmConfig(task.names, words, self.embedding, self.hidden, self.layers, self.max_length)
        model = BilstmClassifier(config, self.dropout, context.seed).to(devices.device)
        # A word takes a few kilobytes here, so what is of use also fits; the loop halves it where it does not.
        micro = context.runtime.micro_tokens or MOST.get(devices.device.type, MOST["cpu"])
        train, dev, test = (model.sequences(split.inputs[0]) for split in (task.train, task.dev, task.test))
        order = CountOrder(len(train), self.batch_size, context.seed)
        weights = class_weights(self.class_weights, gold, task.names)
        objective = WordDropout(Supervised(train, task.train, order, LOSSES["cross_entropy"](weights)), self.word_dropout, context.seed)

        def probabilities(texts: "Sequences") -> "np.ndarray[Any, np.dtype[np.float64]]":
            return class_probabilities(model, texts, len(task.names), micro, devices)

        def score(_: object) -> dict[str, float]:
            return dev_scores(task.kind, self.select_by, task.dev, answered(probabilities(dev), task.dev))

        seconds = time.monotonic() - began
        with PeakMemory() as memory:
            result = train_in(
                context, "all", self, model, micro, objective, _groups(model, self.weight_decay), score,
                steps=self.steps(order.batches_per_epoch), lr=self.lr, schedule=self.schedule, evaluate_every=order.batches_per_epoch,
                patience=self.patience, patience_from=self.min_steps,
            )  # fmt: skip
            began = time.monotonic()
            dev_probabilities = probabilities(dev)
            test_began = time.monotonic()
            test_probabilities = probabilities(test)
            test_seconds = time.monotonic() - test_began
        output = context.output / "model"
        predicted = {
            "dev": (task.dev, answered(dev_probabilities, task.dev)),
            "test": (task.test, answered(test_probabilities, task.test)),
        }
        if devices.is_main:
            model.save(output)
            write_predictions(context.output / "predictions.parquet", predicted)
        seconds += result.seconds + time.monotonic() - began
        metrics = {
            **split_scores(task.kind, predicted),
            "steps": result.steps,
            "best_step": result.best_step,
            "epochs": round(result.steps / order.batches_per_epoch, 3),
            "tokens": result.tokens,
            "words": len(words) - 1,
            "unknown_share_dev": _unknown_share(dev),
            "unknown_share_test": _unknown_share(test),
            "cut_words_train": train.windows.cut_tokens,
            "cut_words_dev": dev.windows.cut_tokens,
            "cut_words_test": test.windows.cut_tokens,
        }
        parameters = sum(parameter.numel() for parameter in model.parameters())
        read_once = sum(parameter.numel() for parameter in model.out.parameters())  # a text, not a word
        body = sum(parameter.numel() for parameter in model.lstms.parameters())
        flops = training_flops(
            parameters=body, tokens=result.tokens, layers=0, hidden=0, length=0,
            head_parameters=read_once, head_share=1 / float(train.lengths.mean()),
        )  # fmt: skip
        cost = Cost(
            seconds=seconds, tokens=result.tokens, flops=flops, peak_memory_bytes=memory.bytes, parameters=parameters,
            trained_parameters=parameters, disk_bytes=disk_bytes(output), inference_texts_per_second=len(test) / max(test_seconds, 1e-9),
        )  # fmt: skip
        return Outcome(metrics, cost, (), (*result.history, *result.evaluations))


def _groups(model: "BilstmClassifier", weight_decay: float) -> "list[Group]":
    from acclimate.training.loop import Group

    parameters = list(model.parameters())
    matrices, biases = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    return [Group(matrices, 1.0, weight_decay), Group(biases, 1.0, 0.0)]


def _unknown_share(texts: "Sequences") -> float:
    """Of all words of the texts, also those that are cut off."""
    from acclimate.modeling.baselines.word_list import UNKNOWN

    return float((texts.store.tokens == UNKNOWN).mean())
