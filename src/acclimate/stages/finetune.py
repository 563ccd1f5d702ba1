"""Supervised fine-tuning of a classifier on the task's labels: all layers, the top few, or the head alone."""

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from acclimate.errors import SettingsError
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.longest import LONGEST_DEFAULT
from acclimate.objectives.class_weights import check_class_weights
from acclimate.settings import MOST_EPOCHS
from acclimate.stages.base import USUAL_SCORE, Context, Outcome, Role, Serves, Stage, dev_scores
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

HEAD_LR = 1e-3  # a fresh head on frozen features needs far larger steps than pretrained layers
LR = 5e-5


class Finetune(Stage):
    """Train a classifier on the labelled texts; dev decides when to stop, test is evaluated once."""

    version: ClassVar[int] = 3
    role: ClassVar[Role] = "learns"
    serves: ClassVar[Serves] = {"sequence": ("softmax",)}
    stage: Literal["finetune"] = "finetune"
    train: Literal["all", "head"] | Annotated[int, Field(ge=1)] = "all"
    """`all` layers, the `head` alone (pooler and classifier), or the top N layers with the head."""
    head: HeadSettings = HeadSettings()
    """The classifier: one linear layer, or a deeper one."""
    lr: float | None = Field(default=None, gt=0)
    """Peak learning rate; default 5e-5 (Devlin et al. 2019 searched 2e-5 to 5e-5), 1e-3 where the head alone is trained."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Each layer's learning rate is this times that of the layer above (.65 to .95 is usual; 1: no decay)."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps in which the rate rises."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls after warm-up."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay; biases and norms have none."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    epochs: float = Field(default=5.0, gt=0, le=MOST_EPOCHS)
    """Passes over the labelled texts."""
    min_steps: int = Field(default=200, ge=0)
    """At least so many optimiser steps, however few the labels are (Mosbach et al. 2021; Zhang et al. 2021)."""
    batch_size: int = Field(default=16, gt=0)
    """Texts per optimiser step, over all devices."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens per text, special ones included; default the model's limit, at most 512. The rest is cut off, and counted."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout while training; default the model's own. Frozen layers have none: what they give is computed once."""
    frozen_precision: Literal["float32", "float16"] = "float32"
    """How the outputs of frozen layers are kept on disk; float16 takes half the room."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: about a third slower, far less memory."""
    class_weights: Literal["none", "balanced"] | dict[str, Annotated[float, Field(gt=0)]] = "none"
    """`balanced` (N / (L x count of the class)), or a weight per label, 1 where it is silent."""
    patience: int | None = Field(default=3, gt=0)
    """Epochs without a better dev score before it stops (never before `min_steps`); null: never."""
    select_by: str | None = None
    """The dev score that decides which epoch's weights are kept; the task's own first one (macro F1) when not given."""

    def title(self) -> str:
        if self.train == "all":
            return self.word()
        return f"{self.word()} ({self.train if self.train == 'head' else f'top {self.train}'})"

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def sliver(self) -> Self:
        return self.model_copy(update={"epochs": 1.0, "min_steps": 0})

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | {
            "select_by": self.select_by or USUAL_SCORE,
            "lr": self.peak_lr(),
            "max_length": self.max_length or LONGEST_DEFAULT,
        }

    def peak_lr(self) -> float:
        """The peak learning rate, with its default for what is trained."""
        return self.lr or (HEAD_LR if self.train == "head" else LR)

    def steps(self, batches_per_epoch: int) -> int:
        """Optimiser steps: `epochs`, and at least `min_steps`."""
        return max(1, self.min_steps, math.ceil(self.epochs * batches_per_epoch))

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        if task is not None:
            check_class_weights(self.class_weights, task.names)
        given.check_training(self.max_length, self.gradient_checkpointing)
        if isinstance(self.train, int):
            assert given.source is not None
            if given.family.shares_layers:
                raise SettingsError(f"train: {given.source.name}'s layers share their weights, so it is `all` or `head`")
            if self.train > given.layers:
                raise SettingsError(f"train: {self.train} layers were asked for, and {given.source.name} has {given.layers}")
        return given

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        splits, most = {"train": reads.task.train, "dev": reads.task.dev, "test": reads.task.test}, given.length(self.max_length)
        train, dev, test = (
            sum(min(length + reads.special, most) for length in reads.texts[f"task {name}"][0].lengths(split.documents()))
            for name, split in splits.items()
        )
        texts = len(splits["train"])
        batches = -(-texts // self.batch_size)
        whole, rest = divmod(self.steps(batches), batches)
        epochs = whole + min(1.0, rest * self.batch_size / texts)
        # What is frozen runs forward once over every text where its outputs are kept, what is trained in every epoch.
        once = reads.fast.packed and reads.fast.frozen_cache and given.family.divisible
        trained = self._trained_share(given.layers)
        passes = 1.0 if once else epochs
        frozen = (1 - trained) * 2 * given.body * (train * passes + dev * (passes if once else 1 + passes) + test)
        training = trained * given.body * (6 * train * epochs + 2 * (dev * (1 + epochs) + test))
        one_row = self.train == "head" and not given.family.pools_mean(given.config)
        rows = sum(map(len, splits.values())) if one_row else train + dev + test
        cache = round(rows * given.hidden * np.dtype(self.frozen_precision).itemsize) if once and trained < 1 else 0
        return Work(
            given.bytes,
            tokens=round(train * epochs),
            operations=frozen + training,
            cache_bytes=cache,
            cache_key=(reads.parent, self.train, self.frozen_precision, reads.fingerprints) if cache else None,
        )

    def _trained_share(self, layers: int) -> float:
        return 1.0 if self.train == "all" else 0.0 if self.train == "head" else min(1.0, self.train / layers)

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        import torch

        from acclimate.data.batches import CountOrder
        from acclimate.data.sequences import Sequences
        from acclimate.data.unknown import unknown_words
        from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
        from acclimate.evaluation.inference import class_probabilities, inference_speed
        from acclimate.evaluation.predictions import write_predictions
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.folder import save_model
        from acclimate.modeling.frozen import divided
        from acclimate.modeling.heads import freeze, load_classifier
        from acclimate.modeling.longest import sequence_length
        from acclimate.objectives.class_weights import class_weights
        from acclimate.objectives.losses import LOSSES
        from acclimate.objectives.supervised import Supervised
        from acclimate.stages.frozen_cache import FrozenLayers
        from acclimate.stages.texts import sequences
        from acclimate.stages.training import checkpoint_activations, decayed, flops_of, forward_tokens, name_attention, train_in
        from acclimate.tasks.kind import split_scores
        from acclimate.tasks.split import Split

        assert parent is not None
        began = time.monotonic()
        runtime = context.runtime
        devices = runtime.devices
        task = context.task()
        answered, gold = task.kind.answered["sequence"], np.asarray(task.train.gold)
        length = sequence_length(self.max_length, parent)
        model = load_classifier(parent, task.names, self.head, context.seed, self.dropout)
        freeze(model, self.train)
        if self.gradient_checkpointing:
            checkpoint_activations(model)
        packed = Packed(model, runtime.fast).to(devices.device)
        notes = [] if packed.execution == "packed" else [packed.reason]
        name_attention(context, packed)
        micro = forward_tokens(context, model)
        # What is frozen runs once over each text, and what is trained starts from there.
        parts = divided(packed, getattr(torch, self.frozen_precision))
        frozen = FrozenLayers(parts, parent, self.frozen_precision, micro, context, notes) if parts is not None else None
        trained_model = packed if parts is None else parts

        def read(split: Split) -> Sequences:
            texts = sequences(split, parent, length, context)
            return texts if frozen is None else frozen.read(texts, split)

        with PeakMemory() as frozen_memory:
            train, dev, test = read(task.train), read(task.dev), read(task.test)
        order = CountOrder(len(task.train), self.batch_size, context.seed)
        weights = class_weights(self.class_weights, gold, task.names)
        objective = Supervised(train, task.train, order, LOSSES["cross_entropy"](weights))

        def probabilities(module: torch.nn.Module, texts: Sequences) -> np.ndarray[Any, np.dtype[np.float64]]:
            return class_probabilities(module, texts, len(task.names), micro, devices)

        def score(module: torch.nn.Module) -> dict[str, float]:
            return dev_scores(task.kind, self.select_by, task.dev, answered(probabilities(module, dev), task.dev))

        unknown = {name: read.store.unknown_share for name, read in (("train", train), ("dev", dev), ("test", test))}
        if told := unknown_words({f"the {name} texts": share for name, share in unknown.items()}):
            notes.append(told)
        steps = self.steps(order.batches_per_epoch)
        seconds = time.monotonic() - began
        with PeakMemory() as memory:
            result = train_in(
                context, "all", self, trained_model, micro, objective, decayed(model, self.weight_decay, self.layer_decay), score,
                steps=steps, lr=self.peak_lr(), schedule=self.schedule, evaluate_every=order.batches_per_epoch,
                patience=self.patience, patience_from=self.min_steps,
            )  # fmt: skip
            began = time.monotonic()
            dev_probabilities = probabilities(trained_model, dev)
            test_began = time.monotonic()
            test_probabilities = probabilities(trained_model, test)
            test_seconds = time.monotonic() - test_began
        output = context.output / "model"
        predicted = {
            "dev": (task.dev, answered(dev_probabilities, task.dev)),
            "test": (task.test, answered(test_probabilities, task.test)),
        }
        if devices.is_main:
            save_model(output, parent, model, length)
            write_predictions(context.output / "predictions.parquet", predicted)
        seconds += result.seconds + time.monotonic() - began
        speed = len(test) / max(test_seconds, 1e-9)
        if test.hidden is not None:  # then the test texts did not go through the whole model
            speed = inference_speed(packed, replace(test, hidden=None), micro, devices)
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        parameters = sum(p.numel() for p in model.parameters())
        metrics = {
            **split_scores(task.kind, predicted),
            "steps": result.steps,
            "best_step": result.best_step,
            "epochs": round(result.steps / order.batches_per_epoch, 3),
            "tokens": result.tokens,
            "micro_tokens": micro,
            "cut_tokens_train": train.windows.cut_tokens,
            "cut_tokens_dev": dev.windows.cut_tokens,
            "cut_tokens_test": test.windows.cut_tokens,
            **{f"unknown_share_{name}": share for name, share in unknown.items()},
        }
        once = None if train.hidden is None else int(train.lengths.sum())
        cost = Cost(
            seconds=seconds, tokens=result.tokens, peak_memory_bytes=max(frozen_memory.bytes, memory.bytes),
            flops=flops_of(model, result.tokens, float(train.lengths.mean()), trained_share=trained / parameters, frozen_tokens=once),
            parameters=parameters, trained_parameters=trained, disk_bytes=disk_bytes(output),
            inference_texts_per_second=speed,
        )  # fmt: skip
        return Outcome(metrics, cost, tuple(notes), (*result.history, *result.evaluations))
