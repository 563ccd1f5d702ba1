"""The one training loop of every objective.

A step takes the whole global batch of that step (a pure function of the seed and the step), keeps this process's share, cuts it into
micro-batches, and divides summed losses by the global count, so neither micro-batches nor processes change the expected update. A loss that
is no sum over micro-batches, since its items see each other, goes through cached gradients (`training/cached_gradients.py`).
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.errors import DivergedError, Interrupted, TrainingError
from acclimate.modeling.tensors import TensorBatch, to_tensors
from acclimate.randomness import seed_of
from acclimate.training import peers
from acclimate.training.ahead import Ahead
from acclimate.training.cached_gradients import accumulate, together
from acclimate.training.checkpoint import Checkpoints, TrainState
from acclimate.training.devices import Devices, seeded
from acclimate.training.interrupt import StopRequest
from acclimate.training.losses import Losses, Point
from acclimate.training.memory import is_out_of_memory, nothing_smaller
from acclimate.training.placed import Placed, all_of, placed
from acclimate.training.progress import Reporter
from acclimate.training.schedule import Shape, rate

HISTORY_POINTS = 200  # points of a learning curve that are kept
WATCH_EVERY = 20  # steps between looks at the loss on a GPU
ASK_EVERY = 8  # steps between processes asking each other whether to stop or to save


class Objective(Protocol):
    """What is learned: the batch of a step, what its loss is divided by, and the loss.

    Where the items of a batch see each other it is `Together`, too (`training/cached_gradients.py`).
    """

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
    pruned: bool = False
    """A search ended it early."""

    @property
    def best(self) -> dict[str, Any]:
        """The evaluation whose weights were kept; empty where nothing was evaluated."""
        return next((each for each in self.evaluations if each["step"] == self.best_step), {})

    def measured(self) -> dict[str, Any]:
        """Its length in numbers, for a stage's metrics."""
        return {"steps": self.steps, "best_step": self.best_step, "tokens": self.tokens} | ({"pruned": True} if self.pruned else {})


class Surroundings(NamedTuple):
    """Where a training takes place, and who is told of it."""

    devices: Devices
    reporter: Reporter
    stop: StopRequest
    log: Callable[[dict[str, Any]], None] | None = None
    """Is given each line of the result's history and evaluations as soon as it is known, those of before an interrupt first."""
    trial: Callable[[int, float], bool] | None = None
    """Of a trial of a search: whether it ends early, by the step of an evaluation and the best score so far."""


Judge = Callable[[nn.Module], dict[str, float]]


def train(
    settings: TrainSettings,
    objective: Objective,
    model: nn.Module,
    groups: Sequence[Group],
    judge: Judge | None,
    checkpoints: Checkpoints,
    around: Surroundings,
) -> TrainResult:
    """Train `model` in place, or go on from the saved state, and leave the best weights in it.

    `judge` returns metrics with a `score`, higher is better; it decides early stopping and which weights are best.

    Raises:
        TrainingError: the loss is not finite, or memory does not hold a single sequence.
        Interrupted: a stop was asked for; the state is saved.
    """
    return _Training(settings, objective, model, groups, judge, checkpoints, around).run()


@dataclass(frozen=True)
class _Step:
    """What a step trains on."""

    own: Batch  # this process's share
    count: float  # what the summed loss of the whole batch is divided by
    batch: Batch  # over all processes


