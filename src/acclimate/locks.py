"""Waiting for a lock that another process holds: in short waits, so that somebody can be told, or can give up."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from acclimate.errors import DiskFullError, StoreError, UnreadableError
from acclimate.files import lock_at, locked

SAY_AFTER, SAY_AGAIN = 2.0, 60.0  # seconds until it is said what is waited for, and until it is said again
POLL = 0.5  # seconds between two looks at whether the wait is to be given up


class Busy(StoreError):
    """Another process holds the lock."""


@dataclass(frozen=True)
class Patience:
    """How a wait behaves. `waiting` is told after two seconds, and then every minute, what is waited for; `poll` is called twice a second
    and may raise to give up, as a signal handler that only notes the signal could not."""

    waiting: Callable[[str], None] | None = None
    poll: Callable[[], None] | None = None


SILENT = Patience()  # nobody is told, and nobody can give up


class Wait:
    """A wait for what somebody else holds, `what`: for `timeout` seconds (below 0: for ever), as patient as `patience`."""

    def __init__(self, what: str, timeout: float, patience: Patience = SILENT) -> None:
        self._what, self._timeout, self._patience = what, timeout, patience
        self._start = time.monotonic()
        self._say_at = SAY_AFTER

    @property
    def left(self) -> float:
        """Seconds until the next look, at most."""
        return min(POLL, max(0.0, self._start + self._timeout - time.monotonic())) if self._timeout >= 0 else POLL

    def again(self, where: object) -> None:
        """Another look found it held still.

        Raises:
            Busy: it was held for longer than `timeout`.
        """
        waited = time.monotonic() - self._start
        if 0 <= self._timeout <= waited:
            raise Busy(f"{where}: held for more than {self._timeout:g} s by {self._what}")
        if self._patience.poll is not None:
            self._patience.poll()
        if self._patience.waiting is not None and waited >= self._say_at:
            self._say_at = waited + SAY_AGAIN
            self._patience.waiting(f"waiting for {self._what}")


def acquire(stack: ExitStack, lock_file: Path, what: str, timeout: float, patience: Patience = SILENT) -> None:
    """Take a lock for as long as `stack` lives; `what` says who holds it.

    Raises:
        Busy: it was held for longer than `timeout` seconds (below 0: never).
        UnreadableError, DiskFullError: it cannot be taken at all.
    """
    wait, lock = Wait(what, timeout, patience), lock_at(lock_file)
    while True:
        try:
            stack.enter_context(locked(lock_file, timeout=wait.left, lock=lock))
            return
        except (UnreadableError, DiskFullError):
            raise  # which no wait mends
        except StoreError as error:
            try:
                wait.again(lock_file)
            except Busy as busy:
                raise busy from error


@contextmanager
def held(lock_file: Path, what: str, patience: Patience = SILENT) -> Iterator[None]:
    """Hold a lock for the block, however long it takes to get it."""
    with ExitStack() as stack:
        acquire(stack, lock_file, what, -1, patience)
        yield
