"""Watching a study by its status file alone."""

import threading
import time
from dataclasses import replace

import pytest

from acclimate.cli import watch as watch_module
from acclimate.cli.watch import watch
from acclimate.errors import StoreError
from acclimate.study.watch.status import Process, StageStatus, Status, write_status

STAGES = (StageStatus("a" * 64, None, "read the base", 2, "done", 1.0), StageStatus("b" * 64, "a" * 64, "finetune", 1, "running", 2.0))


def running(**others):
    return replace(Status("study", "running", time.time() - 60, time.time(), STAGES, process=Process.this()), **others)


def test_once_shows_how_a_running_study_stands(tmp_path, capsys):
    write_status(tmp_path, running())
    assert watch(tmp_path, once=True) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == ["✓ done     read the base (2 recipes)  1.0 s", "└─ ▶ running  finetune  2.0 s"]
    assert shown[2:] == ["study: 1 of 2 stages done, 1 running", "1 min 00 s so far, estimating the time left"]


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        ({"state": "finished"}, 0, "finished"),
        ({"state": "finished", "exit_code": 1}, 1, "the report says why"),
        ({"state": "interrupted", "exit_code": 130}, 130, "the same command continues"),
        ({"state": "failed", "exit_code": 2, "error": "no such file"}, 2, "failed: no such file"),
    ],
    ids=["finished", "with failed runs", "interrupted", "failed"],
)
@pytest.mark.parametrize("once", [True, False])
def test_how_a_study_ended_is_said_and_is_the_exit_code(tmp_path, capsys, ending, code, said, once):
    write_status(tmp_path, running(process=None, **ending))
    assert watch(tmp_path, once) == code
    assert said in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("once", [True, False])
def test_a_study_that_died_is_not_shown_as_running_on(tmp_path, capsys, once):
    gone = replace(Process.this(), started=1.0)  # another process has its number now
    write_status(tmp_path, running(process=gone, updated=time.time() - 300))
    assert watch(tmp_path, once) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("died without finishing: process ")
    assert "last heard of 5 min 00 s ago" in last


def test_a_living_study_that_says_nothing_may_be_suspended(tmp_path, capsys):
    write_status(tmp_path, running(updated=time.time() - 30))
    assert watch(tmp_path, once=True) == 0
    assert "not heard of for 30 s" in capsys.readouterr().out


def test_watching_follows_the_file_until_the_end_and_says_each_change_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(watch_module, "LOOK", 0.02)
    write_status(tmp_path, running())

    def go_on():
        time.sleep(0.3)
        done = (STAGES[0], replace(STAGES[1], state="done"))
        write_status(tmp_path, running(state="finished", stages=done, process=None))

    thread = threading.Thread(target=go_on)
    thread.start()
    assert watch(tmp_path) == 0
    thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["+ done: read the base", "> running: finetune", "+ done: finetune"]
    assert lines[-1] == "finished"


def test_ctrl_c_ends_the_watching_and_not_the_study(tmp_path, capsys, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    write_status(tmp_path, running())
    monkeypatch.setattr(watch_module.time, "sleep", interrupted)
    assert watch(tmp_path) == 130
    assert "the study runs on" in capsys.readouterr().err


def test_a_folder_where_no_study_ran_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="no study has run here"):
        watch(tmp_path)
