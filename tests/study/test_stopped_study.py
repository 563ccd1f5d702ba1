"""A study whose processes are killed or told to stop, and that the same command goes on with."""

import json
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
OPTIONS = ("--checkpoint-seconds", "0", "--threads", "1")
KILLED = """
base: {world}/model
data:
  domain: {world}/domain.jsonl
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 2
recipes:
  fine-tune: [finetune: {{ lr: 5e-3, epochs: 12, min_steps: 0 }}]
  DAPT:
    - pretrain: {{ corpus: domain, tokens: 40_000, batch_tokens: 512, lr: 5e-3, patience: null }}
    - finetune: {{ lr: 5e-3, epochs: 4, min_steps: 0 }}
  top: [finetune: {{ train: 1, lr: 5e-3, epochs: 8, min_steps: 0 }}]
"""


def rows_of(out):
    return pq.read_table(out / "results.parquet").to_pylist()


def artifacts(folder):
    records = [json.loads(path.read_text()) for path in (folder / ".acclimate" / "artifacts").glob("*/stage.json")]
    return {record["key"]: record for record in records}


def measured(folder):
    out = folder / "results" / "study"
    weights = {name: {f: d for f, d in record["files"].items() if "safetensors" in f} for name, record in artifacts(folder).items()}
    scores = [{name: value for name, value in row.items() if name.startswith(("dev_", "test_", "tokens"))} for row in rows_of(out)]
    return weights, scores, pq.read_table(out / "predictions.parquet").to_pylist(), json.loads((out / "verdicts.json").read_text())


@pytest.fixture(scope="module")
def straight(acclimate, write_study, tmp_path_factory):
    """The folder of the study when nothing stopped it."""
    folder = tmp_path_factory.mktemp("straight")
    assert acclimate("study", write_study(folder, KILLED), *OPTIONS, "--engine", "inline").returncode == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "SIGTERM"])
def test_a_study_stopped_at_several_points_ends_bitwise_equal_and_does_nothing_twice(acclimate, straight, write_study, tmp_path, number):
    study = write_study(tmp_path, KILLED)
    work = tmp_path / ".acclimate" / "work"
    command = [sys.executable, "-m", "acclimate", "study", str(study), *OPTIONS]
    stops = 0
    for wanted in (2, 30, 45):  # steps after which some stage has saved
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True)
        before = {key: record["created"] for key, record in artifacts(tmp_path).items()}
        step = _wait_for_step(process, work, wanted)
        if step is None:
            break
        os.kill(process.pid, number)
        _, errors = process.communicate()
        assert process.returncode == (-9 if number == signal.SIGKILL else 130), errors
        stops += 1
        saved = _saved_steps(work)
        assert {key: record["created"] for key, record in artifacts(tmp_path).items()}.items() >= before.items()
        assert saved, "a stopped stage keeps its state"
    assert stops >= 2
    saved = _saved_steps(work)
    last = acclimate("study", study, *OPTIONS, "--engine", "inline")
    assert last.returncode == 0, last.stderr
    for step in saved.values():
        assert f"going on after step {step} of" in last.stderr
    assert measured(tmp_path) == measured(straight)


def _saved_steps(work):
    states = {path: json.loads(path.read_text()) for path in work.glob("*/*/state-*/state.json")}
    return {path: state["step"] for path, state in states.items() if not state["finished"]}


def _wait_for_step(process, work, wanted):
    while process.poll() is None:  # a study that ends before it comes so far is no stop
        try:
            steps = [step for step in _saved_steps(work).values() if step >= wanted]
        except (OSError, ValueError):  # replaced while we looked
            continue
        if steps:
            return steps[0]
        time.sleep(0.02)
    process.communicate()
    return None
