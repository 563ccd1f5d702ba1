"""A study on a real terminal and under the eyes of another process."""

import re
import signal
import subprocess
import sys

import pytest

from acclimate.study.watch.status import read_status

from .terminal import Terminal, environment

# The command, but for the report at its end, which loads much and is not looked at.
PROGRAM = """
from acclimate.cli import main
from acclimate.report import publish

publish.publish = lambda folder: folder / "report.html"
main()
"""
COMMAND = [sys.executable, "-c", PROGRAM]
STUDY = """forgetting: false
base: {world}/model
data:
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 1
recipes:
  fine-tune: [finetune: {{ lr: 1e-2, epochs: 30, min_steps: 0, patience: null }}]
  head: [finetune: {{ train: head, epochs: 2, min_steps: 0 }}]
"""
LONG = STUDY.replace("epochs: 30", "epochs: 30_000")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CURSOR_OFF, CURSOR_ON = "\x1b[?25l", "\x1b[?25h"


def test_a_terminal_shows_the_graph_while_it_runs_and_is_clean_afterwards_and_another_process_can_watch(write_study, tmp_path):
    study = write_study(tmp_path, STUDY)
    terminal = Terminal([*COMMAND, "study", study])
    assert terminal.until("waiting")
    watcher = subprocess.Popen([sys.executable, "-m", "acclimate", "watch", study], env=environment(), stdout=subprocess.PIPE, text=True)
    code, out = terminal.end()
    assert code == 0, terminal.shown
    for said in (
        "▶ running  fine-tune, seed 0: finetune",
        "├─ ",
        "fine-tune: read the base model (2 recipes)",
        "loss ",
        "tokens/s",
        "stages done",
    ):
        assert said in COLOUR.sub("", terminal.shown), said
    assert "done: head, seed 0: finetune" in terminal.shown  # what today's lines said is still said, above the view
    assert COLOUR.search(terminal.shown)
    assert terminal.shown.rfind(CURSOR_ON) > terminal.shown.rfind(CURSOR_OFF)
    # What a view leaves is wiped out line by line; only lines stay behind.
    assert "stages done" not in terminal.shown.rpartition(CURSOR_ON)[2]
    assert "Report: " in out
    assert "\x1b" not in out
    watched = watcher.communicate()[0]
    assert watcher.returncode == 0
    assert "+ done: head, seed 0: finetune" in watched
    assert watched.splitlines()[-1] == "finished"


def test_without_colour_nothing_is_coloured_and_ctrl_c_leaves_a_clean_terminal(acclimate, write_study, tmp_path):
    study = write_study(tmp_path, LONG)
    terminal = Terminal([*COMMAND, "study", study], NO_COLOR="1")
    assert terminal.until("tokens/s")
    out = tmp_path / "results" / "study"
    assert terminal.until(lambda: any(stage.progress is not None and stage.progress.step for stage in read_status(out).stages))
    alive = acclimate("watch", study, "--once")
    assert alive.returncode == 0
    assert re.search(r"running  fine-tune, seed 0: finetune  step \d+/", alive.stdout)
    assert "\x1b" not in alive.stdout
    assert {code for code in COLOUR.findall(terminal.shown) if code not in ("\x1b[0m", "\x1b[1m", "\x1b[2m")} == set()
    terminal.process.send_signal(signal.SIGINT)
    code, _ = terminal.end()
    assert code == 130
    assert terminal.shown.rfind(CURSOR_ON) > terminal.shown.rfind(CURSOR_OFF)
    assert "the same command continues" in terminal.shown.rpartition(CURSOR_ON)[2]
    status = read_status(out)
    assert (status.state, status.exit_code) == ("interrupted", 130)
    shown = acclimate("watch", study, "--once")
    assert shown.returncode == 130
    assert "interrupted fine-tune, seed 0: finetune" in shown.stdout
    assert list((tmp_path / ".acclimate" / "work").glob("*/*/state-*/state.json")), "what the worker had learned is kept"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "which study?"), (["--out", "nowhere"], "no study has run here"), (["missing.yaml"], "missing.yaml")],
    ids=["nothing named", "nothing ran", "no such file"],
)
def test_watching_nothing_is_an_error_in_a_line(acclimate, tmp_path, arguments, said):
    process = acclimate("watch", *arguments, folder=tmp_path)
    assert process.returncode == 2
    assert said in process.stderr
    assert len(process.stderr.splitlines()) == 1
