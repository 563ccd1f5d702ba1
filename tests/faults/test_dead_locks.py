"""A lock dies with its process, and one that cannot be taken or read is said and never passed over."""

import errno
import multiprocessing
import os
import time
from pathlib import Path

import pytest
from tests.study.test_store import KEY, held, make

from acclimate.errors import Interrupted, StoreError
from acclimate.study.store.artifacts import Store


def test_a_waiter_says_what_it_waits_for_can_give_up_and_gets_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    store = Store(tmp_path)
    process = held(tmp_path, KEY, "lock", tmp_path / "ready")
    try:
        said: list[str] = []

        def give_up() -> None:
            if said:
                raise Interrupted

        with pytest.raises(Interrupted), store.lock(KEY, said.append, give_up):
            pass
        assert len(said) == 1
        assert KEY[:16] in said[0]
        with pytest.raises(StoreError, match="held"), store.lock(KEY, timeout=0):
            pass
    finally:
        process.kill()
        process.join()
    with store.lock(KEY, timeout=30), store.lock(KEY):  # the same thread may take it twice
        pass


def hold(root: Path, ready: Path) -> None:
    with Store(root).lease([KEY]):
        ready.write_text("")
        time.sleep(120)


def test_a_dead_study_frees_its_lease(tmp_path):
    store = Store(tmp_path)
    make(store)
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(tmp_path, tmp_path / "ready"))
    process.start()
    try:
        while not (tmp_path / "ready").exists():
            assert process.is_alive()
            time.sleep(0.01)
        assert store.prune(set()) == []
    finally:
        process.kill()
        process.join()
    assert [entry.key for entry in store.prune(set())] == [KEY]
    assert not list((tmp_path / "locks").glob("*lease*"))


def test_a_lease_that_cannot_be_read_lets_nothing_go(tmp_path):
    store = Store(tmp_path)
    make(store)
    with store.lease([KEY]):
        (lease,) = (tmp_path / "locks").glob("*.lease")
        lease.write_text("not JSON")
        with pytest.raises(StoreError, match=r"\.lease: cannot be read as JSON"):
            store.prune(set(), older_than_days=0.0)
    assert store.has(KEY)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EIO, errno.ENOLCK, errno.ENOSPC])
def test_a_lock_that_cannot_be_taken_is_said_and_nobody_waits_for_it(tmp_path, monkeypatch, code):
    whole = os.open

    def refused(path, *arguments, **more):
        if str(path).endswith(".lock"):
            raise OSError(code, os.strerror(code), str(path))
        return whole(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refused)
    said = "locks: no space left on the disk" if code == errno.ENOSPC else rf"\.lock: the lock cannot be taken \({os.strerror(code)}\)"
    with pytest.raises(StoreError, match=said), Store(tmp_path).lock(KEY):
        pass


def test_a_folder_in_the_place_of_a_lock_is_said(tmp_path):
    (tmp_path / "locks" / f"{KEY[:16]}.lock").mkdir(parents=True)
    with pytest.raises(StoreError, match="the lock cannot be taken"), Store(tmp_path).lock(KEY):
        pass
