"""The training of a distillation: the teacher is asked, the student learns, dev says which of its weights are kept."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from acclimate.data.batches import CountOrder
from acclimate.data.unknown import unknown_words
from acclimate.files import read_json, write_json
from acclimate.modeling.base_files import CONFIG, DISTILLED
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_tagger
from acclimate.objectives.distillation import Distilled, SoftLabels
from acclimate.objectives.losses.chosen import chosen_loss
from acclimate.stages.base import Context, Outcome
from acclimate.stages.exam import Exam
from acclimate.stages.long_texts import LongTexts
from acclimate.stages.pace import Course
from acclimate.stages.teacher import Teacher, in_a_row, together
from acclimate.stages.teacher_inside import inside_of
from acclimate.stages.trainer import EncoderTrainer
from acclimate.stages.transfer_text import TransferText

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder
    from acclimate.stages.distill import Distill


def distilled(stage: "Distill", parent: "ModelFolder", context: Context) -> Outcome:
    """The student's classifier, or tagger, trained by its teacher, in `context.output`."""
    task = context.task()
    head = task.kind.head(task.names, stage.form(task.kind))
    text = TransferText.of(stage.corpus, stage.texts, head.form, context)
    teachers = [Teacher(each, head, stage.rows(task, each.labels), context) for each in stage.teachers(context.beside)]
    parts = [*zip(text.parts, text.counts, strict=True)]
    said = together([in_a_row([teacher.says(part, count) for part, count in parts]) for teacher in teachers], head.link)
    gold, known = text.gold(context.data, task)
    if head.form == "tokens":
        model = load_tagger(parent, head.names, HeadSettings(), context.seed, stage.dropout)
    else:
        model = load_classifier(parent, head.names, HeadSettings(), context.seed, stage.dropout, head.link)
    with EncoderTrainer.of(context, parent, model, stage) as trainer:
        long = LongTexts(task.kind, head.form, trainer.length, None, None, None, settled=True)
        # A teacher answers words by one piece of each, and so does a student.
        transfer = text.whole.read(context, parent, trainer.length, long.overlap).answering()
        texts = {name: trainer.read(task.splits[name], long.overlap) for name in ("dev", "test")}
        read = {"transfer": transfer, **texts}
        trainer.notes += [*long.told(read), *_told_of(teachers, context)]
        unknown = {name: each.unknown_share for name, each in read.items()}
        if told := unknown_words({f"the {name} texts": share for name, share in unknown.items()}):
            trainer.notes.append(told)
        rows = text.sequences(transfer)
        order = CountOrder(len(rows), stage.batch_size, context.seed)
        soft, hard = SoftLabels(head.link, stage.softened), chosen_loss(stage.losses(), None, "none", head, task.train)
        inside = None
        if stage.hidden != "none":
            kept, inside = inside_of(stage, trainer.packed, parent, teachers[0], transfer, text.whole.fingerprint)
            transfer = replace(transfer, hidden=kept)
        objective = Distilled(transfer, rows, order, said, soft, gold, known, hard, stage.weight, inside, stage.hidden_weight)
        exam = Exam(task, head, texts, trainer, select_by=stage.select_by)
        steps = stage.steps(order.batches_per_epoch)
        trainer.notes += stage.told_of_least(order.batches_per_epoch)
        result = trainer.fit(objective, exam.judge, Course(steps, math.ceil(steps / stage.evaluations), stage.patience))
        scores = exam.taken()
        trainer.save(max_length=trainer.length, stride=long.overlap)
        if trainer.devices.is_main:
            config = context.output / "model" / CONFIG
            write_json(config, read_json(config) | {DISTILLED: True})
    metrics = {
        **scores,
        **result.measured(),
        "epochs": round(result.steps / order.batches_per_epoch, 3),
        "micro_tokens": trainer.micro,
        "transfer_items": len(text.read),
        "labelled_items": int(text.labelled(context.data, task).sum()) if stage.weight < 1 else 0,
        **{f"cut_tokens_{name}": each.cut_tokens for name, each in read.items()},
        **{f"unknown_share_{name}": share for name, share in unknown.items()},
    }
    return trainer.outcome(metrics, trainer.flops(float(transfer.lengths.mean())))


def _told_of(teachers: Sequence[Teacher], context: Context) -> list[str]:
    if len(teachers) == 1:
        return []
    told = f"{len(teachers)} teachers, one of each seed, are one, the same for the students of all seeds"
    seen = "together they have seen the labels that all seeds have drawn, and not those of this one alone"
    return [told if context.labels == "all" else f"{told}; {seen}"]
