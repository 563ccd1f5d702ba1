"""Waiting for a lock: when it is said, how often it is asked whether to give up, when it ends. On a clock of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from acclimate import locks
from acclimate.errors import Interrupted, StoreError
from acclimate.locks import Busy, Patience, acquire


class Clock:
    """Seconds that pass only while somebody waits for the lock, which another process holds until `free_at`."""

    def __init__(self, free_at: float = float("inf")) -> None:
        self.now, self.free_at = 0.0, free_at

    @contextmanager
    def locked(self, path: Path, timeout: float, lock: object) -> Iterator[None]:
        until = min(self.now + timeout, max(self.now, self.free_at))
        if self.free_at > self.now + timeout:
            self.now += timeout
            raise StoreError(f"{path}: held")
        self.now = until
        yield


def waited(monkeypatch: pytest.MonkeyPatch, clock: Clock, timeout: float, patience: Patience = locks.SILENT) -> None:
    monkeypatch.setattr(locks, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(locks, "locked", clock.locked)
    with ExitStack() as stack:
        acquire(stack, Path("lock"), "another process", timeout, patience)


def test_it_is_said_after_two_seconds_and_then_every_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, said = Clock(free_at=130), []
    waited(monkeypatch, clock, -1, Patience(lambda _: said.append(clock.now)))
    assert said == [2.0, 62.0, 122.0]
    assert clock.now == 130


def test_a_short_wait_is_not_worth_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    waited(monkeypatch, Clock(free_at=1.9), -1, Patience(said.append))
    assert said == []


def test_it_is_asked_twice_a_second_whether_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = Clock(), []

    def poll() -> None:
        asked.append(clock.now)
        if clock.now >= 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        waited(monkeypatch, clock, -1, Patience(poll=poll))
    assert asked == [0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("timeout", [0, 0.2, 3.7])
def test_a_wait_with_an_end_ends_there(monkeypatch: pytest.MonkeyPatch, timeout: float) -> None:
    clock = Clock()
    with pytest.raises(Busy, match=f"held for more than {timeout:g} s by another process"):
        waited(monkeypatch, clock, timeout)
    assert clock.now == pytest.approx(timeout)
