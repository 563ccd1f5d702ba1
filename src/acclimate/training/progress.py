"""What a person sees while training runs: a live bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Reporter(Protocol):
    """Told about every step of a training."""

    def start(self, title: str, steps: int, done: int) -> None:
        """A training of `steps` steps begins (or goes on after `done`)."""

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        """`done` steps are finished."""

    def say(self, message: str) -> None:
        """Something a user should know."""

    def close(self) -> None:
        """The training is over."""


class Silent:
    """Says nothing; for tests and for the peers of the main process."""

    def start(self, title: str, steps: int, done: int) -> None: ...
    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None: ...
    def say(self, message: str) -> None: ...
    def close(self) -> None: ...


class Lines:
    """A plain line at most every `every` seconds: readable in a log file."""

    def __init__(self, write: Callable[[str], None] | None = None, every: float = 15.0) -> None:
        self._write = write or (lambda line: print(line, file=sys.stderr, flush=True))
        self._every = every
        self._title, self._steps, self._first = "", 0, 0
        self._began = self._last = time.monotonic()

    def start(self, title: str, steps: int, done: int) -> None:
        self._title, self._steps, self._first = title, steps, done
        if done:
            self._write(going_on(title, steps, done))
        self._began = self._last = time.monotonic()

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        now = time.monotonic()
        if now - self._last < self._every and done < self._steps:
            return
        self._last = now
        left = (now - self._began) / max(1, done - self._first) * (self._steps - done)
        shown = "" if loss is None else f"  loss {loss:.4f}"
        self._write(f"{self._title}: step {done}/{self._steps}{shown}  {tokens_per_second:,.0f} tokens/s  {left:,.0f} s left")

    def say(self, message: str) -> None:
        self._write(message)

    def close(self) -> None: ...


class Bar:
    """A live bar with speed, loss and time left."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def start(self, title: str, steps: int, done: int) -> None:
        self.close()
        if done:
            self.say(going_on(title, steps, done))
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"))
        facts = TextColumn("{task.fields[facts]}", markup=False)
        self._bar = Progress(*columns, facts, TimeRemainingColumn(), console=self._console, transient=True)
        self._task = self._bar.add_task(title, total=steps, completed=done, facts="")
        self._bar.start()

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        if self._bar is not None:
            shown = "" if loss is None else f"  loss {loss:.3f}"
            self._bar.update(self._task, completed=done, facts=f"{tokens_per_second:,.0f} tokens/s{shown}")

    def say(self, message: str) -> None:
        self._console.print(message, markup=False, highlight=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def going_on(title: str, steps: int, done: int) -> str:
    """What is said where a training goes on that was stopped."""
    return f"{title}: going on after step {done} of {steps}"


def reporter() -> Reporter:
    """A bar on a terminal, plain lines elsewhere."""
    return Bar() if sys.stderr.isatty() else Lines()
