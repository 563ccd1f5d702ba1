"""Room is made beside a running study: nothing goes that it has, needs, reads or writes."""

import time
from pathlib import Path

import pytest
from tests.faults.small_study import study
from tests.study.test_store import KEY, OTHER, held, kinds, make

from acclimate.files import digest_json
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study
from acclimate.study.store.artifacts import Store
from acclimate.study.store.leases import leases


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


def test_a_running_study_holds_the_keys_of_its_whole_plan(world, monkeypatch):
    found = []

    def say(line):
        if "stages for" in line:
            found.extend(Store(world / "store").prune(set(), older_than_days=0.0))
            found.append(leases(world / "store" / "locks"))

    options = Options(world / "out", world / "store", engine="inline", threads=1, say=say)
    run_study(study("train.jsonl"), world, options)
    run_study(study("train.jsonl"), world, options)  # with what is cached
    (key,) = prepare(study("train.jsonl"), world, world / "store").plan.nodes
    assert found == [{key[:16]}, {key[:16]}]
    assert [entry.key for entry in Store(world / "store").prune(set())] == [key]


def test_prune_leaves_what_is_needed_or_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    third = digest_json("third")
    for key in (KEY, OTHER, third):
        make(store, key)
    process = held(tmp_path, OTHER, "using", tmp_path / "ready")
    try:
        with store.using(OTHER):  # readers do not keep readers away
            assert kinds(store.prune({KEY}, dry_run=True)) == [("artifact", third[:4])]
        assert store.has(third)
        assert kinds(store.prune({KEY})) == [("artifact", third[:4])]
        assert not store.path(third).exists()
    finally:
        process.kill()
        process.join()
    assert kinds(store.prune({KEY})) == [("artifact", OTHER[:4])]  # its reader is dead
    assert store.has(KEY)
    with store.lock(KEY):
        assert store.prune(set()) == []
    assert kinds(store.prune(set())) == [("artifact", KEY[:4])]
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == []
