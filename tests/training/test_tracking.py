"""Trackers of accelerate's: what they are given, and that nothing they do reaches the training."""

import threading
from typing import ClassVar

import pytest
from accelerate import PartialState
from accelerate import tracking as accelerate_tracking
from accelerate.tracking import GeneralTracker

from acclimate.errors import MissingExtraError, SettingsError
from acclimate.training import tracking
from acclimate.training.tracking import TRACKERS, Trackers, Tracking, checked_trackers, repeated


@pytest.fixture
def fake(monkeypatch):
    """A tracker class that keeps what it is given, registered as accelerate does it, whose older versions lack the function."""
    PartialState(cpu=True)

    class Fake(GeneralTracker):
        name = "fake"
        requires_logging_directory = False
        made: ClassVar = []
        fail_in = ""

        def __init__(self, run_name, **_):
            super().__init__()
            self.project, self.calls, self.threads = run_name, [], set()
            Fake.made.append(self)

        @property
        def tracker(self):
            return self.calls

        def _note(self, what, *given):
            self.threads.add(threading.current_thread())
            if what == self.fail_in:
                raise RuntimeError("the server is gone\nand more")
            self.calls.append((what, *given))

        def start(self):
            self._note("start")

        def store_init_configuration(self, values):
            self._note("config", values)

        def log(self, values, step=None, **_):
            self._note("log", values, step)

        def finish(self):
            self._note("finish")

    monkeypatch.setitem(accelerate_tracking.LOGGER_TYPE_TO_CLASS, Fake.name, Fake)
    return Fake


def test_a_run_is_begun_configured_logged_and_finished_in_one_thread(fake, tmp_path):
    trackers = Trackers(Tracking(("fake",), "study", tmp_path), print)
    with trackers.run("a title", {"lr": 1e-3, "head": {"layers": 2}, "include": ["dev"], "none": None, "random": True}) as run:
        run.log({"step": 3, "loss": 0.5, "lr": 1e-4})
        run.measured({"test_f1": 0.9, "fresh": True, "name": "x", "nothing": None}, {"seconds": 2.0}, [{"step": 3, "loss": 0.5}])
    (made,) = fake.made
    assert made.project == "study"
    assert made.calls == [
        ("start",),
        ("config", {"lr": 1e-3, "head.layers": 2, "include": '["dev"]', "random": True}),
        ("log", {"loss": 0.5, "lr": 1e-4}, 3),
        ("log", {"final/test_f1": 0.9, "final/fresh": 1.0, "cost/seconds": 2.0}, None),
        ("finish",),
    ]
    assert len(made.threads) == 1
    assert made.threads != {threading.current_thread()}


def test_a_stage_that_does_not_train_by_steps_has_its_lines_numbered(fake, tmp_path):
    with Trackers(Tracking(("fake",), "study", tmp_path), print).run("a title", {}) as run:
        run.measured({}, {}, [{"strength": 0.1, "f1": 0.5}, {"strength": 1.0, "f1": 0.6}])
    lines = [call[1:] for call in fake.made[0].calls if call[0] == "log"]
    assert lines == [({"strength": 0.1, "f1": 0.5}, 1), ({"strength": 1.0, "f1": 0.6}, 2), ({}, None)]


@pytest.mark.parametrize("place", ["start", "config", "log", "finish"])
def test_a_tracker_that_fails_is_said_once_and_stops_nothing(fake, tmp_path, place):
    fake.fail_in = place
    said = []
    trackers = Trackers(Tracking(("fake",), "study", tmp_path), said.append)
    for _ in range(3):
        with trackers.run("a title", {}) as run:
            for step in range(5):
                run.log({"step": step, "loss": 0.5})
    assert said == ["tracker fake failed (RuntimeError: the server is gone); training goes on without it, and its own log is complete"]


def test_a_tracker_that_hangs_holds_up_no_step_and_the_end_only_for_a_while(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "PATIENCE", 0.1)
    free = threading.Event()
    monkeypatch.setattr(fake, "log", lambda *_, **__: free.wait())  # who waited for it would not come to an end
    said = []
    with Trackers(Tracking(("fake",), "study", tmp_path), said.append).run("a title", {}) as run:
        for step in range(1000):
            run.log({"step": step, "loss": 0.5})
    assert "has not taken everything" in said[0]
    free.set()


def test_an_error_of_the_training_still_finishes_the_run(fake, tmp_path):
    with pytest.raises(ValueError, match="mine"), Trackers(Tracking(("fake",), "s", tmp_path), print).run("a title", {}):
        raise ValueError("mine")
    assert fake.made[0].calls[-1] == ("finish",)


def test_names_come_in_lists_or_one_by_one_and_own_trackers_count(fake, monkeypatch):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda _: True)
    assert checked_trackers(["wandb,tensorboard", " mlflow", "wandb", "fake"]) == ("wandb", "tensorboard", "mlflow", "fake")
    assert checked_trackers([]) == ()


@pytest.mark.parametrize("name", ["tensorbord", "aim", "all"])
def test_an_unknown_tracker_is_refused(name):
    with pytest.raises(SettingsError, match=f"'{name}' is not among tensorboard, trackio, mlflow, wandb"):
        checked_trackers([name])


@pytest.mark.parametrize("name", list(TRACKERS))
def test_a_missing_package_is_said_with_what_installs_it(name, monkeypatch):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=f"pip install {name}"):
        checked_trackers([name])


def test_every_tracker_that_is_offered_is_one_of_accelerates():
    assert TRACKERS.keys() <= accelerate_tracking.LOGGER_TYPE_TO_CLASS.keys()


def test_two_stages_with_the_same_title_are_two_runs(tmp_path):
    several = Tracking((), "study", tmp_path, repeated(["a", "b", "a"]))
    assert several.run_name("b", "0123456789") == "b"
    assert several.run_name("a", "0123456789") == "a (01234567)"
