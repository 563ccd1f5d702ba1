"""A student of two layers is taught by six what they say of short texts: the stage `distill`, against a Trainer that asks in each step.

The peer is transformers' Trainer with the loss of Hinton et al. (2015) in `compute_loss`, its teacher in evaluation mode and without
gradients, on texts with dynamic padding, or grouped by length besides. Both learn from the teacher alone for three epochs; both answer dev
after each, keep the best weights, and answer test at the end. Timed is from the loaded models and tokenised texts to the trained, evaluated
student: ours asks the teacher of every text once, in the time, and keeps nothing of that from one round to the next.
"""

from functools import partial
from pathlib import Path

from acclimate.modeling.cut_layers import cut_layers
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.folder import ModelFolder
from acclimate.stages.distill import Distill
from acclimate.stages.finetune import Finetune
from acclimate.tasks.opened import Data
from bench import models, ours, peers, texts
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, versus
from bench.models import Base
from bench.peers import CLASSIFICATION
from bench.rows.finetune import BY_LENGTH, DYNAMIC, records, spread
from bench.texts import Labelled

LAYERS, EPOCHS, BATCH, LR = 2, 3, 32, 2e-4


def _distill(bench: Bench) -> list[Cell]:
    rows = texts.labelled(bench.options.data, *((64, 32, 32) if bench.options.quick else (512, 32, 32)))
    data = ours.task_data(bench.work / "task distill", rows)
    tune = Finetune(epochs=EPOCHS, min_steps=0, batch_size=BATCH, lr=LR, max_length=ours.LENGTH, select_by="accuracy")
    stage = Distill(
        teacher="teacher", alpha=1.0, epochs=EPOCHS, min_steps=0, batch_size=BATCH, lr=LR, max_length=ours.LENGTH, evaluations=EPOCHS,
        select_by="accuracy",
    )  # fmt: skip
    return [cell for name in models.names(bench) for cell in _compared(bench, name, rows, data, tune, stage)]


def _compared(bench: Bench, name: str, rows: Labelled, data: Data, tune: Finetune, stage: Distill) -> list[Cell]:
    assert data.task is not None
    base, labels, place = models.base(bench, name), list(data.task.names), bench.work / "distill" / name.replace(" ", "-")
    # The teacher has learned the task a little, so that what is taught means something.
    _, taught = ours.finetune(bench, base.folder, data, tune.sliver() if bench.options.quick else tune, 0, keep=place / "teacher")
    teacher, of = ModelFolder(place / "teacher" / "model"), dimensions_of(base.folder.config).layers
    student = _student(base, min(LAYERS, of - 1), place / "student")
    splits = {split: CLASSIFICATION.rows(base, records(part, getattr(rows, split)), labels, ours.LENGTH)
              for split, part in data.task.splits.items()}  # fmt: skip
    beside, scores = {"teacher": teacher}, dict[str, list[float]]()
    ours.finetune(bench, student.folder, data, stage.sliver(), 0, beside)  # once for nothing: it fills the cache of tokens

    def our(number: int) -> float:
        seconds, outcome = ours.finetune(bench, student.folder, data, stage, number, beside)
        scores.setdefault(OURS, []).append(float(outcome.metrics["test_accuracy"]))
        return seconds

    def their(peer: str, number: int) -> float:
        tuned = peers.finetune(
            bench, student, splits, labels, train="all", epochs=EPOCHS, batch_size=BATCH, lr=LR, dropout=None, by_length=peer == BY_LENGTH,
            seed=number, learns=CLASSIFICATION, teacher=Base(name, teacher.path, teacher), temperature=stage.softened,
        )  # fmt: skip
        scores.setdefault(peer, []).append(tuned.test)
        return tuned.seconds

    against = (DYNAMIC, BY_LENGTH)
    rounds = interleave({OURS: our, **{peer: partial(their, peer) for peer in against}}, bench.options.rounds)
    tokens = splits["train"]["length"][:]
    note = (
        f"{min(LAYERS, of - 1)} of {of} layers; {len(tokens)} texts of {sum(tokens) / len(tokens):.0f} tokens in the mean, {max(tokens)} "
        f"at most; test accuracy: teacher {taught.metrics['test_accuracy']:.3f}, "
        + ", ".join(f"{side} {spread(each)}" for side, each in scores.items())
    )
    return [
        versus(peer, rounds, peer, "s", model=name, note=note, scores={side: scores[side] for side in (OURS, peer)}) for peer in against
    ]


def _student(base: Base, layers: int, place: Path) -> Base:
    """The first layers of a base."""
    folder = cut_layers(base.folder, tuple(range(layers)), place)
    return Base(base.name, folder.path, folder)


ROWS = (
    Row(
        "distill",
        "seconds from loaded models and tokenised texts to the student that was taught and evaluated",
        _distill,
        {"cpu": {DYNAMIC: Bar(8), BY_LENGTH: Bar(4)}},
    ),
)
