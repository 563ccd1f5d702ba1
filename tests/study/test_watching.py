"""A study on a real terminal and under the eyes of another process."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from acclimate.study.watch.status import STILLNESS, read_status, write_status

COMMAND = [sys.executable, "-m", "acclimate"]
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


def environment(**changes):
    base = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    return {**base, "OMP_NUM_THREADS": "1", "TERM": "xterm-256color", "PYTHONUTF8": "1", **changes}


class Terminal:
    """A command whose standard error is a terminal of 100 columns and 30 lines, and whose standard output is a pipe."""

    def __init__(self, command, **changes):
        ours, theirs = pty.openpty()
        size = {"COLUMNS": "100", "LINES": "30"}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment(**size, **changes), start_new_session=True
        )
        os.close(theirs)
        self._ours, self.shown = ours, ""

    def until(self, wanted):
        """Read until this is shown; without a deadline, as only a study that ends shows nothing more."""
        while wanted not in self.shown and self._more():
            pass
        return wanted in self.shown

    def end(self):
        self.until("\0 never")
        out = self.process.communicate()[0].decode()
        os.close(self._ours)
        return self.process.returncode, out

    def _more(self):
        ready, _, _ = select.select([self._ours], [], [], 0.2)
        if not ready:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


def test_a_terminal_shows_the_graph_while_it_runs_and_is_clean_afterwards_and_another_process_can_watch(write_study, tmp_path):
    study = write_study(tmp_path, STUDY)
    terminal = Terminal([*COMMAND, "study", study])
    assert terminal.until("waiting")
    watcher = subprocess.Popen([*COMMAND, "watch", study], env=environment(), stdout=subprocess.PIPE, text=True)
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
    assert {code for code in COLOUR.findall(terminal.shown) if code not in ("\x1b[0m", "\x1b[1m", "\x1b[2m")} == set()
    terminal.process.send_signal(signal.SIGINT)
    code, _ = terminal.end()
    assert code == 130
    assert terminal.shown.rfind(CURSOR_ON) > terminal.shown.rfind(CURSOR_OFF)
    assert "the same command continues" in terminal.shown.rpartition(CURSOR_ON)[2]
    status = read_status(tmp_path / "results" / "study")
    assert (status.state, status.exit_code) == ("interrupted", 130)
    shown = acclimate("watch", study, "--once")
    assert shown.returncode == 130
    assert "interrupted fine-tune, seed 0: finetune" in shown.stdout


def test_a_dumb_terminal_gets_plain_lines_and_a_study_that_was_killed_is_said_to_have_died(acclimate, write_study, tmp_path):
    study = write_study(tmp_path, LONG)
    terminal = Terminal([*COMMAND, "study", study], TERM="dumb")
    assert terminal.until("done: fine-tune: read the base")
    _wait_for_step(terminal, tmp_path / "results" / "study")
    alive = acclimate("watch", study, "--once")
    assert alive.returncode == 0
    assert re.search(r"running  fine-tune, seed 0: finetune  step \d+/", alive.stdout)
    assert "\x1b" not in alive.stdout
    terminal.process.kill()
    terminal.end()
    assert "\x1b" not in terminal.shown
    # As it stands a while later: a file that was written a moment ago counts for more than a process that cannot be found.
    status = read_status(tmp_path / "results" / "study")
    write_status(tmp_path / "results" / "study", replace(status, updated=status.updated - 2 * STILLNESS))
    for options in ([], ["--once"]):
        dead = acclimate("watch", study, *options)
        assert dead.returncode == 1
        assert "died without finishing" in dead.stdout.splitlines()[-1]


def _wait_for_step(terminal, out):
    while not any(stage.progress is not None and stage.progress.step for stage in read_status(out).stages):
        assert terminal.process.poll() is None, "no step was ever told of"
        time.sleep(0.2)


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
