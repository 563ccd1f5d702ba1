"""The one training loop of every objective.

A step takes the whole global batch of that step (a pure function of the seed and the step), keeps this process's share, cuts it into
micro-batches, and divides summed losses by the global count, so neither micro-batches nor processes change the expected update.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.errors import Interrupted, TrainingError
from acclimate.modeling.tensors import TensorBatch, to_tensors
from acclimate.randomness import seed_of
from acclimate.training.ahead import Ahead
from acclimate.training.checkpoint import Checkpoints, TrainState
from acclimate.training.devices import Devices, seeded
from acclimate.training.interrupt import StopRequest
from acclimate.training.losses import Losses, Point
from acclimate.training.memory import is_out_of_memory, nothing_smaller
from acclimate.training.progress import Reporter
from acclimate.training.schedule import Shape, rate

HISTORY_POINTS = 200  # points of a learning curve that are kept
WATCH_EVERY = 20  # steps between looks at the loss on a GPU
ASK_EVERY = 8  # steps between processes asking each other whether to stop or to save


class Objective(Protocol):
    """What is learned: the batch of a step, what its loss is divided by, and the loss."""

    def batch(self, step: int) -> Batch:
        """The global batch of a step, over all processes; a pure function of the step."""

    def count(self, batch: Batch) -> float:
        """What the summed loss of this batch is divided by (masked tokens, weights of examples); of 0 the batch is passed over."""

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The summed loss of a micro-batch, a scalar."""


@dataclass(frozen=True)
class Group:
    """Parameters that share a share of the learning rate and a weight decay."""

    parameters: Sequence[nn.Parameter]
    lr_scale: float
    weight_decay: float


@dataclass(frozen=True)
class TrainSettings:
    """How long and how fast; what is learned is the objective's affair."""

    title: str
    steps: int
    lr: float  # peak
    warmup: float  # share of the steps
    shape: Shape
    clip: float  # largest norm of the gradient
    seed: int
    micro_tokens: int  # largest forward pass, tokens
    evaluate_every: int  # steps
    patience: int | None = None  # evaluations without a better score before training stops
    patience_from: int = 0  # step before which it never stops
    model: str = "the model"  # what error messages call it
    read_ahead: bool = True
    checkpoint_seconds: float = 120.0


@dataclass(frozen=True)
class TrainResult:
    """What a training did. Its model holds the best weights (the last ones where nothing was evaluated)."""

    steps: int
    tokens: int
    seconds: float
    best_step: int | None
    best_score: float | None
    history: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    passed_over: int = 0
    """Steps whose batch asked for nothing: their data is read, and the weights stay as they are."""


