"""The status file: what is written is read again, and what is wrong with it is said."""

import json
import os
import subprocess
import sys
from dataclasses import fields, replace

import pytest

from acclimate.errors import StoreError
from acclimate.study.run import Options
from acclimate.study.watch.status import FILE, SILENCE, STILLNESS, Begun, Process, StageStatus, Status, read_status, write_status
from acclimate.training.progress import Progress

STATUS = Status(
    "study", "running", 1000.0, 1010.0,
    (
        StageStatus("a" * 64, None, "read the base", 2, "done", 1.5),
        StageStatus("b" * 64, "a" * 64, "finetune", 1, "running", 3.0, Progress("finetune", 3, 9, 0, 120.0, 0.5, 6.0)),
        StageStatus("c" * 64, "a" * 64, "pretrain", 1, "failed", 2.0, error="the loss is nan"),
    ),
    12.5,
)  # fmt: skip


def test_a_status_survives_its_file(tmp_path):
    status = replace(STATUS, process=Process.this())
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_folder_without_a_study_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"no study has run here .*--out"):
        read_status(tmp_path)
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(StoreError, match="acclimate report"):
        read_status(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "cannot be read"), ('{"version": 99}', "version 99"), ("[]", "version None"), ('{"version": 1}', "not the status of a study")],
)
def test_a_file_of_another_kind_is_refused(tmp_path, text, said):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StoreError, match=said):
        read_status(tmp_path)


@pytest.mark.parametrize("odd", [{"key": "../../secret"}, {"parent": "a" * 63}, {"beside": ("A" * 64,)}])
def test_a_key_that_is_none_is_a_damaged_file(tmp_path, odd):
    write_status(tmp_path, replace(STATUS, stages=(STATUS.stages[0], replace(STATUS.stages[1], **odd))))
    with pytest.raises(StoreError, match=r"\.status\.json: is damaged: '.*', at 'finetune', is no key of a stage; .* next run writes"):
        read_status(tmp_path)


def test_a_living_process_is_no_dead_study_however_long_it_is_silent():
    status = replace(STATUS, process=Process.this())
    assert not status.died(status.updated + 1e6)


def test_a_process_that_is_gone_is_a_dead_study_unless_it_said_that_it_ended():
    code = (
        "import json, dataclasses; from acclimate.study.watch.status import Process\nprint(json.dumps(dataclasses.asdict(Process.this())))"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    gone = Process(**json.loads(shown))
    later = STATUS.updated + 2 * STILLNESS
    assert replace(STATUS, process=gone).died(later)
    assert not replace(STATUS, process=gone, state="interrupted").died(later)
    # Somebody has just written the file: another container may have the same name and other processes.
    assert not replace(STATUS, process=gone).died(STATUS.updated + 1)


def test_another_process_with_the_same_number_is_not_the_study():
    reused = replace(Process.this(), started=Process.this().started - 3600)
    assert reused.pid == os.getpid()
    assert replace(STATUS, process=reused).died(STATUS.updated + 2 * STILLNESS)


def test_a_study_on_another_machine_is_dead_when_it_has_long_been_silent():
    status = replace(STATUS, process=replace(Process.this(), host="elsewhere"))
    assert not status.died(status.updated + SILENCE / 2)
    assert status.died(status.updated + 2 * SILENCE)
    # Its clock may run behind ours: a file that was just seen to change has a writer.
    assert not status.died(status.updated + 2 * SILENCE, seen_alive=True)


def test_every_option_of_a_study_is_kept_for_who_goes_on_with_it_or_is_none_of_theirs():
    elsewhere = {"out", "checkpoint_seconds", "command", "allow_code", "track", "publish", "say", "live"}
    assert {each.name for each in fields(Options)} == {each.name for each in fields(Begun)} | elsewhere
    assert Begun("s3://a", devices=2, fsdp=True).options == {"--store": "s3://a", "--devices": "2", "--fsdp": ""}
