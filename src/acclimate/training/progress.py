"""What is told while training runs: plain lines for people, and progress as a value for whoever watches the study."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from acclimate.inert import inert

SEND_EVERY = 0.5  # seconds between two values for whoever watches


@dataclass(frozen=True)
class Progress:
    """How far a training has come."""

    what: str  # its title; a part of a stage says which, e.g. "DAPT: pretrain on domain (head alone)"
    step: int  # steps finished
    steps: int
    first: int = 0  # steps that an earlier, interrupted process had finished
    tokens_per_second: float = 0.0
    loss: float | None = None
    seconds_left: float | None = None  # None until a step is finished
    measured: tuple[Mapping[str, float], ...] = ()  # lines of the learning curve, each with its `step`, since the value before


class Reporter(Protocol):
    """Told about every step of a training."""

    def start(self, title: str, steps: int, done: int) -> None:
        """A training of `steps` steps begins (or goes on after `done`)."""

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        """`done` steps are finished."""

    def measured(self, line: Mapping[str, float]) -> None:
        """An evaluation with its `step`; of a training that goes on, first every line of its learning curve so far."""

    def say(self, message: str) -> None:
        """Something a user should know."""

    def close(self) -> None:
        """The training is over."""


def _print(line: str) -> None:
    # A log on a full disk does not end a training. One write a line: lines of several threads do not run into each other.
    with suppress(OSError):
        print(f"{inert(line)}\n", end="", file=sys.stderr, flush=True)


class Silent:
    """Says nothing; for tests and for the peers of the main process."""

    def start(self, title: str, steps: int, done: int) -> None: ...
    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None: ...
    def measured(self, line: Mapping[str, float]) -> None: ...
    def say(self, message: str) -> None: ...
    def close(self) -> None: ...


class Messages:
    """What a user should know and nothing about steps: beside a live view, which shows those."""

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write or _print

    def start(self, title: str, steps: int, done: int) -> None:
        if done:
            self._write(going_on(title, steps, done))

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None: ...
    def measured(self, line: Mapping[str, float]) -> None: ...

    def say(self, message: str) -> None:
        self._write(message)

    def close(self) -> None: ...


class Lines(Messages):
    """A plain line at most every `every` seconds: readable in a log file."""

    def __init__(self, write: Callable[[str], None] | None = None, every: float = 15.0) -> None:
        super().__init__(write)
        self._every = every
        self._title, self._steps = "", 0
        self._left = _Left(0, 0)
        self._last = time.monotonic()

    def start(self, title: str, steps: int, done: int) -> None:
        super().start(title, steps, done)
        self._title, self._steps, self._left = title, steps, _Left(steps, done)
        self._last = time.monotonic()

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        now = time.monotonic()
        if now - self._last < self._every and done < self._steps:
            return
        self._last = now
        left = self._left.after(done, now) or 0.0
        shown = "" if loss is None else f"  loss {loss:.4f}"
        self._write(f"{self._title}: step {done}/{self._steps}{shown}  {tokens_per_second:,.0f} tokens/s  {left:,.0f} s left")


class Sending:
    """Tells another reporter everything, and sends `Progress` now and then: steps in between cost a look at the clock."""

    def __init__(self, to: Reporter, send: Callable[[Progress], None], every: float = SEND_EVERY) -> None:
        self._to, self._send, self._every = to, send, every
        self._now = Progress("", 0, 0)
        self._left = _Left(0, 0)
        self._last = 0.0

    def start(self, title: str, steps: int, done: int) -> None:
        self._to.start(title, steps, done)
        self._now, self._left = Progress(title, done, steps, done), _Left(steps, done)
        self._tell(self._now)

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        self._to.step(done, tokens_per_second, loss)
        now = time.monotonic()
        if now - self._last < self._every and done < self._now.steps:
            return
        left = self._left.after(done, now)
        self._tell(replace(self._now, step=done, tokens_per_second=tokens_per_second, loss=loss, seconds_left=left))

    def measured(self, line: Mapping[str, float]) -> None:
        self._to.measured(line)
        self._now = replace(self._now, measured=(*self._now.measured, line))
        if time.monotonic() - self._last >= self._every:
            self._tell(self._now)

    def say(self, message: str) -> None:
        self._to.say(message)

    def close(self) -> None:
        if self._now.measured:
            self._tell(self._now)
        self._to.close()

    def _tell(self, progress: Progress) -> None:
        self._last = time.monotonic()
        self._send(progress)
        self._now = replace(progress, measured=())


class _Left:
    """Seconds that a training still takes, at the pace it has had since it began (or went on)."""

    def __init__(self, steps: int, first: int) -> None:
        self._steps, self._first, self._began = steps, first, time.monotonic()

    def after(self, done: int, now: float) -> float | None:
        if done <= self._first:
            return None
        return (now - self._began) / (done - self._first) * (self._steps - done)


def going_on(title: str, steps: int, done: int) -> str:
    """What is said where a training goes on that was stopped."""
    return f"{title}: going on after step {done} of {steps}"
