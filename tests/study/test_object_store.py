"""A store in a bucket: what holds of a folder holds of it, on every machine that shares it. A machine is a folder of its own."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.faults.holder import PATIENT, compute_each
from tests.study.test_store import KEY, OTHER, in_process, make

from acclimate.errors import MissingExtraError, SettingsError
from acclimate.files import digest_json
from acclimate.locks import Busy
from acclimate.study.language.study import load_study
from acclimate.study.run import Options, run_study
from acclimate.study.store.bucket import Bucket
from acclimate.study.store.claims import facts_of
from acclimate.study.store.objects import LARGE, ObjectStore
from acclimate.study.store.opened import open_store

STUDY = """{head}
seeds: 1
recipes:
  fine-tune: [finetune: {{ lr: 1e-2, epochs: 1, min_steps: 0, patience: null }}]
  tfidf: {{ base: tfidf }}
"""


@pytest.fixture
def machine(bucket, tmp_path):
    return lambda name: ObjectStore(bucket, tmp_path / name, PATIENT)


def objects(store: ObjectStore, prefix: str = "") -> list[str]:
    return sorted(each.name for each in store.bucket.list(prefix))


def test_what_one_machine_made_another_has_and_reads(machine) -> None:
    make(machine("one"), weights="0123456789")
    other = machine("two")
    assert other.has(KEY)
    assert not other.has(OTHER)
    with other.using(KEY) as folder:
        assert (folder / "model" / "weights").read_text() == "0123456789"
    assert other.record(KEY) == machine("one").record(KEY)
    assert [name for name in objects(other) if name.startswith("claims/")] == []


def test_large_files_of_a_model_come_only_when_it_is_wanted(machine) -> None:
    make(machine("one"), weights="x" * LARGE, small="y")
    other = machine("two")
    assert other.has(KEY)
    model = other.path(KEY) / "model"
    assert (model / "small").is_file()
    assert not (model / "weights").exists()
    other.fetch(other.path(KEY))
    assert (model / "weights").stat().st_size == LARGE


def test_a_study_is_done_once_and_taken_up_by_another_machine(bucket, write_study, tmp_path, monkeypatch) -> None:
    said: list[str] = []
    for name in ("one", "two"):
        monkeypatch.setenv("ACCLIMATE_CACHE", str(tmp_path / name))
        study = load_study(write_study(tmp_path, STUDY))
        run_study(study, tmp_path, Options(tmp_path / f"out-{name}", bucket, engine="inline", say=said.append))
    assert "3 stages for 2 runs; 0 are there already" in said
    assert "3 stages for 2 runs; 3 are there already" in said
    one, two = (tmp_path / f"out-{name}" / "predictions.parquet" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_second_machine_waits_for_the_first_and_may_give_up_meanwhile(machine) -> None:
    one, two, said = machine("one"), machine("two"), []
    with ExitStack() as stack:
        stack.enter_context(one.lock(KEY))

        def freed() -> None:
            said.append("asked")
            if len(said) == 2:
                stack.close()

        with two.lock(KEY, poll=freed):
            assert len(said) >= 2


def test_two_machines_that_want_the_same_at_the_same_time_compute_each_key_once(bucket, tmp_path) -> None:
    keys = [digest_json(number) for number in range(6)]
    orders = {"one": keys, "two": [*reversed(keys)]}
    running = [in_process(compute_each, bucket, tmp_path / name, order) for name, order in orders.items()]
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0, 0]
    computed = [key for name in orders for key in (tmp_path / name / "computed").read_text().split()]
    assert sorted(computed) == sorted(keys)


def test_a_claim_is_renewed_for_as_long_as_it_is_held(machine) -> None:
    store, name = machine("one"), f"claims/{KEY[:16]}"
    with store.lock(KEY):
        while facts_of(store.bucket.get(name))["renewed"] < 3:
            time.sleep(0.05)
        with pytest.raises(Busy), machine("two").lock(KEY, timeout=0):
            pass
    assert store.bucket.get(name) is None


def test_ls_and_prune_of_a_bucket(machine, acclimate, monkeypatch) -> None:
    store = machine("one")
    make(store)
    make(store, OTHER)
    store.bucket.put(f"artifacts/{KEY[:16]}/0123456789abcdef/half", b"left over")
    told = acclimate("store", "ls", store.bucket.address)
    assert told.returncode == 0
    assert [line.split()[:2] for line in told.stdout.splitlines()[:3]].count(["artifact", KEY[:16]]) == 1
    assert "3 folders" in told.stdout
    refused = acclimate("store", "prune", store.bucket.address, "--older-than-days", "1")
    assert refused.returncode == 2
    assert "does not know when something was last used" in refused.stderr
    assert store.prune() == []  # what has no mark may be somebody's who writes just now
    with machine("two").lease([OTHER]):
        assert [entry.key for entry in store.prune({KEY})] == []
    with machine("two").lock(OTHER):
        assert [entry.key for entry in store.prune({KEY})] == []
    with monkeypatch.context() as patch:
        listed = []
        patch.setattr(Bucket, "list", lambda bucket, prefix, real=Bucket.list: listed.append(prefix) or real(bucket, prefix))
        for name in ("put", "delete"):
            patch.setattr(Bucket, name, None)  # who only looks writes nothing
        assert {entry.key for entry in store.prune(set(), dry_run=True)} == {KEY, OTHER}
        assert listed.count("leases/") == 1
    assert [entry.key for entry in store.prune({KEY}, dry_run=True)] == [OTHER]
    assert [entry.key for entry in store.prune({KEY})] == [OTHER]
    fresh = machine("three")
    assert (fresh.has(KEY), fresh.has(OTHER)) == (True, False)
    assert objects(fresh, "leases/") == objects(fresh, "claims/") == []


def test_an_address_that_is_none_and_a_missing_client_are_said(monkeypatch) -> None:
    with pytest.raises(SettingsError, match="is no address of a store"):
        open_store("ftp://somewhere/else")
    with pytest.raises(SettingsError, match="give it as a text"):
        open_store(Path("s3://bucket/prefix"))
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingExtraError, match=r'pip install "acclimate\[cluster\]"'):
        open_store("s3://bucket/prefix").has(KEY)
