"""A store on a faulty machine: what cannot be read is not damaged, what a running study needs stays, what cannot be written is said."""

import errno
import logging
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest

from acclimate.errors import DiskFullError, StoreError, UnreadableError
from acclimate.files import digest_json
from acclimate.study.language.study import parse_study
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study
from acclimate.study.store import artifacts as store_module
from acclimate.study.store.artifacts import Store

KEY, OTHER = digest_json("one"), digest_json("another")
FAULTS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EPERM, errno.ETIMEDOUT)


def make(store: Store, key: str = KEY) -> Path:
    with store.lock(key), store.building(key, {"stage": {"stage": "pretrain"}, "title": "a"}) as folder:
        (folder / "model").mkdir()
        (folder / "model" / "weights").write_text("0123456789")
    return store.path(key)


def fails(code: int, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and folder of this name can neither be looked at nor read."""

    def wrapped(whole):
        def tried(self, *arguments, **more):
            if self.name == wanted:
                raise OSError(code, os.strerror(code), str(self))
            return whole(self, *arguments, **more)

        return tried

    for name in ("open", "stat", "read_text"):
        monkeypatch.setattr(Path, name, wrapped(getattr(Path, name)))


@pytest.mark.parametrize("name", ["weights", "stage.json", KEY[:16]])
@pytest.mark.parametrize("code", FAULTS)
def test_what_cannot_be_read_is_not_damaged_and_nothing_is_moved(tmp_path, monkeypatch, code, name):
    make(Store(tmp_path))
    with monkeypatch.context() as broken:
        fails(code, name, broken)
        with pytest.raises(UnreadableError, match=rf"{name}: cannot be read \({os.strerror(code)}\); nothing was changed"):
            Store(tmp_path).has(KEY)
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [KEY[:16]]
    assert Store(tmp_path).has(KEY)


def test_a_fault_in_the_middle_of_a_file_is_not_damage(tmp_path, monkeypatch):
    make(Store(tmp_path))

    def torn(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(store_module, "digest_file", torn)
    with pytest.raises(UnreadableError, match="weights: cannot be read"):
        Store(tmp_path).has(KEY)
    assert Store(tmp_path).path(KEY).is_dir()


def test_a_file_of_the_same_size_and_time_but_another_inode_or_change_time_is_read_again(tmp_path, caplog):
    store = Store(tmp_path)
    weights = make(store) / "model" / "weights"
    assert store.has(KEY)
    before = weights.stat()
    (tmp_path / "other").write_text("0123456780")
    os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(tmp_path / "other", weights)
    with caplog.at_level(logging.WARNING):
        assert not store.has(KEY)
    assert "content changed" in caplog.text
    weights = make(store) / "model" / "weights"
    assert store.has(KEY)
    weights.write_text("0123456780")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not store.has(KEY)


def test_a_store_that_is_a_file_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    for asked in (lambda store: store.ls(), lambda store: store.check_writable(), lambda store: store.prune()):
        with pytest.raises(StoreError, match=r"file: is a file, and no store; choose another folder with --store"):
            asked(Store(tmp_path / "file"))


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("folder", ["", "artifacts", "work", "locks", "cache"])
def test_a_store_that_cannot_be_written_is_found_before_anything_is_done(tmp_path, monkeypatch, folder, code):
    Store(tmp_path / "store").check_writable()
    whole = Path.write_bytes

    def refused(self, content):
        if self.parent == tmp_path / "store" / folder:
            raise OSError(code, os.strerror(code), str(self))
        return whole(self, content)

    monkeypatch.setattr(Path, "write_bytes", refused)
    with pytest.raises(StoreError, match=r"store: the store cannot be written \(.*\); choose another folder with --store"):
        Store(tmp_path / "store").check_writable()
    monkeypatch.setattr("acclimate.study.plan.prepared.Data.open", lambda *_: pytest.fail("work was begun"))
    with pytest.raises(StoreError, match="cannot be written"):
        run_study(study("a.jsonl"), tmp_path, Options(tmp_path / "out", tmp_path / "store"))


def test_a_store_without_room_is_found_before_anything_is_done(tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError, match="no space left"):
        Store(tmp_path).check_writable()
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".tmp-")]


def study(train):
    return parse_study({"data": {"task": {"train": train, "skip_bad": True}}, "recipes": {"majority": {"base": "majority"}}, "seeds": 1})


@pytest.fixture
def world(tiny_world, tmp_path):
    shutil.copyfile(tiny_world / "train.jsonl", tmp_path / "train.jsonl")
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write("not JSON\n")
    return tmp_path


def test_a_plan_of_a_store_that_may_only_be_read_writes_nothing_and_knows_what_is_there(world, monkeypatch, caplog):
    store = world / "store"
    run_study(study("train.jsonl"), world, Options(world / "out", store, engine="inline", threads=1, say=lambda _: None))
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()}
    monkeypatch.setattr(Store, "writable", lambda self: False)
    monkeypatch.setattr(Store, "_prepare", lambda self: (_ for _ in ()).throw(StoreError("the store cannot be written")))
    prepared = prepare(study("train.jsonl"), world, store)
    assert prepared.cached == prepared.plan.nodes.keys()
    (key,) = prepared.plan.nodes
    weights = next(path for path in (store / "artifacts" / key[:16] / "model").iterdir())
    weights.write_bytes(b"damaged")
    assert prepare(study("train.jsonl"), world, store).cached == frozenset()
    assert "cannot be written, so it stays there" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file() and path != weights} == {
        path: time for path, time in before.items() if path != weights
    }


# -- leases --------------------------------------------------------------------------------------------------------------


def entries(store: Store) -> None:
    for key in (KEY, OTHER):
        make(store, key)
        (store.cache / f"tokens-{key[:4]}").mkdir(exist_ok=True)
    third = digest_json("third")
    (store.work(third) / "state-1").mkdir()
    time.sleep(0.01)


def left(store: Store) -> list[str]:
    return sorted(entry.path.name for entry in store.ls())


@pytest.mark.parametrize("how", [{"keep": set()}, {"keep": {OTHER}}, {"older_than_days": 0.0}, {"keep": set(), "older_than_days": 0.0}])
def test_prune_takes_nothing_that_a_running_study_has_or_needs(tmp_path, how, caplog):
    store = Store(tmp_path)
    entries(store)
    third = digest_json("third")
    with store.lease([KEY, third]):
        Store(tmp_path).prune(**how)
        assert {KEY[:16], third[:16], f"tokens-{KEY[:4]}", f"tokens-{OTHER[:4]}"} <= set(left(store))
        assert "a running study needs them" in caplog.text
        assert (OTHER[:16] in left(store)) == (OTHER in how.get("keep", set()))
    store.prune(older_than_days=0.0)
    assert left(store) == []
    assert not list((tmp_path / "locks").glob("*lease*"))


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


def test_a_running_study_holds_the_keys_of_its_whole_plan(world, monkeypatch):
    found = []

    def say(line):
        if "stages for" in line:
            found.extend(Store(world / "store").prune(set(), older_than_days=0.0))
            found.append(store_module.leases(world / "store" / "locks"))

    options = Options(world / "out", world / "store", engine="inline", threads=1, say=say)
    run_study(study("train.jsonl"), world, options)
    run_study(study("train.jsonl"), world, options)  # with what is cached
    (key,) = prepare(study("train.jsonl"), world, world / "store").plan.nodes
    assert found == [{key[:16]}, {key[:16]}]
    assert [entry.key for entry in Store(world / "store").prune(set())] == [key]
