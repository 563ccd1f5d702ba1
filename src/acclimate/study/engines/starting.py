"""How worker processes are started: one by itself, several as copies of a process that has loaded what all of them use."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Any

from acclimate.training.interrupt import STOPS, held_back

Starts = SpawnContext | ForkServerContext


@contextmanager
def starting(workers: int, preload: Sequence[str], gpus: int) -> Iterator[Starts]:
    """The context that starts so many workers; `preload` are the modules that each would load first.

    To load torch and transformers takes a processor five seconds, and 230 MB of what they take can be shared. Copies are made where that is
    safe: CUDA survives no fork, nor do libraries of macOS. (Of what is loaded only OpenBLAS has threads, and ends them before a fork.)
    Whoever has a server of copies already keeps it.
    """
    server: Any = forkserver._forkserver  # there is no other way to end it
    taken = server._forkserver_pid is not None
    if workers < 2 or not preload or gpus or sys.platform != "linux" or taken:
        yield multiprocessing.get_context("spawn")
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    try:
        with surroundings(), held_back(STOPS):  # in it and its copies until a worker lets them in: a stop of the group must not end it
            forkserver.ensure_running()
        yield context
    finally:
        # It would keep its memory, and today's environment, for as long as this process lives; nor is it waited for while it still loads.
        if server._forkserver_pid is not None:
            os.kill(server._forkserver_pid, signal.SIGKILL)
        server._stop()
        context.set_forkserver_preload(["__main__"])  # as it was


def start(process: Any, context: Starts) -> None:
    """Start a worker, which begins with the signals of `STOPS` held back."""
    if context.get_start_method() == "spawn":
        with surroundings(), held_back(STOPS):
            process.start()
    else:
        process.start()  # returns when the server has loaded everything: a Ctrl-C is heard meanwhile


@contextmanager
def surroundings() -> Iterator[None]:
    """Within the block a Python that is started finds what a worker needs in its environment.

    It does not look into the current folder for modules, which may hold a study of somebody else's, beside a `pickle.py`; the path of this
    process it is sent soon after. How its threads wait for each other is read when torch is loaded.
    """
    wanted = {"PYTHONSAFEPATH": "1", **brief_spin()}
    before = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(before)


def brief_spin() -> dict[str, str]:
    """What the environment must say of how threads wait for each other before torch is loaded; what the user has set stays."""
    # Threads that sleep at once at every barrier halve the speed of small steps; threads that spin for long starve whatever else runs.
    # Some 10 microseconds do neither.
    return {} if {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys() else {"GOMP_SPINCOUNT": "1000"}


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
