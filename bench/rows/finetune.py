"""Fine-tuning on short texts with a long tail of lengths: the stage `finetune` as a study runs it, against the Trainer.

`finetune` trains all layers for 3 epochs, against dynamic padding (DataCollatorWithPadding) and against that with group_by_length; `tags`
and `pairs` are the same for entities of sentences (as run_ner.py, where the first piece of a word learns) and for pairs of sentences.
`head-only` trains pooler and classifier for 5 epochs, `top-2` the top two layers with them: the peer sets requires_grad to False for the
same parameters and runs the whole encoder in every step.

Timed is what a user waits for from the loaded model and tokenised texts to the trained, evaluated model. Evaluation is on for both: dev
after each epoch, the best weights written and loaded at the end, then test (ours reads dev once more). Features that are computed once and
kept are part of the time.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from acclimate.stages.finetune import Finetune
from acclimate.tasks.classify import Classify
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.pair import Pair
from acclimate.tasks.split import Split
from acclimate.tasks.tag import Tag
from bench import models, ours, peers, texts
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, versus
from bench.peers import CLASSIFICATION, TAGGING, Learns
from bench.texts import Labelled, Record

DYNAMIC, BY_LENGTH = "Trainer, dynamic padding", "Trainer, group_by_length"


@dataclass(frozen=True)
class Work:
    """What is trained, for how long."""

    train: Literal["all", "head"] | int
    epochs: int
    lr: float
    dropouts: tuple[float | None, ...]  # None: the model's own
    against: tuple[str, ...]
    read: Callable[..., Labelled] = texts.labelled
    kind: type[LabelledKind] = Classify
    learns: Learns = CLASSIFICATION
    subwords: Literal["all", "first"] = "all"
    items: tuple[int, int, int] = (256, 32, 32)  # of train, dev and test, on a CPU


def sizes(bench: Bench, items: tuple[int, int, int]) -> tuple[int, int, int]:
    """Items of train, dev and test."""
    if bench.options.quick:
        return 64, 32, 32
    return (1000, 250, 250) if bench.kind == "gpu" else items


def compared(bench: Bench, work: Work) -> list[Cell]:
    """Each dropout against each peer."""
    cells = []
    rows = work.read(bench.options.data, *sizes(bench, work.items))
    data = ours.task_data(bench.work / f"task {work.kind.__name__}", rows, work.kind)
    assert data.task is not None
    names, batch = list(data.task.names), 32  # as the Trainer's examples have it
    given = {split: records(part, getattr(rows, split)) for split, part in data.task.splits.items()}
    for name in models.names(bench):
        base = models.base(bench, name)
        splits = {split: work.learns.rows(base, records, names, ours.LENGTH) for split, records in given.items()}
        for dropout in work.dropouts:
            stage = Finetune(
                train=work.train, epochs=work.epochs, min_steps=0, batch_size=batch, lr=work.lr, dropout=dropout, max_length=ours.LENGTH,
                patience=None, select_by=work.learns.score, subwords=work.subwords,
            )  # fmt: skip
            # Once for nothing: it fills the cache of tokens, which is not timed.
            ours.finetune(bench, base.folder, data, stage.sliver(), 0)
            scores: dict[str, list[float]] = {}
            sides = _sides(bench, base, data, stage, splits, names, work, scores)
            rounds = interleave(sides, bench.options.rounds)
            tokens = splits["train"]["length"][:]
            note = f"{len(tokens)} texts of {sum(tokens) / len(tokens):.0f} tokens in the mean, {max(tokens)} at most; {batch} a step"
            dropped = "own dropout" if dropout is None else f"dropout {dropout:g}"
            for peer in work.against:
                told = "; ".join(f"{side} {spread(scores[side])}" for side in (OURS, peer))
                both = {side: scores[side] for side in (OURS, peer)}
                noted = f"{note}; test {work.learns.score.replace('_', ' ')}: {told}"
                cells.append(versus(f"{dropped}, {peer}", rounds, peer, "s", model=name, note=noted, scores=both))
    return cells


def records(part: Split, records: list[Record]) -> list[Record]:
    """What the peer is given: the same items, and tags as both sides learn them, whatever scheme the files have."""
    if part.words is None:
        return [records[row] for row in part.index.tolist()]
    gold: Any = part.gold
    tags = [[part.names[tag] for tag in gold[row].tolist()] for row in range(len(part))]
    return [{"tokens": text.split(" "), "tags": of_text} for text, of_text in zip(part.inputs[0], tags, strict=True)]


def spread(scores: list[float]) -> str:
    """The mean of some scores, and how far they are apart."""
    apart = f" ± {np.std(scores, ddof=1):.3f}" if len(scores) > 1 else ""
    return f"{statistics.fmean(scores):.3f}{apart}"


def _sides(
    bench: Bench, base: models.Base, data: Any, stage: Finetune, splits: dict[str, Any], labels: list[str], work: Work,
    scores: dict[str, list[float]],
) -> dict[str, Callable[[int], float]]:  # fmt: skip
    def our(number: int) -> float:
        seconds, outcome = ours.finetune(bench, base.folder, data, stage, number)
        scores.setdefault(OURS, []).append(float(outcome.metrics[f"test_{work.learns.score}"]))
        return seconds

    def their(peer: str) -> Callable[[int], float]:
        def measure(number: int) -> float:
            tuned = peers.finetune(
                bench, base, splits, labels, train=stage.train, epochs=work.epochs, batch_size=stage.batch_size, lr=work.lr,
                dropout=stage.dropout, by_length=peer == BY_LENGTH, seed=number, learns=work.learns,
            )  # fmt: skip
            scores.setdefault(peer, []).append(tuned.test)
            return tuned.seconds

        return measure

    return {OURS: our, **{peer: their(peer) for peer in work.against}}


WHOLE = Work("all", 3, 2e-4, (None, 0.0), (DYNAMIC, BY_LENGTH))
TAGS = Work("all", 3, 2e-4, (None,), (DYNAMIC, BY_LENGTH), texts.tagged, Tag, TAGGING, "first", (512, 64, 256))
PAIRS = Work("all", 3, 2e-4, (None,), (DYNAMIC, BY_LENGTH), texts.paired, Pair, items=(384, 64, 192))
HEAD = Work("head", 5, 1e-3, (None,), (DYNAMIC,))
TOP_2 = Work(2, 5, 2e-4, (None,), (DYNAMIC,))
TIMED = "seconds from loaded model and tokenised texts to the trained, evaluated model"


def _bars(work: Work, dynamic: float, by_length: float = 0.0) -> dict[str, Bar]:
    dropped = ("own dropout" if dropout is None else f"dropout {dropout:g}" for dropout in work.dropouts)
    held_to = {DYNAMIC: dynamic, BY_LENGTH: by_length}
    return {f"{each}, {peer}": Bar(held_to[peer]) for each in dropped for peer in work.against}


ROWS = (
    Row(
        "finetune",
        TIMED,
        lambda bench: compared(bench, WHOLE),
        {"cpu": _bars(WHOLE, 2, 1.25), "gpu": {f"{dropped}, {DYNAMIC}": Bar(3) for dropped in ("own dropout", "dropout 0")}},
    ),
    Row("tags", TIMED, lambda bench: compared(bench, TAGS), {"cpu": _bars(TAGS, 2.5, 2.5), "gpu": _bars(TAGS, 2.5, 2.5)}),
    Row("pairs", TIMED, lambda bench: compared(bench, PAIRS), {"cpu": _bars(PAIRS, 2.5, 2.5), "gpu": _bars(PAIRS, 2.5, 2.5)}),
    Row("head-only", TIMED, lambda bench: compared(bench, HEAD), {"cpu": _bars(HEAD, 40), "gpu": _bars(HEAD, 20)}),
    Row("top-2", TIMED, lambda bench: compared(bench, TOP_2), {"cpu": _bars(TOP_2, 10), "gpu": _bars(TOP_2, 3)}),
)
