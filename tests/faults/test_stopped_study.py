"""A study whose processes are killed or told to stop, and that the same command goes on with."""

import itertools
import json
import os
import signal
import sys
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from tests.study.terminal import Terminal

from acclimate.study.watch.status import STILLNESS, read_status, write_status
from acclimate.training.checkpoint import Checkpoints

pytestmark = [pytest.mark.measured(0), pytest.mark.slow]

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


# The command, whose worker kills it as soon as so many states of training are saved.
PROGRAM = """
import os
import signal

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

    def save(*what, **writes):
        global left
        save_all(*what, **writes)
        left -= 1
        if left == 0:
            os.kill(int(os.environ["STUDY"]), signal.SIGKILL)

    Checkpoints.save = save
"""


# After so many saved states of its process, both times before the weights that are chosen in the end: a fault behind them is never seen.
STOPPED_AT, KILLED_AT = 4, 30


def test_a_study_stopped_at_several_points_ends_bitwise_equal_and_does_nothing_twice(
    acclimate, straight, write_study, tmp_path, monkeypatch
):
    study, out, work = write_study(tmp_path, KILLED), tmp_path / "results" / "study", tmp_path / ".acclimate" / "work"
    with monkeypatch.context() as patch:
        saves, save = itertools.count(1), Checkpoints.save

        def save_and_stop(*what, **writes):
            save(*what, **writes)
            if next(saves) == STOPPED_AT:
                os.kill(os.getpid(), signal.SIGTERM)

        patch.setattr(Checkpoints, "save", save_and_stop)
        stopped = acclimate("study", study, *OPTIONS, "--engine", "inline")
    assert stopped.returncode == 130, stopped.stderr
    assert _saved_steps(work), "a stopped stage keeps its state"
    before = {key: record["created"] for key, record in artifacts(tmp_path).items()}

    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    terminal = Terminal([sys.executable, program, "study", study, *OPTIONS], TERM="dumb", SAVES=str(KILLED_AT))
    code, _ = terminal.end()
    assert code == -signal.SIGKILL, terminal.shown
    assert "done: " in terminal.shown
    assert "\x1b" not in terminal.shown
    saved = _saved_steps(work)
    assert {key: record["created"] for key, record in artifacts(tmp_path).items()}.items() > before.items()
    assert saved, "so does one that was killed"
    # As it stands a while later: a file that was written a moment ago counts for more than a process that cannot be found.
    status = read_status(out)
    write_status(out, replace(status, updated=status.updated - 2 * STILLNESS))
    for options in ([], ["--once"]):
        dead = acclimate("watch", study, *options)
        assert dead.returncode == 1
        assert "died without finishing" in dead.stdout.splitlines()[-1]

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
