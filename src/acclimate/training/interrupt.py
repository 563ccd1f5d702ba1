"""Ctrl-C, SIGTERM and SIGHUP ask politely: training finishes its step, saves, and only then stops."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Whether somebody has asked to stop. Training looks at it after every step."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ask(self) -> None:
        """Ask for a stop after the current step."""
        self._event.set()

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()


def wanted_stops() -> list[signal.Signals]:
    """The signals that ask for a stop; not SIGHUP where it is ignored already, as `nohup` does."""
    return [number for number in STOPS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]


def leave_terminal_on_hangup(then: Callable[[int, FrameType | None], Any] | None = None) -> None:
    """When the terminal goes, stop writing to it, which would be an error from then on; and do `then`."""
    if then is not None and signal.SIGHUP not in wanted_stops():
        return
    terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]

    def on_hangup(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for descriptor in terminals:
                os.dup2(nowhere, descriptor)
        if then is not None:
            then(number, frame)

    signal.signal(signal.SIGHUP, on_hangup)


@contextmanager
def held_back(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Keep signals waiting in the block, and in processes that are started in it until they let them in; none is lost."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # started on the way otherwise, and then it lets them in
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def stop_on_signals(request: StopRequest) -> Iterator[None]:
    """Within the block SIGINT, SIGTERM and SIGHUP set `request`; a second SIGINT stops at once, as Python does by default."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if request.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.ask()

    previous = {number: signal.signal(number, on_signal) for number in wanted_stops()}
    leave_terminal_on_hangup(then=on_signal)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
