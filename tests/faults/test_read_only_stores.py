"""A store that may only be read is found before anything is spent, and a plan of it writes nothing."""

import errno
import os
from pathlib import Path

import pytest
from tests.faults.small_study import study

from acclimate.errors import StoreError
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study
from acclimate.study.store.artifacts import Store


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
