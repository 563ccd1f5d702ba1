import multiprocessing
import os
import time
from pathlib import Path

import pytest

from acclimate.errors import Interrupted, StoreError
from acclimate.files import digest_json, read_json
from acclimate.study.store.artifacts import Store
from acclimate.study.store.entries import Entry
from acclimate.study.store.seal import RECORD

KEY, OTHER = digest_json("one"), digest_json("another")
DAY = 86400.0


def make(store: Store, key: str = KEY, **files: str) -> Path:
    with store.lock(key), store.building(key, {"stage": {"stage": "pretrain"}, "title": "DAPT: pretrain on domain"}) as folder:
        (folder / "model").mkdir()
        for name, text in (files or {"weights": "0123456789"}).items():
            (folder / "model" / name).write_text(text)
    return store.path(key)


def age(path: Path, days: float) -> None:
    for file in (*path.rglob("*"), path):
        os.utime(file, (time.time() - days * DAY,) * 2)


def kinds(entries: list[Entry]) -> list[tuple[str, str]]:
    return sorted((entry.kind, entry.key[:4]) for entry in entries)


def in_process(function, *arguments) -> multiprocessing.Process:
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    return process


def test_making_and_asking_a_store_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert not store.has(KEY)
    assert store.ls() == []
    assert store.prune(set(), 0) == []
    assert not (tmp_path / "store").exists()


def test_an_artifact_appears_when_its_block_ends_and_is_sealed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = {"stage": {"stage": "pretrain"}, "by number": {10: "a", 9: "b"}}
    with store.lock(KEY), store.building(KEY, record) as folder:
        (folder / "metrics.json").write_text("{}")
        record["cost"] = {"seconds": 0.1}
        assert not store.path(KEY).exists()
    assert store.has(KEY)
    assert Store(tmp_path).has(KEY)
    kept = store.record(KEY)
    assert kept["key"] == KEY
    assert kept["cost"] == {"seconds": 0.1}
    assert list(kept["files"]) == ["metrics.json"]
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_an_exception_while_building_leaves_no_artifact_and_keeps_the_checkpoints(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def killed() -> None:
        with store.lock(KEY), store.building(KEY, {}) as folder:
            (folder / "half").write_text("x")
            (store.work(KEY) / "state").write_text("step 7")
            raise Interrupted

    with pytest.raises(Interrupted):
        killed()
    assert not store.has(KEY)
    assert list((tmp_path / "artifacts").iterdir()) == []
    assert (store.work(KEY) / "state").read_text() == "step 7"


def test_checkpoints_go_when_the_artifact_is_complete(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.work(KEY) / "state").write_text("step 7")
    make(store)
    assert list((tmp_path / "work").iterdir()) == []


def test_the_same_process_checks_a_file_again_only_when_its_size_or_time_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(Store(tmp_path))
    read: list[str] = []
    import acclimate.study.store.artifacts as module

    digest = module.digest_file
    monkeypatch.setattr(module, "digest_file", lambda path: read.append(path.name) or digest(path))
    store = Store(tmp_path)
    assert store.has(KEY)
    assert store.has(KEY)
    assert read == ["weights"]
    (store.path(KEY) / "model" / "weights").write_text("012345678X")
    assert not store.has(KEY)


def test_another_key_with_the_same_beginning_is_not_taken_for_this_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    make(store)
    twin = KEY[:16] + OTHER[16:]
    with pytest.raises(StoreError, match=KEY):
        store.record(twin)
    assert not store.has(twin)


def test_building_without_the_lock_is_our_own_bug(tmp_path: Path) -> None:
    with pytest.raises(AssertionError), Store(tmp_path).building(KEY, {}):
        pass


def test_a_store_that_cannot_be_written_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--store"):
        Store(tmp_path / "file").work(KEY)


def hold(root: Path, key: str, how: str, ready: Path) -> None:
    with getattr(Store(root), how)(key):
        ready.write_text("")
        time.sleep(120)


def held(root: Path, key: str, how: str, ready: Path) -> multiprocessing.Process:
    process = in_process(hold, root, key, how, ready)
    while not ready.exists():
        assert process.is_alive()
        time.sleep(0.01)
    return process


def test_prune_without_conditions_removes_leftovers_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    make(store)
    leftovers = [
        tmp_path / "artifacts" / f".tmp-0123-{OTHER[:16]}",
        tmp_path / "artifacts" / f"damaged-{OTHER[:16]}-1",
        tmp_path / "work" / KEY[:16],
        tmp_path / "work" / OTHER[:16] / ".tmp-0123-state",
        store.cache / ".tmp-0123-tokens",
    ]
    for folder in leftovers:
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    (tmp_path / "work" / OTHER[:16] / "state").write_text("step 7")
    (store.cache / "tokens").mkdir()
    (store.cache / "tokens" / "file").write_text("x")
    with store.lock(OTHER):
        # Something is building OTHER, and something may be writing into the cache.
        assert kinds(store.prune()) == [("work", KEY[:4])]
    age(leftovers[-1], 0.5)
    assert len(store.prune()) == 4
    assert not any(folder.exists() for folder in leftovers)
    assert store.has(KEY)
    assert (tmp_path / "work" / OTHER[:16] / "state").exists()
    assert (store.cache / "tokens" / "file").exists()


def test_prune_by_age_counts_from_the_last_use_and_takes_the_cache_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key in (KEY, OTHER):
        make(store, key)
        os.utime(store.path(key), (time.time() - 10 * DAY,) * 2)
    (store.cache / "tokens").mkdir()
    age(store.cache / "tokens", 10)
    assert store.has(OTHER)
    assert kinds(store.prune({KEY}, older_than_days=5)) == [("cache", "toke")]
    assert kinds(store.prune(None, older_than_days=5)) == [("artifact", KEY[:4])]
    assert store.has(OTHER)


def test_ls_tells_what_takes_room(tmp_path: Path) -> None:
    store = Store(tmp_path)
    began = time.time() - 1  # file systems keep coarser times than the clock
    make(store, weights="0" * 1000)
    (store.work(OTHER) / "state").write_text("0" * 50)
    artifact, work = sorted(store.ls(), key=lambda entry: entry.kind)
    assert (artifact.kind, artifact.key, artifact.stage, artifact.title) == ("artifact", KEY, "pretrain", "DAPT: pretrain on domain")
    assert 1000 < artifact.size < 3000
    assert began <= artifact.created <= time.time()
    assert began <= artifact.used <= time.time() + 1
    assert (work.kind, work.key, work.size) == ("work", OTHER[:16], 50)


def test_using_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such artifact"), Store(tmp_path).using(KEY):
        pass


def test_the_record_is_readable_json(tmp_path: Path) -> None:
    assert read_json(make(Store(tmp_path)) / RECORD)["stage"] == {"stage": "pretrain"}


def test_a_store_that_is_a_file_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    for asked in (lambda store: store.ls(), lambda store: store.check_writable(), lambda store: store.prune()):
        with pytest.raises(StoreError, match=r"file: is a file, and no store; choose another folder with --store"):
            asked(Store(tmp_path / "file"))
