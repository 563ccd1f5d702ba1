"""Not speed but honesty: is it the same mathematics, and do independent runs of both sides end in the same place?

`replay` feeds our loop the Trainer's very batches: its collator's masks, its padding taken off, without dropout, with the same start,
AdamW, learning rates (linear, no warm-up) and clipping. After 150 steps the held-out losses of both models, on the same fixed masks, are
to agree to four decimals. `noise` trains both sides independently, three seeds each with dropout .1: held-out loss of masked language
modelling, and dev accuracy of fine-tuning (all layers, and a head alone, also on features kept in float16), as mean and spread.
"""

import statistics
from copy import deepcopy
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import transformers
from torch import Tensor

from acclimate.data.batches import Batch
from acclimate.data.windows import Windows
from acclimate.evaluation.inference import heldout_loss
from acclimate.modeling import heads
from acclimate.modeling.execution import Packed
from acclimate.objectives.mlm import heldout_batches, summed_loss
from acclimate.stages.finetune import Finetune
from acclimate.training.progress import Silent
from bench import models, ours, peers, texts
from bench.measure import OURS, Bar, Bench, Cell, Rounds, Row, interleave, single
from bench.recorded import Recorded
from bench.rows.mlm import characters

IGNORED = -100  # the label of a token that is not to be predicted
TOKENS = 8192  # of a forward pass of evaluation
BLOCK = 128
TASK = "sst2"  # film reviews in a sentence, two classes of about the same size
DOCUMENTS = 3  # of a step that is replayed: the number of steps is what matters


