"""Waiting for a lock that another process holds: in short waits, so that somebody can be told, or can give up."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from acclimate.errors import DiskFullError, StoreError, UnreadableError
from acclimate.files import locked

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


def acquire(stack: ExitStack, lock_file: Path, what: str, timeout: float, patience: Patience = SILENT) -> None:
    """Take a lock for as long as `stack` lives; `what` says who holds it.

    Raises:
        Busy: it was held for longer than `timeout` seconds (below 0: never).
        UnreadableError, DiskFullError: it cannot be taken at all.
    """
    start = time.monotonic()
    say_at = SAY_AFTER
    while True:
        left = max(0.0, start + timeout - time.monotonic()) if timeout >= 0 else POLL
        try:
            stack.enter_context(locked(lock_file, timeout=min(POLL, left)))
            return
        except (UnreadableError, DiskFullError):
            raise  # which no wait mends
        except StoreError as error:
            waited = time.monotonic() - start
            if 0 <= timeout <= waited:
                raise Busy(f"{lock_file}: held for more than {timeout:g} s by {what}") from error
        if patience.poll is not None:
            patience.poll()
        if patience.waiting is not None and waited >= say_at:
            say_at = waited + SAY_AGAIN
            patience.waiting(f"waiting for {what}")


@contextmanager
def held(lock_file: Path, what: str, patience: Patience = SILENT) -> Iterator[None]:
    """Hold a lock for the block, however long it takes to get it."""
    with ExitStack() as stack:
        acquire(stack, lock_file, what, -1, patience)
        yield
