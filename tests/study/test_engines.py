"""The engines, with performers that fail in every way a stage can."""

import sys
from types import ModuleType

import pytest
from tests.study.performers import Diary, done, job

from acclimate.errors import DataError, SettingsError
from acclimate.study import run
from acclimate.study.engines import local
from acclimate.study.engines.inline import Inline
from acclimate.study.engines.local import Local, threads_each, workers_on_a_device
from acclimate.study.language.study import parse_study
from acclimate.training.progress import Progress

pytestmark = pytest.mark.usefixtures("measured_processes")


@pytest.mark.parametrize("engine", [Inline(), Local(1), Local(2)], ids=["inline", "one process", "two processes"])
def test_parents_come_first_and_a_failure_stops_only_what_needs_it(tmp_path, engine):
    jobs = [job("a"), job("b", "a", "fail"), job("c", "b"), job("d", "ec"), job("e", "a"), job("f"), job("g", "af")]
    lines = []
    reports = engine.run(jobs, Diary(tmp_path / "diary"), lines.append)
    assert {key: report.status for key, report in reports.items()} == {
        "a": "done", "b": "failed", "c": "failed", "d": "failed", "e": "done", "f": "done", "g": "done",
    }  # fmt: skip
    assert "needs 'job b', which failed: it did not work" in reports["c"].error
    order = done(tmp_path)
    assert sorted(order) == ["a", "b", "e", "f", "g"]
    assert order.index("a") < min(order.index("b"), order.index("e"))
    assert order.index("g") > max(order.index("a"), order.index("f"))
    assert len(lines) == len(jobs)


def test_workers_work_at_the_same_time(tmp_path):
    # Each waits for the other one's line: one after the other they would wait in vain.
    jobs = [job("a", "", "meet"), job("b", "", "meet")]
    reports = Local(2).run(jobs, Diary(tmp_path / "diary"), lambda _: None)
    assert [reports[key].status for key in "ab"] == ["done", "done"]


@pytest.mark.parametrize(
    ("workers", "threads", "gpus", "each"),
    [(2, None, 0, 2), (3, None, 0, 1), (8, None, 0, 1), (2, 5, 0, 5), (None, None, 0, None), (2, None, 1, None)],
)
def test_workers_on_a_cpu_share_its_threads(workers, threads, gpus, each, monkeypatch):
    monkeypatch.setattr(local.os, "sched_getaffinity", lambda _: range(5), raising=False)
    monkeypatch.setattr(local, "gpu_count", lambda: gpus)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads_each(workers, threads) == each


def test_workers_share_no_more_threads_than_the_environment_allows(monkeypatch):
    monkeypatch.setattr(local.os, "sched_getaffinity", lambda _: range(64), raising=False)
    monkeypatch.setattr(local, "gpu_count", lambda: 0)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert threads_each(2, None) == 2


@pytest.mark.parametrize(("workers", "gpus", "together"), [(None, 0, 1), (3, 0, 3), (3, 1, 3), (3, 2, 2), (None, 8, 1)])
def test_workers_on_one_device_share_its_memory(workers, gpus, together, monkeypatch):
    monkeypatch.setattr(local, "gpu_count", lambda: gpus)
    assert workers_on_a_device(workers) == together


def test_one_process_cannot_be_several_workers():
    assert Inline(1)
    with pytest.raises(SettingsError, match="2 workers: everything is done in one process here"):
        Inline(2)


class Log:
    """A watcher that writes down what it is told."""

    def __init__(self, owns_terminal=False):
        self.owns_terminal, self.told = owns_terminal, []

    def began(self, key):
        self.told.append(("began", key))

    def progress(self, key, progress):
        self.told.append((progress, key))

    def lost(self, key, why):
        self.told.append(("lost", key))

    def ended(self, report):
        self.told.append((report.status, report.key))


@pytest.mark.parametrize("engine", [Inline(), Local(1)], ids=["inline", "one process"])
def test_a_watcher_is_told_what_becomes_of_each_job_and_how_far_it_is(tmp_path, engine):
    log = Log()
    engine.run([job("a", "", "tell"), job("b", "a", "fail"), job("c", "b")], Diary(tmp_path / "diary"), lambda _: None, log)
    steps = [(Progress("title a", step, 2), "a") for step in range(3)]
    assert log.told == [("began", "a"), *steps, ("done", "a"), ("began", "b"), ("failed", "b"), ("failed", "c")]


def test_two_processes_tell_of_their_own_jobs(tmp_path):
    log = Log()
    Local(2).run([job(key, "", "tell") for key in "abcd"], Diary(tmp_path / "diary"), lambda _: None, log)
    for key in "abcd":
        own = [what for what, whose in log.told if whose == key]
        assert own == ["began", *(Progress(f"title {key}", step, 2) for step in range(3)), "done"]


def test_beside_a_live_view_what_workers_print_is_said_a_line_at_a_time(tmp_path, capfd):
    lines = []
    Local(1).run([job("a", "", "print"), job("b")], Diary(tmp_path / "diary"), lines.append, Log(owns_terminal=True))
    assert sorted(lines) == sorted(["to standard output", "to standard \ufffd error", "without an end", "done: job a", "done: job b"])
    assert capfd.readouterr() == ("", "")


def test_otherwise_workers_print_on_standard_error_and_leave_standard_output_to_the_results(tmp_path, capfd):
    lines = []
    Local(1).run([job("a", "", "print")], Diary(tmp_path / "diary"), lines.append, Log())
    out, err = capfd.readouterr()
    assert (out, lines) == ("", ["done: job a"])
    assert "to standard output" in err
    assert "without an end" in err


def test_each_worker_takes_a_gpu_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    Local(2).run([job("a", payload="device"), job("b", payload="device")], Diary(tmp_path / "diary"), print)
    assert sorted(done(tmp_path)) == ["a", "b", "on-3", "on-5"]


def test_workers_run_the_script_that_runs_the_study_again_only_for_what_it_defines(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text(f"class Own: pass\nwith open({str(tmp_path / 'runs')!r}, 'a') as file: file.write('x')\n")
    main = ModuleType("__main__")
    main.__file__ = str(script)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert Local(1).run([job("a")], Diary(tmp_path / "diary"), print)["a"].status == "done"
    assert not (tmp_path / "runs").exists()
    main.Own = type("Own", (), {"__module__": "__main__"})
    assert Local(1).run([job("b", payload=main.Own())], Diary(tmp_path / "diary"), print)["b"].status == "done"
    assert (tmp_path / "runs").read_text() == "x"
    assert sys.modules["__main__"] is main


def test_an_engine_is_let_go_of_when_the_study_ends_before_it_runs(tmp_path, monkeypatch):
    closed = []

    class Held(Inline):
        def close(self):
            closed.append("cluster")

    monkeypatch.setattr(run, "engine_for", lambda options: Held())
    study = parse_study({"name": "s", "data": {"task": {"path": "none.jsonl"}}, "recipes": {"a": {"base": "majority"}}})
    with pytest.raises(DataError, match=r"none\.jsonl"):
        run.run_study(study, tmp_path, run.Options(out=tmp_path / "out", store=tmp_path / "store", say=lambda line: None))
    assert closed == ["cluster"]