class _Training:
    """One training: its state, and all that a step changes."""

    def __init__(
        self,
        settings: TrainSettings,
        objective: Objective,
        model: nn.Module,
        groups: Sequence[Group],
        judge: Judge | None,
        checkpoints: Checkpoints,
        around: Surroundings,
    ) -> None:
        self.settings, self.objective, self.model = settings, objective, model
        self.together = together(objective)
        self.judge, self.checkpoints = judge, checkpoints
        self.devices, self.reporter, self.stop, self.log, self.trial = around
        self.placed = placed(model, self.devices)
        self.optimizer = _adamw(groups, settings, self.placed)
        state = peers.load(checkpoints, self.placed.holds, self.optimizer, self.devices)
        self.state = state or TrainState(micro_tokens=settings.micro_tokens)
        # A resume repeats the size it began with, unless less is asked for now: after running out of memory that is the way out.
        self.state.micro_tokens = min(self.state.micro_tokens, settings.micro_tokens)
        self.clock = _Clock(self.state.seconds)
        self.saved_at = time.monotonic()
        self.losses = Losses(self.devices.device)
        self.loss: float | None = None  # the last one that was looked at

    def run(self) -> TrainResult:
        """Every step that is left."""
        state, settings = self.state, self.settings
        if not state.finished:
            self.reporter.start(settings.title, settings.steps, state.step)
        for line in sorted((*state.history, *state.evaluations), key=lambda line: line["step"]):
            self._tell(line)
            if not state.finished:
                self.reporter.measured(line)
        self.placed.runs.train()
        with Ahead(self._prepared, settings.steps, settings.read_ahead) as ahead:
            while not state.finished and state.step < settings.steps:
                self._do(ahead(state.step))
        self.reporter.close()
        del self.optimizer  # its moments have no use any more, and take room where all weights come together
        self.placed.give_back()
        if state.best_step is not None:
            peers.load_best(self.checkpoints, self.model, self.devices)
        return TrainResult(
            state.step, state.tokens, state.seconds, state.best_step, state.best_score, state.history, state.evaluations,
            state.passed_over, state.pruned,
        )  # fmt: skip

    def _prepared(self, step: int) -> _Step:
        batch = self.objective.batch(step)
        return _Step(batch.shard(self.devices.rank, self.devices.world), self.objective.count(batch), batch)

    def _do(self, step: _Step) -> None:
        """One step, and what is due after it: a look at the loss, an evaluation, a checkpoint, a stop."""
        state, settings, devices = self.state, self.settings, self.devices
        scale = self._set_rate()
        # A batch of unknown tokens alone asks for nothing. All processes see the same count, so all pass it over.
        learned = self._gradients(step) if step.count else None
        if learned is not None:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        devices.tidy()
        state.step += 1
        state.passed_over += learned is None
        state.tokens += step.batch.tokens
        state.seconds = self.clock.seconds()
        last = state.step == settings.steps
        judged = self.judge is not None and (last or state.step % settings.evaluate_every == 0)
        due, stopping = self._asked(last)
        # Before weights are judged or saved for good, every loss on the way to them is looked at.
        all_of_them = judged or last or due or stopping
        watched = all_of_them or self._is_kept(state.step) or devices.device.type == "cpu" or state.step % WATCH_EVERY == 0
        if watched and learned is not None:
            total, norm = learned
            self.losses.send(Point(state.step, settings.lr * scale, state.tokens), devices.total(total) / step.count, norm)
        self._look(all_of_them)
        self.reporter.step(state.step, state.tokens / max(state.seconds, 1e-9), self.loss)
        if judged:
            self._evaluate()
        state.finished = state.finished or last
        if state.finished or stopping or due:
            self._save()
        if stopping and not state.finished:
            self.reporter.close()
            raise Interrupted(f"{settings.title}: stopped after step {state.step} of {settings.steps}; the state is saved")

    def _set_rate(self) -> float:
        """The share of the peak learning rate at this step, which the optimizer takes on."""
        scale = rate(self.state.step, self.settings.steps, self.settings.warmup, self.settings.shape)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.lr * group["lr_scale"] * scale
        return scale

    def _asked(self, last: bool) -> tuple[bool, bool]:
        """Whether a checkpoint is due, and whether to stop."""
        # One process decides for all: clocks and signals differ between them. Each answer waits for the device, so not in every step.
        devices = self.devices
        if not (devices.world == 1 or last or self.state.step % ASK_EVERY == 0):
            return False, False
        late = time.monotonic() - self.saved_at >= self.settings.checkpoint_seconds
        return devices.sum(float(devices.is_main and late)) > 0, devices.sum(float(self.stop.asked)) > 0

    def _is_kept(self, step: int) -> bool:
        return (step - 1) % max(1, self.settings.steps // HISTORY_POINTS) == 0

    def _look(self, wait: bool) -> None:
        """At the losses that have come; `wait` for all that were sent."""
        for point, value, size in self.losses.arrived(wait=wait):
            self.loss = _checked(value, size, point, self.settings)
            if self._is_kept(point.step):
                self.state.history.append({"step": point.step, "loss": self.loss, "lr": point.lr, "tokens": point.tokens})
                self._tell(self.state.history[-1])

    def _tell(self, line: dict[str, Any]) -> None:
        if self.log is not None:
            self.log(line)

    def _save(self) -> None:
        if self.devices.is_main or self.placed.in_step:
            self.checkpoints.save(self.state, self.placed.holds, self.optimizer, writes=self.devices.is_main)
        self.devices.wait()
        self.saved_at = time.monotonic()

    def _gradients(self, step: _Step) -> tuple[Tensor, Tensor]:
        """The gradients of a step, clipped: its summed loss in this process, and the norm before clipping.

        Where memory runs out the same batch is tried again in parts of half the size, and so are all batches after it.
        """
        state, settings, devices = self.state, self.settings, self.devices
        while True:
            micros, counted = self._passes(step)
            try:
                total = self._accumulate(micros, counted, step)
                parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
                return total, all_of(torch.nn.utils.clip_grad_norm_(parameters, settings.clip))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of the handler: there, the error's traceback would keep the activations alive.
            self.optimizer.zero_grad(set_to_none=True)
            devices.free_unused()
            if all(micro.sequences == 1 for micro in micros):
                raise nothing_smaller(settings.title, settings.model, max(micro.tokens for micro in micros), devices.device)
            state.micro_tokens = min(state.micro_tokens, max(micro.tokens for micro in micros)) // 2
            if devices.world > 1:
                # The peers are already waiting for this one's gradients.
                raise TrainingError(f"{settings.title}: out of memory; run it again with --micro-tokens {state.micro_tokens}")
            self.reporter.say(f"{settings.title}: out of memory; from here on in passes of at most {state.micro_tokens} tokens")

    def _passes(self, step: _Step) -> tuple[list[Batch], int]:
        """The micro-batches of this process, and how many of them count: the first ones."""
        tokens, world = self.state.micro_tokens, self.devices.world
        # The last batch of an epoch may hold fewer texts than there are processes: those without one go along with a loss of nothing.
        own = step.own if step.own.sequences else step.batch.select(np.zeros(1, dtype=np.int64))
        micros = own.micro(tokens)
        counted = len(micros) if step.own.sequences else 0
        if self.placed.in_step:
            # So do those who have fewer passes than another, which is known without asking: all see the same batch.
            most = max(len(step.batch.shard(rank, world).micro(tokens)) for rank in range(world))
            micros += [min(micros, key=lambda micro: micro.tokens)] * (most - len(micros))
        return micros, counted

    def _accumulate(self, micros: list[Batch], counted: int, step: _Step) -> Tensor:
        devices, runs = self.devices, self.placed.runs
        if self.together is not None:
            title, draws = self.settings.title, self._draws
            return accumulate(self.together, runs, micros, step.batch, step.count, devices, draws, title)
        total = torch.zeros((), device=devices.device)
        for number, micro in enumerate(micros):
            tensors = to_tensors(micro, devices.device)
            with devices.synchronised(runs, number == len(micros) - 1), self._draws(number):
                with devices.autocast():
                    summed = float(number < counted) * self.objective.loss(runs, tensors)
                # Sum, then divide by the global count: accumulation equals one large batch. Peers' gradients are averaged, hence `world`.
                devices.backward(summed * (devices.world / step.count))
            total += summed.detach()
        return total

    def _draws(self, number: int) -> AbstractContextManager[None]:
        # Dropout is keyed like every other draw, so a resume needs no generator state.
        return seeded(seed_of(self.settings.seed, "dropout", self.state.step, self.devices.rank, number), self.devices.device)

    def _evaluate(self) -> None:
        """Judge the weights as they are, keep them where they are the best, and see whether patience is at its end."""
        state, settings, devices = self.state, self.settings, self.devices
        assert self.judge is not None
        # The bare model: peers may evaluate shares of unequal size, which the wrapped one would wait over.
        with self.placed.whole():
            metrics = self.judge(self.model)
            state.evaluations.append({"step": state.step, **metrics})
            # Rounding may differ between processes, and all must take the same way.
            score = devices.sum(metrics["score"] if devices.is_main else 0.0)
            if state.best_score is None or score > state.best_score:
                state.best_score, state.best_step, state.bad = score, state.step, 0
                if devices.is_main:
                    self.checkpoints.save_best(self.model)
                devices.wait()
            else:
                state.bad += 1
                state.finished = settings.patience is not None and state.bad >= settings.patience and state.step >= settings.patience_from
        if self.trial is not None and not state.finished and state.step < settings.steps:
            # One process decides for all, as of the score.
            behind = devices.is_main and self.trial(state.step, state.best_score)
            state.pruned = state.finished = devices.sum(float(behind)) > 0
        self._tell(state.evaluations[-1])
        self.reporter.measured(state.evaluations[-1])
        self.placed.runs.train()
        state.seconds = self.clock.seconds()


def _checked(loss: float, norm: float, point: Point, settings: TrainSettings) -> float:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise DivergedError(
            f"{settings.title}: the loss is {loss} and the gradient's norm {norm} at step {point.step}; "
            "a lower learning rate (lr) or longer warm-up usually mends this"
        )
    return loss


def _adamw(groups: Sequence[Group], settings: TrainSettings, model: Placed) -> torch.optim.Optimizer:
    parameters = [
        {"params": model.trained(group.parameters), "lr_scale": group.lr_scale, "weight_decay": group.weight_decay}
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