def flat(padded: dict[str, Tensor]) -> Batch:
    """A padded batch of the collator without its padding."""
    real = padded["attention_mask"].bool().numpy()
    labels = padded["labels"].numpy()[real]
    lengths = real.sum(axis=1)
    index = np.flatnonzero(labels != IGNORED)
    return Batch(
        input_ids=padded["input_ids"].numpy()[real],
        position_ids=np.concatenate([np.arange(length) for length in lengths]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        targets={"target_index": index, "target_ids": labels[index]},
    )


def split(bench: Bench, text: ours.Text) -> tuple[ours.Text, ours.Text]:
    """What is trained on, and the documents that nobody trains on."""
    count = bench.options.sized(100, 8)

    def part(which: slice) -> ours.Text:
        return ours.Text(text.store, Windows(text.windows.start[which], text.windows.length[which], 0, 0), text.words)

    return part(slice(count, None)), part(slice(count))


def loss_of(bench: Bench, model: Any, heldout: ours.Text) -> float:
    """Mean held-out loss of a model, on fixed masks."""
    packed = model if isinstance(model, Packed) else Packed(model)
    batches = heldout_batches(heldout.store, heldout.windows, heldout.words, TOKENS)
    return heldout_loss(packed.to(bench.devices.device), batches, bench.devices)


def _replay(bench: Bench) -> list[Cell]:
    cells = []
    steps = bench.options.sized(150, 4)
    for name in models.names(bench):
        base = models.base(bench, name)
        training, heldout = split(bench, ours.lines(bench, base.folder, characters(bench)))
        start, _ = heads.load_mlm(base.folder, 0, 0.0)
        theirs, mine = deepcopy(start), deepcopy(start)
        padded = _train_peer(bench, base, theirs, peers.line_by_line(base, training), steps)
        recorded = [flat(batch) for batch in padded[:steps]]
        micro = max(batch.tokens for batch in recorded)
        ours.fit(bench.devices, mine, Recorded(recorded, summed_loss), ours.settings(steps, micro, 0, warmup=0.0), Silent())
        before, peer, own = (loss_of(bench, model, heldout) for model in (start, theirs, mine))
        cells.append(single("held-out loss before", [before], "nats", model=name))
        cells += [single(f"after, {side}", [value], "nats", model=name) for side, value in ((OURS, own), (peers.TRAINER, peer))]
        cells.append(single("difference", [abs(own - peer)], "nats", model=name, note=f"{steps} steps on the Trainer's own batches"))
    return cells


def _train_peer(bench: Bench, base: models.Base, model: Any, rows: Any, steps: int) -> list[dict[str, Tensor]]:
    """Train by the Trainer; returns the batches it saw (the loader may have made one more)."""
    transformers.set_seed(0)
    collate = peers.collator(bench, base)
    seen: list[dict[str, Tensor]] = []

    def recording(examples: list[Any]) -> Any:
        batch = collate(examples)
        seen.append({key: value.clone() for key, value in batch.items()})
        return batch

    with TemporaryDirectory() as work:
        chosen = peers.arguments(
            bench, work, max_steps=steps, per_device_train_batch_size=DOCUMENTS,
            learning_rate=ours.LR, warmup_steps=0, dataloader_num_workers=0,
        )  # fmt: skip
        trainer = transformers.Trainer(model, chosen, data_collator=recording, train_dataset=rows)
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return seen


def _noise(bench: Bench) -> list[Cell]:
    cells = []
    seeds = 3 if not bench.options.quick else 2
    for name in models.names(bench):
        base = models.base(bench, name)
        for what, unit, rounds in (
            ("held-out loss", "nats", _losses(bench, base, seeds)),
            ("dev accuracy", "", _accuracies(bench, base, seeds, "all")),
            ("dev accuracy of a head alone", "", _accuracies(bench, base, seeds, "head")),
        ):
            for side, values in rounds.items():
                mean, spread = statistics.fmean(values), statistics.stdev(values)
                cell = Cell(f"{what}, {side}", mean, unit or "accuracy", min(values), max(values), name, {side: values}, unit)
                cell.note = f"mean of {seeds} seeds, standard deviation {spread:.4f}"
                cells.append(cell)
            gap = abs(statistics.fmean(rounds[OURS]) - statistics.fmean(rounds[peers.TRAINER]))
            pooled = statistics.fmean([statistics.variance(rounds[side]) for side in (OURS, peers.TRAINER)]) ** 0.5
            apart = gap / max(pooled * (2 / seeds) ** 0.5, 1e-12)
            cells.append(Cell(f"{what}: means apart", apart, "standard errors", apart, apart, name, note=f"{gap:.4f} apart"))
    return cells


def _losses(bench: Bench, base: models.Base, seeds: int) -> Rounds:
    training, heldout = split(bench, ours.lines(bench, base.folder, characters(bench)))
    rows = peers.grouped(base, training, BLOCK)
    training = ours.blocks(rows["input_ids"][:], training.words)
    # Without warm-up: the Trainer takes its first step at a learning rate of zero, which in so short a training shows.
    shared: dict[str, Any] = {"steps": bench.options.sized(30, 3), "skipped": 1, "dropout": 0.1, "warmup": 0.0}

    def our(seed: int) -> float:
        return loss_of(bench, ours.mlm(bench, base.folder, training, seed=seed, **shared).model, heldout)

    def their(seed: int) -> float:
        return loss_of(bench, peers.mlm(bench, base, rows, seed=seed, **shared).model, heldout)

    return interleave({OURS: our, peers.TRAINER: their}, seeds)


def _accuracies(bench: Bench, base: models.Base, seeds: int, train: Literal["all", "head"]) -> Rounds:
    # The Trainer leaves dropout on in layers that are frozen; ours have none there.
    sizes = (64, 32, 32) if bench.options.quick else (320, 640, 32)
    rows = texts.labelled(bench.options.data, *sizes, TASK)
    data = ours.task_data(bench.work / "noise", rows)
    lr, epochs = (2e-4, 3) if train == "all" else (1e-3, 5)
    stage = Finetune(
        train=train, epochs=epochs, min_steps=0, lr=lr, dropout=0.1, max_length=ours.LENGTH, patience=None, select_by="accuracy"
    )
    half = stage.model_copy(update={"frozen_precision": "float16"})
    parts = {part: peers.labelled_rows(base, getattr(rows, part), rows.labels, ours.LENGTH) for part in ("train", "dev", "test")}

    def our(seed: int, chosen: Finetune = stage) -> float:
        return float(ours.finetune(bench, base.folder, data, chosen, seed)[1].metrics["dev_accuracy"])

    def their(seed: int) -> float:
        return peers.finetune(
            bench, base, parts, rows.labels, train=train, epochs=epochs, batch_size=stage.batch_size, lr=lr, dropout=0.1, by_length=False,
            seed=seed, learns=peers.CLASSIFICATION,
        ).dev  # fmt: skip

    sides = {OURS: our, peers.TRAINER: their}
    if train == "head":
        sides["acclimate, float16"] = lambda seed: our(seed, half)
    return interleave(sides, seeds)


def _apart(errors: float) -> dict[str, Bar]:
    # Of three seeds a side, which are few: means that differ by chance alone are rarely four of these standard errors apart.
    whats = ("held-out loss", "dev accuracy", "dev accuracy of a head alone")
    return {f"{what}: means apart": Bar(errors, "at most", "standard errors", promise=True) for what in whats}


ROWS = (
    Row(
        "replay",
        "held-out loss after training on identical batches",
        _replay,
        {  # bf16 rounds each side's sums in its own order, 150 steps long
            "cpu": {"difference": Bar(0.00005, "at most", "nats", promise=True)},
            "gpu": {"difference": Bar(0.02, "at most", "nats", promise=True)},
        },
    ),
    Row("noise", "held-out loss and dev accuracy of independent runs", _noise, {"gpu": _apart(4)}),
)
