"""What a job on another node tells the driver while it works: that it began, how far it is, and what it prints."""

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import SEND_EVERY, Progress

LAST_WORDS = 10.0  # seconds that a job waits for its letters to arrive, at most


@dataclass(frozen=True)
class Began:
    """Somebody works on the job now."""

    node: str  # Ray's id of it
    rank: int = 0  # among the processes that do the job together


@dataclass(frozen=True)
class Heard:
    """A process of a job knows that it is asked to stop."""

    rank: int = 0


@dataclass(frozen=True)
class Letter:
    """One thing told of one attempt at a job."""

    key: str
    attempt: int
    content: Began | Heard | Progress | str  # a line that was printed


class Mailbox:
    """An actor beside the driver: jobs put letters in, the driver takes them out; and processes that do a job together meet by it."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._meetings: dict[str, str] = {}

    def post(self, letters: list[Letter]) -> None:
        """Put some in."""
        self._letters.extend(letters)

    def take(self) -> list[Letter]:
        """All that came since the last time, in the order of each sender."""
        letters, self._letters = self._letters, []
        return letters

    def open(self, meeting: str, address: str) -> None:
        """Say where the first of some processes listens for the others."""
        self._meetings[meeting] = address

    def place(self, meeting: str) -> str:
        """Where that is; empty until it was said."""
        return self._meetings.get(meeting, "")


class Sender:
    """One attempt's end: what it is told to send goes out at most twice a second, in one call; and once, that `stop` was asked for."""

    def __init__(self, mailbox: Any, key: str, attempt: int, stop: StopRequest, rank: int = 0) -> None:
        self._mailbox, self._key, self._attempt, self._stop, self._rank = mailbox, key, attempt, stop, rank
        self._heard = False
        self._letters: list[Letter] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.deliver()

    def deliver(self) -> None:
        """Send what there is, and wait until it is there: before the job may take its process down, and before its report."""
        sent = self._send()
        if sent is not None:
            with suppress(Exception):  # a mailbox that is gone is no reason to fail
                import ray

                ray.get(sent, timeout=LAST_WORDS)

    def tell(self, content: Began | Heard | Progress | str) -> None:
        """Send this with the next call."""
        with self._lock:
            self._letters.append(Letter(self._key, self._attempt, content))

    def _beat(self) -> None:
        while not self._over.wait(SEND_EVERY):
            # Not where the signal is handled, which may be in the middle of a line of this class.
            if self._stop.asked and not self._heard:
                self._heard = True
                self.tell(Heard(self._rank))
            self._send()

    def _send(self) -> Any:
        with self._lock:
            letters, self._letters = self._letters, []
        if not letters:
            return None
        with suppress(Exception):
            return self._mailbox.post.remote(letters)
        return None
