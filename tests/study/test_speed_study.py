"""Models of different sizes are timed once all runs are done, their numbers are kept, and everybody shows the same ones."""

import json

import pyarrow.parquet as pq
import pytest

from acclimate.evaluation import answer_speed
from acclimate.study.outputs import speeds

RECIPES = """{head}
seeds: 2
labels: [30]
reference: teacher
recipes:
  teacher: [finetune: &short {{ lr: 1e-2, epochs: 1, min_steps: 0, max_length: 32 }}]
  twin: [finetune: {{ lr: 2e-2, epochs: 1, min_steps: 0, max_length: 32 }}]
  student:
    base: {{ layers_of: teacher, keep: 1 }}
    stages: [distill: {{ teacher: teacher, corpus: task, epochs: 1, min_steps: 0, max_length: 32 }}]
  words: {{ base: tfidf }}
"""
SAME = """{head}
seeds: 1
labels: [30]
recipes:
  tuned: [finetune: &short {{ lr: 1e-2, epochs: 1, min_steps: 0, max_length: 32 }}]
  words: {{ base: tfidf }}
"""


@pytest.fixture(scope="module")
def ran(acclimate, write_study, tmp_path_factory):
    """A study whose student is smaller than its teacher, run twice; what was timed the first time."""
    folder = tmp_path_factory.mktemp("sizes")
    path, timed, kept = write_study(folder, RECIPES), [], {}
    plain = answer_speed.answer_speed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer_speed, "answer_speed", lambda model, *more: timed.append(model) or plain(model, *more))
        patch.setattr(answer_speed, "busy_now", lambda: 0.0)
        for run in ("first", "again"):
            done = study(acclimate, path)
            assert done.returncode == 0
            kept[run] = {name: (folder / "out" / name).read_bytes() for name in ("results.csv", "results.parquet", "verdicts.json")}
    return folder, timed, kept, done.stdout


def study(acclimate, path, out="out"):
    folder = path.parent
    return acclimate("study", str(path), "--engine", "inline", "--out", str(folder / out), "--store", str(folder / "store"))


def table(folder):
    return pq.read_table(folder / "out" / "results.parquet").to_pylist()


@pytest.mark.measured(0)
def test_each_form_of_model_is_timed_once_and_a_rerun_shows_the_same_numbers(ran):
    folder, timed, kept, _ = ran
    assert len(timed) == 3  # teacher and twin are one form
    assert kept["first"] == kept["again"]
    rows = table(folder)
    found = {name: {row[name] for row in rows if row["recipe"] == "teacher"} for name in speeds.COLUMNS}
    assert all(len(values) == 1 and min(values) > 0 for values in found.values())
    assert found == {name: {row[name] for row in rows if row["recipe"] == "twin"} for name in speeds.COLUMNS}
    assert all(row[name] > 0 for row in rows for name in speeds.COLUMNS)


def test_sizes_are_those_of_the_files(ran):
    folder, *_ = ran
    for row in table(folder):
        model = folder / "store" / "artifacts" / row["key"][:16] / "model"
        assert (
            row["disk_bytes"] == answer_speed.model_bytes(model) == sum(file.stat().st_size for file in model.rglob("*") if file.is_file())
        )
    best = folder / "out" / "best"  # with card and mark
    assert answer_speed.model_bytes(best) in {row["disk_bytes"] for row in table(folder)}


def test_terminal_page_and_card_tell_them(ran):
    folder, _, _, out = ran
    facts = json.loads((folder / "out" / "study.json").read_text())["speeds"]
    assert {name: told["by"] for name, told in facts["recipes"].items()} == {
        "teacher": "transformers", "twin": "transformers", "student": "transformers", "words": "acclimate",
    }  # fmt: skip
    assert facts["failed"] == {}
    page, card = ((folder / "out" / name).read_text() for name in ("report.html", "best/README.md"))
    for text in (out, page, (folder / "out" / "report.md").read_text()):
        assert "Size and speed of the models with 30 labels" in text
    assert page.count('type="radio"') == 3
    assert "time for one text alone, median" in card
    assert "texts a second in batches of 32" in card


def test_what_is_damaged_is_timed_again_and_what_cannot_be_timed_is_told(ran, acclimate, monkeypatch):
    folder, *_ = ran
    files = sorted((folder / "store" / "cache" / speeds.FOLDER).glob("*.json"))
    assert len(files) == 3
    kept = {file: file.read_text() for file in files}
    for file in files:
        file.write_text("{")

    def broken(model, *_):
        raise RuntimeError(f"{model}: out of memory\nat length")

    with monkeypatch.context() as patch:
        patch.setattr(answer_speed, "answer_speed", broken)
        assert study(acclimate, folder / "study.yaml", "other").returncode == 0
    told = json.loads((folder / "other" / "study.json").read_text())
    assert "student was not timed: out of memory" in told["notes"]
    assert set(told["speeds"]["failed"]) == {"teacher", "twin", "student", "words"}
    for file, text in kept.items():
        file.write_text(text)


def test_what_was_timed_on_a_busy_machine_is_timed_again_once_it_is_quiet(ran, acclimate, monkeypatch):
    folder, *_ = ran
    for file in (folder / "store" / "cache" / speeds.FOLDER).glob("*.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"busy": 0.9, "latency_seconds": 99.0}))
    monkeypatch.setattr(answer_speed, "busy_now", lambda: 0.9)
    assert study(acclimate, folder / "study.yaml", "busy").returncode == 0
    told = json.loads((folder / "busy" / "study.json").read_text())["speeds"]
    assert "busy with other work (90 %" in told["doubt"]
    assert {each["latency_seconds"] for each in told["recipes"].values()} == {99.0}, "no better now"
    monkeypatch.setattr(answer_speed, "busy_now", lambda: 0.0)
    assert study(acclimate, folder / "study.yaml", "quiet").returncode == 0
    told = json.loads((folder / "quiet" / "study.json").read_text())["speeds"]
    assert not told["doubt"]
    assert all(each["latency_seconds"] < 99.0 for each in told["recipes"].values())


@pytest.mark.measured(0)
@pytest.mark.parametrize(("said", "timed"), [("", False), ("speed: true\n", True)])
def test_models_of_one_size_are_timed_where_the_study_says_so(said, timed, acclimate, write_study, tmp_path):
    path = write_study(tmp_path, said + SAME)
    assert study(acclimate, path).returncode == 0
    assert ("latency_seconds" in table(tmp_path)[0]) is timed
    assert ("speeds" in json.loads((tmp_path / "out" / "study.json").read_text())) is timed
