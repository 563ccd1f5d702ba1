"""What is told about steps: lines now and then, and values that do not cost a step anything."""

import pickle

import pytest

from acclimate.training import progress
from acclimate.training.progress import Lines, Messages, Progress, Sending


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test sets it."""
    times = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: times[0])
    return times


def train(reporter, clock, steps=10, first=0, seconds=1.0):
    reporter.start("toy", steps, first)
    for step in range(first + 1, steps + 1):
        clock[0] += seconds
        reporter.step(step, 1234.5, 0.5)
    reporter.close()


def test_lines_come_every_so_often_and_at_the_end(clock):
    lines = []
    train(Lines(lines.append, every=4.0), clock)
    assert lines == [
        "toy: step 4/10  loss 0.5000  1,234 tokens/s  6 s left",
        "toy: step 8/10  loss 0.5000  1,234 tokens/s  2 s left",
        "toy: step 10/10  loss 0.5000  1,234 tokens/s  0 s left",
    ]


def test_beside_a_live_view_only_messages_are_written(clock):
    lines = []
    reporter = Messages(lines.append)
    train(reporter, clock, first=4)
    reporter.say("out of memory")
    assert lines == ["toy: going on after step 4 of 10", "out of memory"]


def test_values_are_sent_at_the_start_now_and_then_and_at_the_end(clock):
    lines, sent = [], []
    train(Sending(Messages(lines.append), sent.append, every=3.0), clock, first=4)
    assert [value.step for value in sent] == [4, 7, 10]
    assert sent[0] == Progress("toy", 4, 10, 4)
    assert sent[1] == Progress("toy", 7, 10, 4, 1234.5, 0.5, 3.0)
    assert lines == ["toy: going on after step 4 of 10"]
    assert pickle.loads(pickle.dumps(sent)) == sent  # noqa: S301 - what a pipe between processes does


def test_evaluations_go_with_the_next_value_and_none_is_lost_at_the_end(clock):
    sent = []
    reporter = Sending(Messages(), sent.append, every=3.0)
    reporter.start("toy", 4, 1)
    reporter.measured({"step": 1, "score": 0.1})  # of before an interrupt
    for step in (2, 3, 4):
        clock[0] += 1.0
        reporter.step(step, 1234.5, 0.5)
        clock[0] += 3.0 if step == 2 else 0.0  # an evaluation that takes long is told at once
        reporter.measured({"step": step, "score": step / 10})
    reporter.close()
    assert [(value.step, [line["step"] for line in value.measured]) for value in sent] == [(1, []), (1, [1, 2]), (4, [3]), (4, [4])]


def test_a_thousand_steps_a_second_send_two_values_a_second(clock):
    sent = []
    train(Sending(Messages(), sent.append, every=0.5), clock, steps=5000, seconds=0.001)
    assert len(sent) <= 2 + 10
