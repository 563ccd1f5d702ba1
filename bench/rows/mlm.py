"""Masked language modelling: our packed loop against transformers' Trainer, on the same tokens.

`mlm-lines`: documents cut to 512 tokens. The peer pads each batch to its longest document (run_mlm.py --line_by_line), ours packs the very
same sequences without padding. `mlm-sentences`: the same, where lines are sentences and paragraphs of a domain. `mlm-blocks`: run_mlm.py's
group_texts, all documents concatenated and cut into blocks of 128 or 512; both train on the same blocks. Both take steps of about as many
real tokens. Counted are real tokens a second over whole steps (batching, masking, forward, backward, optimiser) after the first ones, in
which memory is allocated and kernels are chosen.

`mlm-blocks` also says what share of the machine's matrix product rate (measured between the rounds) our loop reaches; which operations
are counted, `bench.ours.operations` says.
"""

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from datasets import Dataset

from bench import models, ours, peers, texts
from bench.measure import OURS, Bar, Bench, Cell, Rounds, Row, interleave, product_rate, versus

LENGTHS = (128, 512)
DROPOUTS = (0.0, 0.1)
CHARACTERS = 6_000_000


def steps(bench: Bench) -> tuple[int, int]:
    """Steps of a round, and how many of them are not counted."""
    return (bench.options.sized(20, 6), bench.options.sized(5, 2)) if bench.kind == "gpu" else (bench.options.sized(8, 3), 2)


def characters(bench: Bench) -> int:
    """Text to choose from: more than a round reads."""
    return bench.options.sized(CHARACTERS, 150_000)


def _documents(bench: Bench) -> list[Cell]:
    return _lines(bench, texts.CORPORA, steps(bench))


def _sentences(bench: Bench) -> list[Cell]:
    # Forty texts padded to 512 tokens make the peer's steps so long that fewer are enough, and on a GPU they fill its memory.
    count, skipped = steps(bench)
    chosen = (max(2, count // 2), 1) if bench.kind == "cpu" else (count, skipped)
    return _lines(replace(bench, fewer=4), texts.SENTENCES, chosen)


def _lines(bench: Bench, corpora: tuple[str, ...], count: tuple[int, int]) -> list[Cell]:
    cells = []
    for name in models.names(bench):
        base = models.base(bench, name)
        text = ours.lines(bench, base.folder, characters(bench), corpora)
        rows = peers.line_by_line(base, text)
        for dropout in DROPOUTS:
            rounds, _ = _measure(bench, base, text, rows, dropout, "Trainer, line by line", count)
            note = f"{text.lengths.mean():.0f} tokens a document, the peer has {peers.texts_per_step(rows, bench.batch_tokens)} a step"
            cells.append(versus(f"dropout {dropout:g}", rounds, "Trainer, line by line", "tokens/s", model=name, note=note))
    return cells


def _blocks(bench: Bench) -> list[Cell]:
    cells = []
    for name in models.names(bench):
        base = models.base(bench, name)
        whole = ours.lines(bench, base.folder, characters(bench))
        for length in LENGTHS:
            rows = peers.grouped(base, whole, length)
            batch = bench.batch_tokens // length
            # Whole batches only: then every step of ours holds exactly as many blocks as the peer's.
            rows = rows.select(range(len(rows) // batch * batch))
            text = ours.blocks(rows["input_ids"][:], whole.words)
            for dropout in DROPOUTS:
                variant, peer = f"{length}, dropout {dropout:g}", f"Trainer, blocks of {length}"
                rounds, shares = _measure(bench, base, text, rows, dropout, peer, steps(bench))
                cells.append(versus(variant, rounds, peer, "tokens/s", model=name, note=f"{batch} blocks a step"))
                note = "of the matrix product rate measured in the same round"
                middle, sides = statistics.median(shares), {"share": shares}
                cells.append(Cell(f"{variant}: share of products", middle, "%", min(shares), max(shares), name, sides, "", note))
    return cells


def _measure(
    bench: Bench, base: models.Base, text: ours.Text, rows: Dataset, dropout: float, peer: str, measured: tuple[int, int]
) -> tuple[Rounds, list[float]]:
    # Speeds of both, and our executed operations as a share of the machine's rate.
    count, skipped = measured
    operations: list[float] = []

    def our(number: int) -> float:
        trained = ours.mlm(bench, base.folder, text, steps=count, skipped=skipped, dropout=dropout, seed=number)
        operations.append(trained.operations / trained.seconds)
        return trained.speed

    def theirs(number: int) -> float:
        return peers.mlm(bench, base, rows, steps=count, skipped=skipped, dropout=dropout, seed=number).speed

    sides: dict[str, Callable[[int], float]] = {"products": lambda _: product_rate(bench.kind), OURS: our, peer: theirs}
    rounds = interleave(sides, bench.options.rounds)
    return rounds, [done / rate for done, rate in zip(operations, rounds["products"], strict=True)]


def _block_bars(free: float, dropped: float, share: float) -> dict[str, Bar]:
    bars = {f"{length}, dropout {dropout:g}": Bar(dropped if dropout else free) for length in LENGTHS for dropout in DROPOUTS}
    return bars | {f"{length}, dropout 0: share of products": Bar(share, unit="%") for length in LENGTHS}


LINE_BARS: dict[Literal["cpu", "gpu"], dict[str, Bar]] = {
    "cpu": {f"dropout {rate:g}": Bar(8) for rate in DROPOUTS},
    "gpu": {f"dropout {rate:g}": Bar(4) for rate in DROPOUTS},
}
ROWS = (
    Row("mlm-lines", "real tokens a second, whole steps", _documents, LINE_BARS),
    Row("mlm-sentences", "real tokens a second, whole steps", _sentences, LINE_BARS),
    Row(
        "mlm-blocks",
        "real tokens a second, whole steps",
        _blocks,
        {"cpu": _block_bars(2, 1.8, 0.75), "gpu": _block_bars(2, 2, 0.45)},
    ),
)
