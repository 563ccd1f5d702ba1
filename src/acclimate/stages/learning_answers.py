"""What `finetune` and `score` do where answers are written (`kind: generate`): they are learned, and written to dev and test."""

import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.errors import SettingsError
from acclimate.modeling.adapter_settings import AdapterTraining
from acclimate.stages.adapting import FORWARD_AND_BACK, adapter_bytes, adapters_of
from acclimate.stages.asking import cloze_of
from acclimate.stages.base import Context, Outcome
from acclimate.stages.pace import Course
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.writing import SPECIAL, answering, check_writing, lengths_of, operations, say_how_it_writes, taken, writer_of
from acclimate.tasks.generate import MOST_NEW
from acclimate.tasks.metrics.written import BITS, LIKELY
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder
    from acclimate.stages.finetune import Finetune
    from acclimate.stages.score import Score

# Settings of `finetune` that are about labels, a classifier on a text, or windows of it.
OF_LABELS = ("head", "loss", "class_weights", "sampler", "thresholds", "subwords", "stride", "long", "pool", "frozen_precision")


def check_learning(stage: "Finetune", given: Sizes, task: Task) -> Sizes:
    """Refuse what is about labels, and a model that cannot write.

    Raises:
        SettingsError, DataError, ModelError: it is refused.
    """
    if stage.head.mlm is not None:
        cloze_of(stage.head.mlm, task, "head: mlm")
    fields = type(stage).model_fields
    for name in OF_LABELS:
        if getattr(stage, name) != fields[name].get_default(call_default_factory=True):
            raise SettingsError(f"{name}: {task.kind.kind} has no labels, but answers that are written; leave `{name}` out")
    if stage.auxiliary is not None:
        raise SettingsError(f"auxiliary: {task.kind.kind} has no head beside that for words; let a `pretrain` read the text before")
    if stage.train == "head":
        raise SettingsError(f"train: {task.kind.kind} has no head of its own; `all`, or so many of the top layers")
    check_writing(stage.word(), given, task, stage.max_length, stage.max_new_tokens)
    given.check_training(stage.max_length, stage.gradient_checkpointing)
    if stage.lora is not None:
        adapters_of(stage.lora, given)
    if isinstance(stage.train, int) and stage.train > given.layers:
        raise SettingsError(f"train: {stage.train} layers were asked for, and there are {given.layers}")
    return replace(given, pretrained=True, classifier=None)


