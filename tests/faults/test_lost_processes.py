"""A worker, a parent or a rank that is lost stops nothing else, and nothing of it lives on."""

import json
import os
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file
from tests.faults.program import started, wait_for
from tests.study.performers import Diary, job
from tests.study.test_torchrun import PROGRAM

from acclimate.files import read_json
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


LOST = """
import os
import signal

from acclimate.training import loop

do_whole, seen = loop._Training._do, []


def do(*what):
    seen.append(what)
    if len(seen) == 10 and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    do_whole(*what)


loop._Training._do = do
"""
STUDY = """forgetting: false
base: {world}/model
data:
  domain: {world}/domain.jsonl
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 1
recipes:
  DAPT: [pretrain: {{ tokens: 6000, batch_tokens: 512, lr: 5e-3 }}, finetune: {{ epochs: 1, min_steps: 0, dropout: 0.0 }}]
"""


def test_a_rank_that_is_lost_ends_the_others_and_the_same_command_goes_on(acclimate, write_study, tmp_path):
    """Under torchrun, which ends what is left of them; none waits for ever in an exchange of gradients."""
    study, options = write_study(tmp_path, STUDY), ("--checkpoint-seconds", "0")
    program = PROGRAM.replace("\n\ndef work", f"{LOST}\n\ndef work")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    commands = json.dumps([["study", str(study), *options, "--store", "two"]])
    lost = subprocess.run([sys.executable, "-c", program, commands], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert lost.returncode != 0
    assert "SIGKILL" in lost.stderr
    ended = {}
    for store, said in (("two", "going on after step 8 of"), ("one", "")):
        done = acclimate("study", study, *options, "--store", store, "--engine", "inline", "--threads", 1, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert said in done.stderr
        records = [path for path in (tmp_path / store).glob("artifacts/*/stage.json") if read_json(path)["stage"]["stage"] == "finetune"]
        ended[store] = load_file(records[0].parent / "model" / "model.safetensors")
    for name, tensor in ended["one"].items():
        # Sums of two processes are added in another order.
        assert (tensor - ended["two"][name]).abs().max() < 1e-3, name
