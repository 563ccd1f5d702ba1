"""A worker, a parent or a rank that is lost stops nothing else, and nothing of it lives on."""

import time

import pytest
from tests.faults.program import started, wait_for
from tests.study.performers import Diary, job

from acclimate.study.engines.local import Local

pytestmark = pytest.mark.usefixtures("measured_processes")


def test_a_crash_of_one_process_does_not_stop_the_others(tmp_path):
    reports = Local(1).run([job("a", "", "crash"), job("b", "a"), job("c"), job("d", "c")], Diary(tmp_path / "diary"), lambda _: None)
    assert [reports[key].status for key in "abcd"] == ["failed", "failed", "done", "done"]
    assert "SIGKILL" in reports["a"].error


def test_workers_leave_when_the_parent_is_killed(tmp_path):
    process = started(tmp_path)
    wait_for(process, tmp_path / "diary", "b")
    import psutil

    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.kill()

    def gone(child):
        try:
            return child.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    while not all(map(gone, children)):
        time.sleep(0.05)