def work_of_learning(stage: "Finetune", given: Sizes, reads: Reads) -> Work:
    """Training on whole sequences, dev's right answers after every epoch, and writing to dev and test once."""
    assert reads.task is not None
    length, most = given.length(stage.max_length), stage.max_new_tokens or MOST_NEW
    prompt_N, answer_N = lengths_of(reads)["train"]
    train = float(np.minimum(prompt_N + answer_N + SPECIAL, length).sum())
    batches = -(-len(prompt_N) // stage.batch_size)
    epochs = stage.steps(batches) / max(1, batches)
    share = min(1.0, stage.train / given.layers) if isinstance(stage.train, int) else 1.0
    once_a_token = (2 + 4 * share) if stage.lora is None else 6 * FORWARD_AND_BACK
    body = once_a_token * given.body * train * epochs
    words = 6 * given.entries * given.hidden * float(answer_N.sum()) * epochs
    return Work(
        given.bytes if stage.lora is None else adapter_bytes(stage.lora, given),
        tokens=round(train * epochs),
        operations=body + words + operations(given, reads, length, most, dev_passes=1 + epochs),
    )


def learn(stage: "Finetune", parent: "ModelFolder", context: Context) -> Outcome:
    """Train on the answers, and write to dev and test with the weights of the best epoch."""
    from acclimate.data.batches import CountOrder
    from acclimate.modeling.adapters import add_adapters
    from acclimate.modeling.heads import freeze, load_mlm
    from acclimate.objectives.clm import NextTokens
    from acclimate.objectives.completing import Completing
    from acclimate.stages.trainer import EncoderTrainer

    task, most = context.task(), stage.max_new_tokens or MOST_NEW
    frozen = stage.lora is not None and stage.lora.keeps_half(parent.config)
    model, _ = load_mlm(parent, context.seed, stage.dropout, frozen)
    if isinstance(stage.train, AdapterTraining):
        add_adapters(model, stage.train.lora, context.seed, head=False)
    else:
        freeze(model, stage.train)
    tied = model.config.tie_word_embeddings  # a head of its own is among the parameters already
    with EncoderTrainer.of(context, parent, model, stage, layer_decay=stage.layer_decay) as trainer:
        module = NextTokens(trainer.packed)
        trainer.module = module
        writer = writer_of(context, parent, module, trainer.length, most, trainer.micro)
        written = answering(context, writer)
        texts = writer.read(task.train, learned=True)
        texts.refuse_lost(trainer.length)
        if texts.lost:
            trainer.notes.append(f"of {texts.lost:,} of {len(texts):,} training prompts nothing of the answer has room; they are left out")
        if texts.cut_answers > texts.lost:
            cut = texts.cut_answers - texts.lost
            trainer.notes.append(f"{cut:,} of {len(texts):,} training answers are cut to the {trainer.length:,} tokens of the window")
        rows = texts.answered
        order = CountOrder(len(rows), stage.batch_size, context.seed)
        writer.judged(task.dev)  # what cannot be read is refused before anything is learned

        def judge(_: Any) -> dict[str, float]:
            if stage.select_by not in (None, *LIKELY):
                metric, (found, _counts) = task.kind.metric(stage.select_by), written("dev", task.dev)
                scores = task.kind.scores(task.dev, task.kind.decoded("text", found, task.dev))
                return {**{f"dev_{name}": value for name, value in scores.items()}, "score": metric.merit(scores[metric.name])}
            nats, _tokens, size, _unread = writer.likely(task.dev).sum(axis=0)
            bits = float(nats / np.log(2) / size)
            return {f"dev_{BITS.name}": bits, "score": -bits}

        epoch = order.batches_per_epoch
        trainer.notes += stage.told_of_least(epoch)
        result = trainer.fit(Completing(texts, rows, order), judge, Course(stage.steps(epoch), epoch, stage.patience, stage.min_steps))
        scores, notes = taken(task, context, written, most)
        trainer.notes += notes
        trainer.save()
        say_how_it_writes(context, writer)
    asked = float((texts.answer_length + texts.ended)[rows].sum() / max(1, texts.lengths[rows].sum()))
    metrics = {
        **scores,
        **result.measured(),
        "epochs": round(result.steps / epoch, 3),
        "lost_answers_train": texts.lost,
        "cut_answers_train": texts.cut_answers,
        "micro_tokens": trainer.micro,
    }
    return trainer.outcome(metrics, trainer.flops(float(texts.lengths[rows].mean()), masked_share=asked if tied else 0.0))


def answer(stage: "Score", parent: "ModelFolder", context: Context) -> Outcome:
    """Let a decoder write as it is; the model is handed on unchanged."""
    from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
    from acclimate.modeling.execution import Packed
    from acclimate.modeling.heads import load_mlm
    from acclimate.modeling.longest import sequence_length
    from acclimate.objectives.clm import NextTokens
    from acclimate.stages.trainer import forward_tokens

    began, task, devices = time.monotonic(), context.task(), context.runtime.devices
    most = stage.max_new_tokens or MOST_NEW
    model, _ = load_mlm(parent, context.seed)
    micro = forward_tokens(context, model, 0.0)
    module = NextTokens(Packed(model, context.runtime.fast).to(devices.device))
    writer = writer_of(context, parent, module, sequence_length(stage.max_length, parent), most, micro)
    with PeakMemory() as memory:
        scores, notes = taken(task, context, answering(context, writer), most)
    output = context.output / "model"
    if devices.is_main:
        shutil.copytree(parent.path, output)
    say_how_it_writes(context, writer)
    seconds = time.monotonic() - began
    cost = Cost(
        seconds=seconds, peak_memory_bytes=memory.bytes, parameters=parent.parameters, trained_parameters=0,
        disk_bytes=disk_bytes(output) if devices.is_main else 0,
        inference_texts_per_second=(len(task.dev) + len(task.test)) / max(seconds, 1e-9),
    )  # fmt: skip
    return Outcome({**scores, "micro_tokens": micro}, cost, tuple(notes))
