"""A study whose processes are killed or told to stop, and that the same command goes on with."""

import json
import os
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.measured(0)

OPTIONS = ("--checkpoint-seconds", "0", "--threads", "1")
KILLED = """forgetting: false
base: {world}/model
data:
  domain: {world}/domain.jsonl
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 1
recipes:
  fine-tune: [finetune: {{ lr: 5e-3, epochs: 4, min_steps: 0 }}]
  DAPT:
    - pretrain: {{ corpus: domain, tokens: 12_000, batch_tokens: 512, lr: 5e-3, patience: null }}
    - finetune: {{ lr: 5e-3, epochs: 2, min_steps: 0 }}
  top: [finetune: {{ train: 1, lr: 5e-3, epochs: 3, min_steps: 0 }}]
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


@pytest.fixture
def straight(acclimate, write_study, tmp_path_factory):
    """The folder of the study when nothing stopped it."""
    folder = tmp_path_factory.mktemp("straight")
    assert acclimate("study", write_study(folder, KILLED), *OPTIONS, "--engine", "inline").returncode == 0
    return folder


# The command, whose worker stops it as soon as so many states of training are saved.
PROGRAM = """
import os

if __name__ == "__main__":
    from contextlib import nullcontext

    from acclimate.cli import main
    from acclimate.study.engines import local

    local._script = nullcontext  # as for a script that defines stages of its own: the worker runs it, too
    os.environ["STUDY"] = str(os.getpid())
    main()
else:  # the worker, which imports the program that started it
    from acclimate.training.checkpoint import Checkpoints

    save_all, left = Checkpoints.save, int(os.environ["SAVES"])

    def save(*what):
        global left
        save_all(*what)
        left -= 1
        if left == 0:
            os.kill(int(os.environ["STUDY"]), int(os.environ["SIGNAL"]))

    Checkpoints.save = save
"""


# How it is stopped, and after how many saved states of the process that is stopped.
STOPS = ((signal.SIGTERM, 14), (signal.SIGKILL, 30))


@pytest.mark.slow
def test_a_study_stopped_at_several_points_ends_bitwise_equal_and_does_nothing_twice(acclimate, straight, write_study, tmp_path):
    study, program, work = write_study(tmp_path, KILLED), tmp_path / "program.py", tmp_path / ".acclimate" / "work"
    program.write_text(PROGRAM)
    for number, saves in STOPS:
        before = {key: record["created"] for key, record in artifacts(tmp_path).items()}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "SAVES": str(saves), "SIGNAL": str(int(number))}
        command = [sys.executable, program, "study", study, *OPTIONS]
        # Its errors end when the worker, which has the same, is gone, too.
        process = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
        assert process.returncode == (-9 if number == signal.SIGKILL else 130), process.stderr
        saved = _saved_steps(work)
        assert {key: record["created"] for key, record in artifacts(tmp_path).items()}.items() >= before.items()
        assert saved, "a stopped stage keeps its state"
    last = acclimate("study", study, *OPTIONS, "--engine", "inline")
    assert last.returncode == 0, last.stderr
    for step in saved.values():
        assert f"going on after step {step} of" in last.stderr
    assert measured(tmp_path) == measured(straight)


def _saved_steps(work):
    """The newest step of every training that is not finished; the state before it is kept as well, should that one be damaged."""
    newest = {}
    for path in work.glob("*/*/state-*/state.json"):
        state = json.loads(path.read_text())
        newest[path.parents[1]] = max(newest.get(path.parents[1], state), state, key=lambda each: each["step"])
    return {training: state["step"] for training, state in newest.items() if not state["finished"]}
