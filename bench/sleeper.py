"""Stages that only sleep: what is left is the engine's own work. Imports nothing heavy: many processes of a machine unpickle it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

from acclimate.study.engines.engine import Job, Shared
from acclimate.study.engines.reports import Report


@dataclass(frozen=True)
class Sleeper:
    """A setup whose performers sleep for so many seconds."""

    seconds: float
    threads: int | None = 1
    shared: Shared = field(default_factory=Shared)
    preload: tuple[str, ...] = ()

    def one_of(self, sharing: int, threads: int | None) -> Self:
        """As it is, with these threads."""
        return replace(self, threads=threads)

    def together(self, processes: int) -> "Sleeper":
        """As it is."""
        return self

    def open(self, stop: object, send: Callable[..., None]) -> "Sleeper":
        """Itself."""
        return self

    def execute(self, key: str, payload: Any) -> Report:
        """Sleep."""
        time.sleep(self.seconds)
        return Report(key, "done")


def stages(runs: int) -> list[Job]:
    """As of a study with so many runs of two stages each, which begin with one base."""
    jobs = [Job("base", (), "read the base", None)]
    for number in range(runs):
        jobs.append(Job(f"pretrain {number}", ("base",), f"run {number}: pretrain", None))
        jobs.append(Job(f"finetune {number}", (f"pretrain {number}",), f"run {number}: finetune", None))
    return jobs
