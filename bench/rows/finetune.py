"""Classification of short texts with a long tail of lengths: the stage `finetune` as a study runs it, against the Trainer.

`finetune` trains all layers for 3 epochs, against dynamic padding (DataCollatorWithPadding) and against that with group_by_length.
`head-only` trains pooler and classifier for 5 epochs, `top-2` the top two layers with them: the peer sets requires_grad to False for the
same parameters and runs the whole encoder in every step.

Timed is what a user waits for from the loaded model and tokenised texts to the trained, evaluated model. Evaluation is on for both: dev
after each epoch, the best weights written and loaded at the end, then test (ours reads dev once more). Features that are computed once and
kept are part of the time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from acclimate.stages.finetune import Finetune
from bench import models, ours, peers, texts
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, versus

DYNAMIC, BY_LENGTH = "Trainer, dynamic padding", "Trainer, group_by_length"


@dataclass(frozen=True)
class Work:
    """What is trained, for how long."""

    train: Literal["all", "head"] | int
    epochs: int
    lr: float
    dropouts: tuple[float | None, ...]  # None: the model's own
    peers: tuple[str, ...]


def sizes(bench: Bench) -> tuple[int, int, int]:
    """Texts of train, dev and test."""
    if bench.options.quick:
        return 64, 32, 32
    return (8000, 1000, 1000) if bench.kind == "gpu" else (256, 32, 32)


def _compare(bench: Bench, work: Work) -> list[Cell]:
    cells = []
    rows = texts.labelled(bench.options.data, *sizes(bench))
    data = ours.task_data(bench.work / "task", rows)
    batch = 32  # as the Trainer's examples have it
    for name in models.names(bench):
        base = models.base(bench, name)
        splits = {split: peers.labelled_rows(base, getattr(rows, split), rows.labels, ours.LENGTH) for split in ("train", "dev", "test")}
        for dropout in work.dropouts:
            stage = Finetune(
                train=work.train, epochs=work.epochs, min_steps=0, batch_size=batch, lr=work.lr, dropout=dropout, max_length=ours.LENGTH,
                patience=None, select_by="accuracy",
            )  # fmt: skip
            # Once for nothing: it fills the cache of tokens, which is not timed.
            ours.finetune(bench, base.folder, data, stage.sliver(), 0)
            sides = _sides(bench, base, data, stage, splits, rows.labels, work)
            rounds = interleave(sides, bench.options.rounds)
            tokens = splits["train"]["length"][:]
            note = f"{len(tokens)} texts of {sum(tokens) / len(tokens):.0f} tokens in the mean, {max(tokens)} at most; {batch} a step"
            dropped = "own dropout" if dropout is None else f"dropout {dropout:g}"
            cells += [versus(f"{dropped}, {peer}", rounds, peer, "s", model=name, note=note) for peer in work.peers]
    return cells


def _sides(
    bench: Bench, base: models.Base, data: Any, stage: Finetune, splits: dict[str, Any], labels: list[str], work: Work
) -> dict[str, Callable[[int], float]]:
    def our(number: int) -> float:
        return ours.finetune(bench, base.folder, data, stage, number)[0]

    def their(peer: str) -> Callable[[int], float]:
        def measure(number: int) -> float:
            return peers.finetune(
                bench, base, splits, labels, train=stage.train, epochs=work.epochs, batch_size=stage.batch_size, lr=work.lr,
                dropout=stage.dropout, by_length=peer == BY_LENGTH, seed=number,
            )[0]  # fmt: skip

        return measure

    return {OURS: our, **{peer: their(peer) for peer in work.peers}}


WHOLE = Work("all", 3, 2e-4, (None, 0.0), (DYNAMIC, BY_LENGTH))
HEAD = Work("head", 5, 1e-3, (None,), (DYNAMIC,))
TOP_2 = Work(2, 5, 2e-4, (None,), (DYNAMIC,))
TIMED = "seconds from loaded model and tokenised texts to the trained, evaluated model"


def _bars(dynamic: float, by_length: float | None = None) -> dict[str, Bar]:
    bars = {f"own dropout, {DYNAMIC}": Bar(dynamic)}
    if by_length is not None:
        bars |= {f"dropout 0, {DYNAMIC}": Bar(dynamic)}
        bars |= {f"{dropped}, {BY_LENGTH}": Bar(by_length) for dropped in ("own dropout", "dropout 0")}
    return bars


ROWS = (
    Row(
        "finetune",
        TIMED,
        lambda bench: _compare(bench, WHOLE),
        {"cpu": _bars(2, 1.25), "gpu": {f"{dropped}, {DYNAMIC}": Bar(3) for dropped in ("own dropout", "dropout 0")}},
    ),
    Row("head-only", TIMED, lambda bench: _compare(bench, HEAD), {"cpu": _bars(40), "gpu": _bars(20)}),
    Row("top-2", TIMED, lambda bench: _compare(bench, TOP_2), {"cpu": _bars(10), "gpu": _bars(3)}),
)
