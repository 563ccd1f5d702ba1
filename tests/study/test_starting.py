"""How workers are started: several are copies of a process that has loaded what they use, where that is safe."""

import importlib.util
import os
import sys
from multiprocessing import forkserver
from pathlib import Path

import pytest
from tests.study.performers import RARE, Diary, done, job

from acclimate.study.engines import starting as starting_module
from acclimate.study.engines.local import Local
from acclimate.study.engines.starting import starting, surroundings
from acclimate.study.worker import WorkerSetup
from acclimate.tasks.opened import DataSettings

pytestmark = pytest.mark.usefixtures("measured_processes")


@pytest.mark.parametrize("workers", [1, 2])
def test_several_workers_are_copies_of_one_that_has_loaded_what_they_use_and_it_ends_with_them(tmp_path, workers):
    setup = Diary(tmp_path / "diary", preload=(RARE,))
    # The second is replaced after its crash, by a copy as well.
    jobs = [job("a", "", "loaded"), job("b", "", "crash"), job("c", "", "loaded"), job("d", "", "loaded")]
    reports = Local(workers).run(jobs, setup, lambda _: None)
    assert [reports[key].status for key in "abcd"] == ["done", "failed", "done", "done"]
    assert "SIGKILL" in reports["b"].error
    copies = workers > 1 and sys.platform == "linux"
    assert done(tmp_path).count(f"loaded-{copies}") == 3
    assert forkserver._forkserver._forkserver_pid is None


@pytest.mark.parametrize(
    ("workers", "preload", "gpus", "platform"), [(1, "x", 0, "linux"), (2, "", 0, "linux"), (2, "x", 1, "linux"), (2, "x", 0, "darwin")]
)
def test_alone_with_nothing_to_load_with_a_gpu_or_on_a_mac_each_starts_by_itself(monkeypatch, workers, preload, gpus, platform):
    monkeypatch.setattr(starting_module.sys, "platform", platform)
    with starting(workers, [*preload], gpus) as context:
        assert context.get_start_method() == "spawn"


def test_what_workers_load_first_is_there():
    setup = WorkerSetup(DataSettings(), Path(), Path(), {})
    assert setup.preload
    assert all(importlib.util.find_spec(name) for name in setup.preload)


def test_the_environment_is_changed_while_processes_start_alone_and_what_the_user_has_set_stays(monkeypatch):
    names = ("PYTHONSAFEPATH", "GOMP_SPINCOUNT")
    for name in (*names, "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    with surroundings():
        assert [os.environ[name] for name in names] == ["1", "1000"]
    assert not [name for name in names if name in os.environ]
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    with surroundings():
        assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    with surroundings():
        assert "GOMP_SPINCOUNT" not in os.environ
