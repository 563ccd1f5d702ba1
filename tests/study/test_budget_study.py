"""Label budgets of so many texts of each class, from the study file to the report."""

import csv
import json
import random

import pytest
from tests.study.conftest import sentence, write_jsonl

from acclimate.errors import DataError, SettingsError
from acclimate.report.results.finished import Results
from acclimate.report.words.text import with_labels
from acclimate.study.language.study import load_study

pytestmark = pytest.mark.measured(0)

STUDY = """
data:
  task: {{ {kind}train: {folder}/train.jsonl, dev: {folder}/dev.jsonl, test: {folder}/test.jsonl }}
seeds: 1
labels: [all, {labels}]
recipes:
  tfidf: {{ base: {{ tfidf: {{ strengths: [1.0] }} }} }}
  majority: {{ base: majority }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """90 training texts; music has 5."""
    folder, rng = tmp_path_factory.mktemp("budgets"), random.Random(0)
    for split, count in (("train", 90), ("dev", 40), ("test", 30)):
        topics = ["music" if number % 18 == 0 else ("sport", "trade")[number % 2] for number in range(count)]
        write_jsonl(
            folder / f"{split}.jsonl", [{"text": f"{split}{n} {sentence(topic, rng)}", "label": topic} for n, topic in enumerate(topics)]
        )
    return folder


def written(folder, labels, kind=""):
    path = folder / "study.yaml"
    path.write_text(STUDY.format(folder=folder, labels=labels, kind=kind))
    return path


@pytest.fixture(scope="module")
def studied(folder):
    from acclimate.report.publish import publish
    from acclimate.study.run import Options, run_study

    path, said = written(folder, "8 per class, 40, 2 per class"), []
    run_study(load_study(path), folder, Options(out=folder / "out", store=folder / "store", engine="inline", say=said.append))
    publish(folder / "out")
    return folder / "out", said


def test_budgets_stand_by_their_number_of_labels(studied):
    out, _ = studied
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert {row["labels"] for row in rows} == {"all", "8 per class", "40", "2 per class"}
    assert all(row["status"] == "done" for row in rows)
    results = Results.load(out)
    assert results.budgets == ("2 per class", "8 per class", "40", "all")
    assert [results.labels_at(labels) for labels in results.budgets] == [6, 21, 40, 90]
    assert json.loads((out / "study.json").read_text())["best"]["labels"] == "all"


def test_what_a_budget_comes_to_is_told_before_and_after(studied):
    out, said = studied
    for told in (" ".join(said), (out / "report.md").read_text()):
        assert "8 per class: 21 of 90 training texts; 1 of 3 have fewer and give all (music 5)" in told
        assert "2 per class: dev has 6 texts, so one answer is 0.167 of accuracy there" in told
    assert "With 8 labels per class" in (out / "report.md").read_text()


def test_budgets_in_words():
    assert with_labels("8 per class") == "with 8 labels per class"
    assert with_labels("8 per class", "500", "all") == "with 8 labels per class, 500 labels and all labels"
    assert with_labels("500", "all") == "with 500 and all labels"


@pytest.mark.parametrize(
    ("labels", "kind", "why"),
    [
        ("8 per class", "kind: similarity, ", r"study.yaml:5:\d+: labels.*: similarity has no classes of which so many could be drawn"),
        ("8 per clas", "", r"study.yaml:5:15: labels\[1\]: should be .*as '8 per class', not '8 per clas'"),
        ("8 per class, 8 per class", "", r"study.yaml:5:\d+: labels: the budget 8 per class stands here twice"),
    ],
)
def test_what_cannot_be_is_said_with_its_line(folder, labels, kind, why):
    with pytest.raises(SettingsError, match=why):
        load_study(written(folder, labels, kind))


def test_more_than_any_class_has_is_said_before_anything_runs(folder, tmp_path):
    from acclimate.study.plan.prepared import prepare

    with pytest.raises(
        DataError, match="64 per class cannot be drawn: no label has so many training examples; 'trade' has most of them, 45"
    ):
        prepare(load_study(written(folder, "64 per class")), folder, tmp_path / "store")
