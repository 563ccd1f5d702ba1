"""A search for a stage's settings: its trials, how it is stopped and goes on, and what it never sees."""

import itertools
import random
import shutil

import pytest
from tests.study.conftest import WORDS, sentence, write_jsonl

from acclimate.errors import DivergedError, Interrupted, MissingExtraError, TrainingError
from acclimate.stages import proposals
from acclimate.stages.base import Context, Runtime
from acclimate.stages.bilstm import Bilstm
from acclimate.stages.planned import Sizes
from acclimate.stages.search import Search
from acclimate.stages.searching import Searching
from acclimate.stages.tfidf import Tfidf
from acclimate.tasks.opened import Data, DataSettings
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import Silent

STAGE = {"embedding": 4, "hidden": 4, "epochs": 3, "min_steps": 0, "batch_size": 16, "lr": {"search": [1e-4, 1], "trials": 6}}


class Watching(Silent):
    """Does something at a step, counted over all trials."""

    def __init__(self, do=lambda: None, at=0):
        self.do, self.at, self.steps = do, at, itertools.count(1)

    def step(self, *_):
        if next(self.steps) == self.at:
            self.do()


def world(folder):
    rng, topics = random.Random(0), list(WORDS)
    for split, count in (("train", 32), ("dev", 15), ("test", 9)):
        texts = dict.fromkeys(f"{split}{number} {sentence(topics[number % 3], rng)}" for number in range(count))
        write_jsonl(folder / f"{split}.jsonl", [{"text": text, "label": topics[number % 3]} for number, text in enumerate(texts)])
    task = {split: str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}
    return Data.open(DataSettings.model_validate({"task": task}), folder, folder / "rejects")


