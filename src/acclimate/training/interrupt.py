"""Ctrl-C and SIGTERM ask politely: training finishes its step, saves, and only then stops."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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


@contextmanager
def stop_on_signals(request: StopRequest) -> Iterator[None]:
    """Within the block SIGINT and SIGTERM set `request`; a second SIGINT stops at once, as Python does by default."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if request.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.ask()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
