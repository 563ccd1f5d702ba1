"""Studies that are logged to a tracker: what it got is what the artifacts hold, and the artifacts are the same without it."""

import json

import pytest

from acclimate.errors import MissingExtraError
from acclimate.study.language.study import load_study
from acclimate.study.run import Options, run_study
from acclimate.training import tracking

STUDY = """
name: tracked
{head}
seeds: 1
recipes:
  fine-tune: [finetune: {{ lr: 1e-2, epochs: 3, min_steps: 0 }}]
  tfidf: {{ base: tfidf }}
  D/T:
    - pretrain: {{ corpus: domain, tokens: 6000, batch_tokens: 512, lr: 5e-3 }}
    - finetune: {{ train: head, epochs: 2, min_steps: 0 }}
"""
TITLES = {"fine-tune, seed 0: finetune", "tfidf, seed 0: tfidf", "D/T: pretrain on domain", "D/T, seed 0: finetune (head)"}


def artifacts(store):
    """title -> (log lines, metrics, digests of the weights) of every stage."""
    found = {}
    for record in store.glob("artifacts/*/stage.json"):
        about = json.loads(record.read_text())
        log = [json.loads(line) for line in (record.parent / "log.jsonl").read_text().splitlines()]
        metrics = json.loads((record.parent / "metrics.json").read_text())["metrics"]
        found[about["title"]] = log, metrics, {name: file for name, file in about["files"].items() if "safetensors" in name}
    return found


def final_of(metrics):
    """A stage's metrics as a tracker gets them: one name each, and those that are numbers."""
    corpora = metrics.get("corpora", {})
    of_corpora = {f"corpora.{corpus}.{name}": value for corpus, facts in corpora.items() for name, value in facts.items()}
    plain = {name: value for name, value in metrics.items() if name != "corpora"}
    return {name: value for name, value in (plain | of_corpora).items() if isinstance(value, int | float)}


def study(write_study, folder, track=()):
    folder.mkdir()
    options = Options(folder / "out", folder / "store", engine="inline", threads=1, say=lambda _: None, track=track)
    finished = run_study(load_study(write_study(folder, STUDY)), folder, options)
    assert finished.failed == 0
    return artifacts(folder / "store")


@pytest.fixture
def kept(monkeypatch):
    """What a small tracker of the user's own was given: title -> (project, settings, lines)."""
    from accelerate import tracking as accelerate_tracking

    runs = {}

    class Keeping(accelerate_tracking.GeneralTracker):
        name = "keeping"
        requires_logging_directory = False
        fail_after = None

        def __init__(self, run_name, **_):
            super().__init__()
            self.project = run_name

        @property
        def tracker(self):
            return self.lines

        def store_init_configuration(self, values):
            self.lines = []
            runs[values["title"]] = self.project, values, self.lines

        def log(self, values, step=None, **_):
            if len(self.lines) == self.fail_after:
                raise ConnectionError("no route to host")
            self.lines.append(values if step is None else {"step": step, **values})

    monkeypatch.setitem(accelerate_tracking.LOGGER_TYPE_TO_CLASS, Keeping.name, Keeping)
    runs["class"] = Keeping
    return runs


def in_order(lines):
    lines = [{"step": number, **line} for number, line in enumerate(lines, 1)]  # a plain baseline's lines have no steps
    return sorted(lines, key=lambda line: (line["step"], "loss" not in line))


@pytest.mark.measured(0)
def test_a_tracker_gets_every_line_of_the_log_and_the_final_metrics_and_changes_nothing(write_study, tmp_path, kept):
    tracked = study(write_study, tmp_path / "tracked", ("keeping",))
    del kept["class"]
    assert kept.keys() == TITLES
    for title, (project, settings, lines) in kept.items():
        log, metrics, _ = tracked[title]
        assert project == "tracked"
        assert settings["seed"] == 0
        *curve, last = lines
        assert curve == in_order(curve) == in_order(log)
        assert {name.removeprefix("final/"): value for name, value in last.items() if name.startswith("final/")} == final_of(metrics)
        assert last["cost/seconds"] > 0
    assert kept["fine-tune, seed 0: finetune"][1]["lr"] == 1e-2
    assert any("heldout_loss" in line for line in kept["D/T: pretrain on domain"][2])
    assert any("dev_macro_f1" in line for line in kept["fine-tune, seed 0: finetune"][2])
    # Same keys (the folders' names) and, key by key, the same weights.
    assert study(write_study, tmp_path / "plain") == tracked
    names = [{folder.name for folder in (tmp_path / which / "store" / "artifacts").iterdir()} for which in ("plain", "tracked")]
    assert names[0] == names[1]


def test_a_tracker_that_fails_in_the_middle_stops_no_training_and_is_said_once(write_study, tmp_path, kept, capsys):
    kept["class"].fail_after = 3
    assert study(write_study, tmp_path / "failing", ("keeping",)).keys() >= TITLES
    assert capsys.readouterr().err.count("tracker keeping failed (ConnectionError: no route to host)") == 1


def test_a_missing_package_is_said_before_any_work(write_study, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="pip install tensorboard"):
        study(write_study, tmp_path / "study", ("tensorboard",))
    assert not (tmp_path / "study" / "store").exists()


@pytest.mark.measured(0)
def test_tensorboard_shows_every_stage_of_a_study(write_study, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = study(write_study, tmp_path / "study", ("tensorboard",))
    folder = tmp_path / "study" / "out" / "tensorboard"
    assert {run.name for run in folder.iterdir()} == {title.replace("/", "-") for title in TITLES}
    for title in TITLES:
        log, metrics, _ = made[title]
        events = EventAccumulator(str(folder / title.replace("/", "-"))).Reload()
        wanted = {(name, line["step"]): value for line in in_order(log) for name, value in line.items() if name != "step"}
        shown = {(name, event.step): event.value for name in events.Tags()["scalars"] for event in events.Scalars(name)}
        curve = {place: value for place, value in shown.items() if not place[0].startswith(("final/", "cost/"))}
        assert curve == pytest.approx(wanted, rel=1e-6)
        final = {name.removeprefix("final/"): value for (name, _), value in shown.items() if name.startswith("final/")}
        assert final == pytest.approx({name: float(value) for name, value in final_of(metrics).items()}, rel=1e-6)