def train(
    settings: TrainSettings,
    objective: Objective,
    model: nn.Module,
    groups: Sequence[Group],
    evaluate: Callable[[nn.Module], dict[str, float]] | None,
    checkpoints: Checkpoints,
    devices: Devices,
    reporter: Reporter,
    stop: StopRequest,
    log: Callable[[dict[str, Any]], None] | None = None,
) -> TrainResult:
    """Train `model` in place, or go on from the saved state, and leave the best weights in it.

    `evaluate` returns metrics with a `score`, higher is better; it decides early stopping and which weights are best. `log` is given each
    line of the result's history and evaluations as soon as it is known, those of before an interrupt first.

    Raises:
        TrainingError: the loss is not finite, or memory does not hold a single sequence.
        Interrupted: a stop was asked for; the state is saved.
    """
    placed = devices.place(model)
    optimizer = _adamw(groups, settings, devices)
    state = checkpoints.load(model, optimizer) or TrainState(micro_tokens=settings.micro_tokens)
    # A resume repeats the size it began with, unless less is asked for now: after running out of memory that is the way out.
    state.micro_tokens = min(state.micro_tokens, settings.micro_tokens)
    clock = _Clock(state.seconds)
    saved_at = time.monotonic()
    every = max(1, settings.steps // HISTORY_POINTS)
    losses, loss = Losses(devices.device), None
    if not state.finished:
        reporter.start(settings.title, settings.steps, state.step)
    if log is not None:
        for line in sorted((*state.history, *state.evaluations), key=lambda line: line["step"]):
            log(line)

    def prepare(step: int) -> _Step:
        batch = objective.batch(step)
        return _Step(batch.shard(devices.rank, devices.world), objective.count(batch), batch)

    placed.train()
    with Ahead(prepare, settings.steps, settings.read_ahead) as ahead:
        while not state.finished and state.step < settings.steps:
            scale = rate(state.step, settings.steps, settings.warmup, settings.shape)
            for group in optimizer.param_groups:
                group["lr"] = settings.lr * group["lr_scale"] * scale
            step = ahead(state.step)
            # A batch of unknown tokens alone asks for nothing. All processes see the same count, so all pass it over.
            learned = _gradients(placed, objective, step, optimizer, settings, state, devices, reporter) if step.count else None
            if learned is not None:
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            devices.tidy()
            state.step += 1
            state.passed_over += learned is None
            state.tokens += step.batch.tokens
            state.seconds = clock.seconds()
            last = state.step == settings.steps
            judged = evaluate is not None and (last or state.step % settings.evaluate_every == 0)
            kept = (state.step - 1) % every == 0
            # One process decides for all: clocks and signals differ between them. Each answer waits for the device, so not in every step.
            asking = devices.world == 1 or last or state.step % ASK_EVERY == 0
            due = asking and devices.sum(float(devices.is_main and time.monotonic() - saved_at >= settings.checkpoint_seconds)) > 0
            stopping = asking and devices.sum(float(stop.asked)) > 0
            watched = kept or judged or last or due or stopping or devices.device.type == "cpu" or state.step % WATCH_EVERY == 0
            if watched and learned is not None:
                total, norm = learned
                losses.send(Point(state.step, settings.lr * scale, state.tokens), devices.total(total) / step.count, norm)
            # Before weights are judged or saved for good, every loss on the way to them is looked at.
            for point, value, size in losses.arrived(wait=judged or last or due or stopping):
                loss = _checked(value, size, point, settings)
                if (point.step - 1) % every == 0:
                    state.history.append({"step": point.step, "loss": loss, "lr": point.lr, "tokens": point.tokens})
                    if log is not None:
                        log(state.history[-1])
            reporter.step(state.step, state.tokens / max(state.seconds, 1e-9), loss)
            if judged and evaluate is not None:
                _evaluate(evaluate, model, state, settings, checkpoints, devices)
                if log is not None:
                    log(state.evaluations[-1])
                placed.train()
                state.seconds = clock.seconds()
            state.finished = state.finished or last
            if state.finished or stopping or due:
                if devices.is_main:
                    checkpoints.save(state, model, optimizer)
                devices.wait()
                saved_at = time.monotonic()
            if stopping and not state.finished:
                reporter.close()
                raise Interrupted(f"{settings.title}: stopped after step {state.step} of {settings.steps}; the state is saved")

    reporter.close()
    if state.best_step is not None:
        checkpoints.load_best(model)
    return TrainResult(
        state.step, state.tokens, state.seconds, state.best_step, state.best_score, state.history, state.evaluations, state.passed_over
    )  # fmt: skip


@dataclass(frozen=True)
class _Step:
    """What a step trains on."""

    own: Batch  # this process's share
    count: float  # what the summed loss of the whole batch is divided by
    batch: Batch  # over all processes


def _gradients(
    model: nn.Module,
    objective: Objective,
    step: _Step,
    optimizer: torch.optim.Optimizer,
    settings: TrainSettings,
    state: TrainState,
    devices: Devices,
    reporter: Reporter,
) -> tuple[Tensor, Tensor]:
    """The gradients of a step, clipped: its summed loss in this process, and the norm before clipping.

    Where memory runs out the same batch is tried again in parts of half the size, and so are all batches after it.
    """
    while True:
        # The last batch of an epoch may hold fewer texts than there are processes: those without one go along with a loss of nothing.
        own = step.own if step.own.sequences else step.batch.select(np.zeros(1, dtype=np.int64))
        micros = own.micro(state.micro_tokens)
        try:
            total = _accumulate(model, objective, micros, step, settings, state, devices)
            return total, torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], settings.clip)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside of the handler: there, the error's traceback would keep the activations alive.
        optimizer.zero_grad(set_to_none=True)
        devices.free_unused()
        if all(micro.sequences == 1 for micro in micros):
            raise nothing_smaller(settings.title, settings.model, max(micro.tokens for micro in micros), devices.device)
        state.micro_tokens = min(state.micro_tokens, max(micro.tokens for micro in micros)) // 2
        if devices.world > 1:
            # The peers are already waiting for this one's gradients.
            raise TrainingError(f"{settings.title}: out of memory; run it again with --micro-tokens {state.micro_tokens}")
        reporter.say(f"{settings.title}: out of memory; from here on in passes of at most {state.micro_tokens} tokens")


