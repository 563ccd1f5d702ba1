"""Tuned thresholds of classes, and of O, from a study to its report, its card, and the answers of what it hands over."""

import json
import random

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.study.conftest import WORDS, sentence, write_jsonl

from acclimate import load_predictor
from acclimate.data.corpus import CorpusSettings
from acclimate.evaluation.apply import evaluate_file, predict_file

pytestmark = pytest.mark.measured(0)

STUDY = """
data:
  task: {{ kind: {kind}, train: {folder}/train.jsonl, dev: {folder}/dev.jsonl, test: {folder}/{test}.jsonl }}
seeds: 1
recipes:
  tuned: {{ base: {{ {stage}: {{ strengths: [{strength}], thresholds: tuned }} }} }}
"""
STAGES = {"classify": ("tfidf", 1.0), "pair": ("tfidf", 1.0), "tag": ("linear_tagger", 0.001)}


def row(kind, rng):
    """A text of which most are of one class; a sentence with few names, which are not always there."""
    if kind == "tag":
        tokens = [rng.choice(["seen", "in", "Paris", "Rome", f"word{rng.randrange(40)}"]) for _ in range(8)]
        return {"tokens": tokens, "tags": ["B-place" if word in ("Paris", "Rome") and rng.random() < 0.6 else "O" for word in tokens]}
    topic = rng.choices(list(WORDS), [12, 1, 1])[0]
    texts = {"text": f"{sentence(topic, rng)} {rng.randrange(10**6)}"}
    return texts | ({"text_b": sentence(topic, rng)} if kind == "pair" else {}) | {"label": topic}


def carried_out(folder, kind, test):
    """The output folder of a study that judges by a test split."""
    from acclimate.study.language.study import load_study
    from acclimate.study.run import Options, run_study

    stage, strength = STAGES[kind]
    path, out = folder / f"{test}.yaml", folder / f"by {test}"
    path.write_text(STUDY.format(folder=folder, kind=kind, test=test, stage=stage, strength=strength))
    run_study(load_study(path), folder, Options(out=out, store=folder / "store", engine="inline"))
    return out


@pytest.fixture(scope="module", params=list(STAGES))
def studied(request, tmp_path_factory):
    """The kind, the folder of its files, and that of the results."""
    from acclimate.report.publish import publish

    kind, rng = request.param, random.Random(0)
    folder = tmp_path_factory.mktemp(kind)
    for split, count in (("train", 160), ("dev", 80), ("test", 80), ("other", 80)):
        write_jsonl(folder / f"{split}.jsonl", [row(kind, rng) for _ in range(count)])
    out = carried_out(folder, kind, "test")
    publish(out)
    return kind, folder, out


def facts(out):
    (stage,) = json.loads((out / "study.json").read_text())["stages"]
    return stage


def test_dev_is_better_than_by_plain_answers_and_what_test_gains_is_told(studied):
    kind, _, out = studied
    stage = facts(out)
    usual = "entity_f1" if kind == "tag" else "macro_f1"
    measured, told = stage["metrics"], " ".join(stage["notes"])
    assert measured[f"dev_{usual}"] > measured[f"dev_{usual}_untuned"]
    assert "thresholds tuned on 80 dev" in told
    assert f"on test from {measured[f'test_{usual}_untuned']:.4f} to {measured[f'test_{usual}']:.4f}" in told
    assert ("thresholds tuned on 80 dev sentences: O " in told) == (kind == "tag")
    moved = [name for name, each in measured["thresholds"].items() if each != 0.5]
    assert moved == ["O"] if kind == "tag" else len(moved) > 1


def test_thresholds_are_those_of_dev_whatever_test_holds(studied):
    kind, folder, out = studied
    config = json.loads((out / "best" / "config.json").read_text())
    other = carried_out(folder, kind, "other")
    assert facts(other)["key"] != facts(out)["key"]
    assert json.loads((other / "best" / "config.json").read_text())["acclimate_thresholds"] == config["acclimate_thresholds"]


def test_predict_evaluate_and_python_answer_by_them(studied):
    kind, folder, out = studied
    model = load_predictor(out / "best")
    written = pq.read_table(out / "predictions.parquet").to_pylist()
    said = [each["predicted"] for each in written if each["split"] == "test"]
    predict_file(out / "best", CorpusSettings(path=str(folder / "test.jsonl")), folder / "answers.jsonl", None, lambda line: None)
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert [each["tags" if kind == "tag" else "label"] for each in answers] == said
    metric = "entity_f1" if kind == "tag" else "macro_f1"
    scores = evaluate_file(out / "best", str(folder / "test.jsonl"), {}, lambda line: None)
    assert scores[metric] == pytest.approx(facts(out)["metrics"][f"test_{metric}"])
    if kind == "tag":
        return
    rows = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    columns = [[each[name] for each in rows] for name in ("text", "text_b") if name in rows[0]]
    probabilities = model.probabilities(*columns)
    assert [model.labels[number] for number in (probabilities / model.thresholds).argmax(axis=1)] == said
    assert [model.labels[number] for number in probabilities.argmax(axis=1)] != said
    assert [each["probabilities"] for each in answers] == [
        dict(zip(model.labels, np.round(each, 6).tolist(), strict=True)) for each in probabilities
    ]


def test_the_report_and_the_card_tell_of_them(studied):
    kind, _, out = studied
    page, card = (out / "report.md").read_text(), (out / "best" / "README.md").read_text()
    assert "thresholds tuned on 80 dev" in page
    assert "hresholds tuned on 80 dev" in card
    if kind != "tag":
        assert "these were tuned on dev" in page
        assert "/ model.thresholds" in card
