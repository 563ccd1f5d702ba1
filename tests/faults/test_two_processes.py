"""Two processes that want the same: one computes, the other waits and says so, and nobody writes into a folder that another fills."""

import time
from pathlib import Path

import pytest
from tests.faults.small_study import study
from tests.faults.test_damaged_caches import outputs, tokens
from tests.study.test_store import KEY, in_process

from acclimate.errors import Interrupted, StoreError
from acclimate.files import locked
from acclimate.locks import Patience
from acclimate.study.run import Options, run_study
from acclimate.study.store.artifacts import Store


def compute_once(root: Path, log: Path) -> None:
    store = Store(root)
    with store.lock(KEY):
        if not store.has(KEY):
            with store.building(KEY, {}) as folder:
                with log.open("a") as file:
                    file.write("computed\n")
                time.sleep(0.3)
                (folder / "weights").write_text("1")


def test_two_processes_on_one_key_compute_once(tmp_path: Path) -> None:
    processes = [in_process(compute_once, tmp_path / "store", tmp_path / "log") for _ in range(3)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert (tmp_path / "log").read_text() == "computed\n"
    assert Store(tmp_path / "store").has(KEY)


@pytest.mark.parametrize("make", [tokens, outputs])
def test_waiting_for_another_process_is_said_and_can_be_given_up(tmp_path, make, monkeypatch):
    monkeypatch.setattr("acclimate.locks.POLL", 0.01)
    monkeypatch.setattr("acclimate.locks.SAY_AFTER", 0.0)
    said = []

    def poll():
        if said:
            raise Interrupted("asked to stop")

    with locked(tmp_path / "cache.lock"), pytest.raises(Interrupted):
        make(tmp_path / "cache", patience=Patience(said.append, poll))
    assert said == ["waiting for another acclimate process, which is writing cache"]


def test_a_second_process_on_one_study_is_refused_and_the_first_goes_on(world):
    said = []

    def say(line):
        said.append(line)
        if "stages for" in line:
            with pytest.raises(StoreError, match=r"\.lock: another acclimate process is using this; wait for it, or choose another"):
                run_study(study("train.jsonl"), world, options)

    options = Options(world / "out", world / "store", engine="inline", threads=1, say=say)
    assert run_study(study("train.jsonl"), world, options).failed == 0
    assert len([line for line in said if "stages for" in line]) == 1
