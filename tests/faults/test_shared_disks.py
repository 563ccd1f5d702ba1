"""Stores on a file system that several machines have mounted. Another machine is a lease of its own name, or a second Store."""

import json
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import pytest
from tests.study.test_store import KEY, in_process, make

from acclimate import lease
from acclimate.errors import StoreError
from acclimate.files import locked
from acclimate.locks import Busy, acquire
from acclimate.study.store.artifacts import Store


@pytest.fixture(autouse=True)
def shared(monkeypatch):
    monkeypatch.setenv("ACCLIMATE_LOCKS", "leases")


def elsewhere(path: Path) -> None:
    """A lease at `path` of another machine, which is dead."""
    with locked(path):
        here = path.read_text()
    path.write_text(json.dumps(json.loads(here) | {"host": "another-machine"}))


def hold(path: Path, sign: Path) -> None:
    with locked(path):
        sign.touch()
        time.sleep(3600)


def test_the_lease_of_a_killed_process_is_free_at_once_on_its_machine(tmp_path) -> None:
    path, sign = tmp_path / "locks" / "a.lock", tmp_path / "sign"
    process = in_process(hold, path, sign)
    while not sign.exists():
        assert process.is_alive()
        time.sleep(0.05)
    with pytest.raises(StoreError, match="another acclimate process"), locked(path, timeout=0):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with locked(path, timeout=0):
        pass


def test_the_lease_of_a_dead_machine_is_free_when_a_waiter_has_seen_it_stand(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(lease, "LEASE", 1.5)
    path = tmp_path / "a.lock"
    elsewhere(path)
    with ExitStack() as stack, pytest.raises(Busy):
        acquire(stack, path, "another machine", 0)
    with ExitStack() as stack:
        acquire(stack, path, "another machine", -1)  # in looks of half a second: what it saw before counts


def test_who_looks_but_once_takes_a_lease_that_has_been_dead_for_long(tmp_path) -> None:
    path = tmp_path / "a.lock"
    elsewhere(path)
    with pytest.raises(StoreError), locked(path, timeout=0):
        pass
    old = time.time() - lease.DEAD - 1
    os.utime(path, (old, old))
    with locked(path, timeout=0):
        assert "another-machine" not in path.read_text()


def test_a_machine_that_was_held_up_finds_the_others_artifact_and_keeps_it(tmp_path) -> None:
    late, other = Store(tmp_path), Store(tmp_path)
    with late.lock(KEY), late.building(KEY, {}) as folder:
        (folder / "late").write_text("late")
        (tmp_path / "locks" / f"{KEY[:16]}.lock").unlink()
        make(other)
    assert Store(tmp_path).has(KEY)
    assert not (late.path(KEY) / "late").exists()
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [KEY[:16]]


def test_its_error_over_checkpoints_that_the_other_tidied_away_is_none(tmp_path) -> None:
    late, other = Store(tmp_path), Store(tmp_path)
    with late.lock(KEY), late.building(KEY, {}):
        work = late.work(KEY)
        (tmp_path / "locks" / f"{KEY[:16]}.lock").unlink()
        make(other)
        (work / "state").write_text("there is no such folder any more")
    assert late.has(KEY)
    with pytest.raises(FileNotFoundError), late.lock(KEY[::-1]), late.building(KEY[::-1], {}):
        (work / "state").write_text("nor is there an artifact")


def test_a_name_that_a_machine_remembers_as_missing_is_asked_for_anew(tmp_path, monkeypatch) -> None:
    store = Store(tmp_path)
    make(store)
    stat = Path.stat
    asked = []

    def remembered(path: Path, **how: bool) -> os.stat_result:
        if path == store.path(KEY) and not asked:
            asked.append(path)
            raise FileNotFoundError(path)
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", remembered)
    assert Store(tmp_path).has(KEY)
    assert asked


def test_what_is_given_back_while_it_is_touched_is_not_made_anew(tmp_path, monkeypatch) -> None:
    touched, utime = Event(), os.utime

    def slow(path: Path) -> None:
        touched.set()
        time.sleep(3 * lease.POLL)  # a server that takes its time
        utime(path)

    monkeypatch.setattr(lease, "LEASE", 0.03)
    monkeypatch.setattr(lease.os, "utime", slow)
    held = lease.Lease(tmp_path / "a.lock")
    held.acquire()
    assert touched.wait(60)
    held.release()
    assert held._thread is not None
    held._thread.join()
    assert list(tmp_path.iterdir()) == []
