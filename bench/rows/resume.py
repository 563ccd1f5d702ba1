"""Going on at step 100,000: from the loaded model to the end of the first step.

Ours finds a state written by the real `Checkpoints`. The peer resumes from a checkpoint of its own, once after 1,000 steps of an epoch,
whose batches it passes over, and once with ignore_data_skip, which begins the epoch anew and so reads other batches than an unbroken run.
"""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers

from acclimate.data.batches import TokenOrder
from acclimate.errors import Interrupted
from acclimate.modeling import heads
from acclimate.modeling.execution import Packed
from acclimate.objectives.mlm import MaskedText
from acclimate.training.checkpoint import Checkpoints, TrainState
from acclimate.training.groups import decayed
from acclimate.training.interrupt import StopRequest
from acclimate.training.loop import Surroundings, train
from acclimate.training.progress import Silent
from bench import models, ours, peers
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, single, synchronise
from bench.rows.mlm import characters

STEP, STEPS = 100_000, 200_000
SKIPPED = 1_000  # batches that the peer passes over
SKIPPING, ANEW = f"Trainer, passes over {SKIPPED:,} batches", "Trainer, ignore_data_skip"


class _FirstStep(Silent):
    """Notes when the first step ends, and asks to stop."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self.time = 0.0

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        synchronise()
        self.time = self.time or time.perf_counter()
        self._stop.ask()


class _StopAfterOne(transformers.TrainerCallback):
    """The same for the Trainer."""

    time, step = 0.0, 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        synchronise()
        self.time = self.time or time.perf_counter()
        self.step = state.global_step
        control.should_training_stop = True


def _our(bench: Bench, base: models.Base, text: ours.Text, seed: int) -> float:
    model, _ = heads.load_mlm(base.folder, seed, 0.0)
    packed = Packed(model).to(bench.devices.device)
    groups = decayed(model, ours.WEIGHT_DECAY)
    objective = MaskedText(text.store, text.windows, TokenOrder(text.lengths, bench.batch_tokens, seed), text.words, ours.RATE, seed)
    settings = ours.settings(STEPS, bench.batch_tokens + ours.LENGTH, seed)
    with TemporaryDirectory(dir=bench.work) as work:
        checkpoints = Checkpoints(Path(work) / "state")
        optimizer = torch.optim.AdamW([{"params": list(group.parameters)} for group in groups if group.parameters], fused=True)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        checkpoints.save(TrainState(step=STEP, micro_tokens=settings.micro_tokens), packed, optimizer)
        del optimizer
        stop = StopRequest()
        reporter = _FirstStep(stop)
        synchronise()
        began = time.perf_counter()
        try:
            train(settings, objective, packed, groups, None, checkpoints, Surroundings(bench.devices, reporter, stop))
        except Interrupted:
            return reporter.time - began
    raise AssertionError("it was to stop after one step")


def _their(bench: Bench, base: models.Base, rows: Any, skip: bool, seed: int) -> float:
    def trainer(work: str, callback: transformers.TrainerCallback, **named: Any) -> transformers.Trainer:
        model = peers.model(transformers.AutoModelForMaskedLM, base, 0.0)
        batch = peers.texts_per_step(rows, bench.batch_tokens)
        chosen = peers.arguments(bench, work, max_steps=STEPS, per_device_train_batch_size=batch, learning_rate=ours.LR, seed=seed, **named)
        made = transformers.Trainer(model, chosen, data_collator=peers.collator(bench, base), train_dataset=rows, callbacks=[callback])
        made.remove_callback(transformers.PrinterCallback)
        return made

    with TemporaryDirectory(dir=bench.work) as work:
        trainer(work, _StopAfterOne(), save_strategy="steps", save_steps=1).train()
        checkpoint = Path(work) / "checkpoint-1"
        state = json.loads((checkpoint / "trainer_state.json").read_text())
        (checkpoint / "trainer_state.json").write_text(json.dumps(state | {"global_step": SKIPPED}))
        checkpoint = checkpoint.rename(Path(work) / f"checkpoint-{SKIPPED}")
        first = _StopAfterOne()
        resumed = trainer(work, first, ignore_data_skip=not skip)
        synchronise()
        began = time.perf_counter()
        resumed.train(resume_from_checkpoint=str(checkpoint))
        assert first.step == SKIPPED + 1, "the peer did not go on where it was told to"
        return first.time - began


def _resume(bench: Bench) -> list[Cell]:
    cells = []
    for name in models.names(bench):
        base = models.base(bench, name)
        text = ours.lines(bench, base.folder, characters(bench))
        rows = peers.line_by_line(base, text)
        # An epoch of the peer must be longer than what is to be skipped.
        while len(rows) < 2 * SKIPPED * peers.texts_per_step(rows, bench.batch_tokens):
            rows = peers.joined(rows, rows)
        sides = {
            OURS: lambda number, base=base, text=text: _our(bench, base, text, number),
            SKIPPING: lambda number, base=base, rows=rows: _their(bench, base, rows, True, number),
            ANEW: lambda number, base=base, rows=rows: _their(bench, base, rows, False, number),
        }
        rounds = interleave(sides, bench.options.rounds)
        cells.append(single(f"ours at step {STEP:,}", rounds[OURS], "s", model=name))
        for peer in (SKIPPING, ANEW):
            cell = single(peer, rounds[peer], "s", model=name)
            cell.rounds = {peer: rounds[peer]}
            cells.append(cell)
        per_thousand = [(slow - fast) * 1000 / SKIPPED for slow, fast in zip(rounds[SKIPPING], rounds[ANEW], strict=True)]
        skipping = single(
            "Trainer, passing over 1,000 batches alone",
            per_thousand,
            "s",
            model=name,
            note="difference of the two before; its sampler passes over indices, not texts",
        )
        skipping.rounds = {}
        cells.append(skipping)
    return cells


BARS = {f"ours at step {STEP:,}": Bar(2, "at most", "s")}
ROWS = (Row("resume", "seconds from the loaded model to the end of the first step", _resume, {"cpu": BARS, "gpu": BARS}),)