def context(data, folder, at=0, do=None):
    for name in ("work", "output", "cache"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    stop = StopRequest()
    machine = Runtime(Devices("float32", 1), Watching(do or stop.ask, at), stop, checkpoint_seconds=0.0)
    return Context(data, "all", 3, "tried", folder / "cache", folder / "work", folder / "output", machine)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return world(tmp_path_factory.mktemp("searching"))


def timeless(outcome):
    """What must be the same, however often it was stopped: all but how long it took and what memory it had."""
    trials = [{name: value for name, value in trial.items() if name != "seconds"} for trial in outcome.metrics["trials"]]
    return {**outcome.metrics, "trials": trials}, outcome.notes, outcome.cost.tokens, outcome.cost.flops


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    return Searching(of=Bilstm(**STAGE)).run(None, context(data, tmp_path_factory.mktemp("straight")))


def test_the_values_that_do_best_on_dev_are_found_and_every_trial_is_told(straight, data):
    trials = straight.metrics["trials"]
    assert [trial["trial"] for trial in trials] == [1, 2, 3, 4, 5, 6]
    assert all(1e-4 <= trial["values"]["lr"] <= 1 for trial in trials)
    best = max(trials, key=lambda trial: trial["score"])
    assert straight.metrics["found"] == best["values"]
    assert straight.metrics["best_trial"] == best["trial"]
    assert straight.cost.tokens > 0
    assert straight.cost.flops > 0
    assert straight.cost.seconds >= sum(trial["seconds"] for trial in trials) * 0.99


def test_the_best_trial_is_what_the_first_seed_then_trains(straight, data, tmp_path):
    again = Bilstm(**STAGE).with_found(straight.metrics["found"]).run(None, context(data, tmp_path))
    assert again.metrics["dev_macro_f1"] == max(trial["score"] for trial in straight.metrics["trials"])


@pytest.mark.measured(0)
@pytest.mark.parametrize("at", [1, 6, 11, 21])
def test_stopped_anywhere_and_continued_it_makes_the_same_trials(at, straight, data, tmp_path):
    stage = Searching(of=Bilstm(**STAGE))
    with pytest.raises(Interrupted):
        stage.run(None, context(data, tmp_path, at))
    outcome = stage.run(None, context(data, tmp_path))
    assert timeless(outcome) == timeless(straight)
    assert not any((tmp_path / "output").iterdir()), "no trial leaves a model behind"
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["trials.jsonl"]


def test_killed_in_the_middle_of_a_trial_it_goes_on_with_the_same_trials(straight, data, tmp_path):
    stage, kept = Searching(of=Bilstm(**STAGE)), tmp_path / "as it stood"

    def kill():
        # What stands on the disk at this moment is what a killed process leaves behind.
        shutil.copytree(tmp_path / "killed", kept)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.run(None, context(data, tmp_path / "killed", 15, kill))
    trials = (kept / "work" / "trials.jsonl").read_text().splitlines()
    assert 0 < len(trials) < 6
    outcome = stage.run(None, context(data, kept))
    assert timeless(outcome) == timeless(straight)
    assert (kept / "work" / "trials.jsonl").read_text().splitlines()[: len(trials)] == trials, "what was done is not done again"


def test_no_trial_sees_the_test_set(data, tmp_path):
    unseen = set(data.task.test.documents())
    asked = []

    class Looking(Bilstm):
        def run(self, parent, context):
            asked.extend(text for split in context.task().splits.values() for text in split.documents())
            return super().run(parent, context)

    Searching(of=Looking(**{**STAGE, "epochs": 1, "lr": {"search": {"of": [1e-2, 1e-1]}}})).run(None, context(data, tmp_path))
    assert asked
    assert unseen.isdisjoint(asked)
    assert not unseen.isdisjoint(context(data, tmp_path).task().test.documents()), "all others do"


def test_a_trial_below_the_median_at_the_same_step_ends_early_and_is_never_the_best(data, tmp_path):
    stage = Bilstm(**{**STAGE, "epochs": 6, "patience": None, "lr": {"search": {"of": [0.03, 0.02, 0.01, 0.005, 1e-9]}}})
    outcome = Searching(of=stage).run(None, context(data, tmp_path))
    *whole, last = outcome.metrics["trials"]
    assert [trial["state"] for trial in whole] == ["done"] * 4, "none before there is something to compare with"
    assert last["state"] == "pruned"
    assert last["steps"] < whole[0]["steps"]
    assert outcome.metrics["found"] != last["values"]


def test_a_trial_that_diverges_is_an_answer_and_not_the_end(data, tmp_path):
    class Diverging(Bilstm):
        def run(self, parent, context):
            if self.lr > 0.5:
                raise DivergedError("the loss is nan")
            return super().run(parent, context)

    of = Diverging(**{**STAGE, "epochs": 1, "lr": {"search": {"of": [0.9, 0.1]}}})
    outcome = Searching(of=of).run(None, context(data, tmp_path))
    assert [trial["state"] for trial in outcome.metrics["trials"]] == ["diverged", "done"]
    assert outcome.metrics["found"] == {"lr": 0.1}
    assert "1 of 2 trials diverged" in outcome.notes
    of = Diverging(**{**STAGE, "lr": {"search": {"of": [0.9, 0.8]}}})
    with pytest.raises(TrainingError, match=r"every trial diverged \(lr 0\.9, 0\.8\)"):
        Searching(of=of).run(None, context(data, tmp_path / "all"))


def test_trials_of_a_damaged_file_are_made_again(data, tmp_path):
    stage = Searching(of=Tfidf(ngrams={"search": {"of": [1, 2]}}))
    first = stage.run(None, context(data, tmp_path))
    file = tmp_path / "work" / "trials.jsonl"
    file.write_text(file.read_text()[:-20])
    assert timeless(stage.run(None, context(data, tmp_path))) == timeless(first)


def test_without_optuna_a_range_is_refused_in_the_plan_and_a_list_is_not(monkeypatch):
    monkeypatch.setattr(proposals.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'lr.*pip install "acclimate\[search\]"'):
        Searching(of=Bilstm(**STAGE)).check(Sizes(), None)
    Searching(of=Bilstm(lr=Search({"of": [1e-3, 1e-2]}))).check(Sizes(), None)


def test_values_that_come_again_are_not_tried_again(data, tmp_path, monkeypatch):
    stage = Bilstm(**(STAGE | {"lr": 1e-2, "batch_size": {"search": [8, 9]}, "epochs": {"search": {"of": [1, 2]}}}))
    values = iter([{"batch_size": size, "epochs": 1} for size in (8, 9, 8)])
    stage = stage.with_trials(3)
    monkeypatch.setattr("acclimate.stages.searching.proposals", lambda *_: proposals.Grid.__new__(proposals.Grid))
    monkeypatch.setattr(proposals.Grid, "ask", lambda self: next(values))
    outcome = Searching(of=stage).run(None, context(data, tmp_path))
    first, _, again = outcome.metrics["trials"]
    assert again == {**first, "trial": 3, "seconds": 0.0}
    assert outcome.metrics["best_trial"] < 3
    assert "1 of 3 trials came to values that were tried before, and were not made again" in outcome.notes