def _accumulate(
    model: nn.Module,
    objective: Objective,
    micros: list[Batch],
    step: _Step,
    settings: TrainSettings,
    state: TrainState,
    devices: Devices,
) -> Tensor:
    share = 1.0 if step.own.sequences else 0.0
    total = torch.zeros((), device=devices.device)
    for number, micro in enumerate(micros):
        tensors = to_tensors(micro, devices.device)
        # Dropout is keyed like every other draw, so a resume needs no generator state.
        key = seed_of(settings.seed, "dropout", state.step, devices.rank, number)
        with devices.synchronised(model, number == len(micros) - 1), seeded(key, devices.device):
            with devices.autocast():
                summed = share * objective.loss(model, tensors)
            # Sum, then divide by the global count: accumulation equals one large batch. Peers' gradients are averaged, hence `world`.
            devices.backward(summed * (devices.world / step.count))
        total += summed.detach()
    return total


def _checked(loss: float, norm: float, point: Point, settings: TrainSettings) -> float:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise TrainingError(
            f"{settings.title}: the loss is {loss} and the gradient's norm {norm} at step {point.step}; "
            "a lower learning rate (lr) or longer warm-up usually mends this"
        )
    return loss


def _evaluate(
    evaluate: Callable[[nn.Module], dict[str, float]],
    model: nn.Module,
    state: TrainState,
    settings: TrainSettings,
    checkpoints: Checkpoints,
    devices: Devices,
) -> None:
    # The bare model: peers may evaluate shares of unequal size, which the wrapped one would wait over.
    metrics = evaluate(model)
    state.evaluations.append({"step": state.step, **metrics})
    # Rounding may differ between processes, and all must take the same way.
    score = devices.sum(metrics["score"] if devices.is_main else 0.0)
    if state.best_score is None or score > state.best_score:
        state.best_score, state.best_step, state.bad = score, state.step, 0
        if devices.is_main:
            checkpoints.save_best(model)
        devices.wait()
        return
    state.bad += 1
    state.finished = settings.patience is not None and state.bad >= settings.patience and state.step >= settings.patience_from


def _adamw(groups: Sequence[Group], settings: TrainSettings, devices: Devices) -> torch.optim.Optimizer:
    parameters = [
        {"params": list(group.parameters), "lr_scale": group.lr_scale, "weight_decay": group.weight_decay}
        for group in groups
        if group.parameters
    ]
    return torch.optim.AdamW(parameters, lr=settings.lr, betas=(0.9, 0.999), eps=1e-8, fused=True)


class _Clock:
    """Seconds of work, going on from those of an earlier call."""

    def __init__(self, before: float) -> None:
        self._before, self._began = before, time.monotonic()

    def seconds(self) -> float:
        return self._before + time.monotonic() - self._began
