"""The view of a study: everything where there is room, what matters where there is not, and never more than the terminal has."""

import io
import re

import pytest
from rich.console import Console

from acclimate.cli.live import Frame, stage_lines
from acclimate.report.words.watched import SIGNS, summary
from acclimate.study.watch.status import StageStatus, Status
from acclimate.training.progress import Progress


def stage(key, parent=None, state="waiting", recipes=1, **others):
    return StageStatus(key, parent, f"stage {key}", recipes, state, **others)


def status(*stages, **others):
    return Status("study", others.pop("state", "running"), 1000.0, 1125.0, stages, **others)


def large(seeds=60, failed=3, running=2):
    """A base, a pretraining and its fine-tunings: a few of each budget run or failed."""
    stages = [stage("base", state="done", recipes=9), stage("pretrain", "base", "done", 4)]
    for budget in range(5):
        for seed in range(seeds):
            state = "failed" if budget == 1 and seed < failed else "running" if budget == 3 and seed < running else "waiting"
            stages.append(stage(f"{budget}.{seed}", "pretrain" if budget % 2 else "base", state, error="no" if state == "failed" else ""))
    return tuple(stages)


def drawn(frame, height=24, width=100, encoding="utf-8"):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=file, width=width, height=height, color_system=None).print(frame)
    file.flush()
    return raw.getvalue().decode(encoding).splitlines()


def test_a_small_study_is_shown_whole_each_stage_under_its_parent_and_what_is_shared_once():
    progress = Progress("stage b", 12, 60, 0, 4500.0, 1.25, 30.0)
    frame = Frame(
        status(
            stage("a", state="cached", recipes=4),
            stage("b", "a", "running", seconds=8.0, progress=progress),
            stage("c", "b", beside=("e",)),
            stage("d", "a", "failed", error="the loss is nan"),
            stage("e", state="done", seconds=200.0),
            seconds_left=600.0,
        )
    )
    assert drawn(frame) == [
        "≡ cached   stage a (4 recipes)",
        "├─ ▶ running  stage b  step 12/60  loss 1.2500  4,500 tokens/s  30 s left",
        "│  └─ ○ waiting  stage c (beside stage e)",
        "└─ ✗ failed   stage d  the loss is nan",
        "✓ done     stage e  3 min 20 s",
        "study: 2 of 5 stages done, 1 of them cached, 1 running, 1 waiting, 1 failed",
        "2 min 05 s so far, about 10 min 00 s left",
    ]


def test_every_state_has_a_sign_and_a_word_also_without_unicode():
    for state, (sign, plain, _) in SIGNS.items():
        for encoding, shown in (("utf-8", sign), ("ascii", plain)):
            (line,) = drawn(Frame(status(stage("a", state=state))), encoding=encoding)[:-2]
            assert line.startswith(f"{shown} {state}")
    assert len({sign for sign, _, _ in SIGNS.values()}) == len({plain for _, plain, _ in SIGNS.values()}) == len(SIGNS)


@pytest.mark.parametrize("height", [3, 5, 8, 12, 24, 50, 400])
@pytest.mark.parametrize("width", [20, 60, 160])
@pytest.mark.parametrize("stages", [large(), large(failed=60, running=16), large(failed=0, running=1)], ids=["few", "many", "one"])
def test_a_frame_never_has_more_lines_or_columns_than_the_terminal(stages, height, width):
    lines = drawn(Frame(status(*stages), note="a note" if height > 3 else ""), height, width)
    assert len(lines) < max(height, 4)
    assert max(map(len, lines)) <= width


def test_what_runs_and_what_failed_stays_in_sight_in_a_large_study_and_the_rest_is_counted():
    lines = drawn(Frame(status(*large())), height=24)
    text = "\n".join(lines)
    for key in ("1.0", "1.1", "1.2", "3.0", "3.1"):
        assert re.search(rf"(running|failed)\s+stage {re.escape(key)}\b", text)
    assert "✓ done     stage base (9 recipes)" in text  # what they are made from
    counted = sum(int(count) for count in re.findall(r"(\d+) waiting", "\n".join(lines[:-2])))
    assert counted == 5 * 60 - 5


def test_where_even_that_is_too_much_what_runs_comes_first_and_nothing_is_left_uncounted():
    stages = large(failed=60, running=16)
    lines = [line.plain for line in stage_lines(stages, 20, 100)]
    assert len(lines) == 20
    assert sum("▶ running" in line for line in lines[:-1]) == 16
    assert lines[-1] == "… ✗ 57 failed, ○ 224 waiting, ✓ 2 done"
    assert len(stages) == 57 + 224 + 2 + 19


def test_a_long_title_gives_way_to_the_numbers():
    long = StageStatus("a", None, "a very long name " * 10, 1, "running", 1.0, Progress("a very long name " * 10, 1, 2, 0, 10.0, 0.5, 3.0))
    (line, *_) = drawn(Frame(status(long)), width=80)
    assert line.endswith("…  step 1/2  loss 0.5000  10 tokens/s  3.0 s left")


def test_a_part_of_a_stage_is_named():
    part = Progress("stage a: frozen layers", 300, 900, 0, 10.0)
    (line, *_) = drawn(Frame(status(stage("a", state="running", progress=part))))
    assert "frozen layers 300/900" in line


def test_the_time_left_is_said_when_it_is_known_and_not_before():
    assert summary(status(stage("a")))[1] == "2 min 05 s so far, estimating the time left"
    assert summary(status(stage("a"), state="finished"))[1] == "2 min 05 s so far"
    assert summary(status(state="preparing")) == ["study: preparing (reading the data, making the plan)  2 min 05 s"]
