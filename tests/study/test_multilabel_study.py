"""A whole study of texts with several labels: planned, carried out, judged, reported, handed over, used."""

import csv
import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from acclimate.data.corpus import CorpusSettings
from acclimate.evaluation.apply import evaluate_file, predict_file
from acclimate.evaluation.predictions import read_answers
from acclimate.evaluation.predictor import load_predictor
from acclimate.evaluation.stated import thresholds_of

from .conftest import FILLER, WORDS, write_jsonl

pytestmark = pytest.mark.measured(0)

STUDY = """forgetting: false
base: {world}/model
data:
  task: {{ kind: multilabel, train: {folder}/train.csv, dev: {folder}/dev.jsonl, test: {folder}/test.jsonl }}
seeds: 2
labels: [all]
reference: fine-tune
metric: micro_f1
recipes:
  fine-tune: [finetune: {{ lr: 1e-2, epochs: 6, min_steps: 0, patience: null, class_weights: balanced }}]
  tuned: [finetune: {{ lr: 1e-2, epochs: 3, min_steps: 0, thresholds: tuned, class_weights: balanced }}]
  deep head: [finetune: {{ train: head, head: {{ layers: 2, hidden: 8 }}, epochs: 2, min_steps: 0, thresholds: tuned }}]
  tfidf: {{ base: {{ tfidf: {{ thresholds: tuned, class_weights: balanced, strengths: [1.0, 10.0] }} }} }}
  bilstm: {{ base: {{ bilstm: {{ embedding: 8, hidden: 8, epochs: 2, min_steps: 0, thresholds: tuned }} }} }}
  majority: {{ base: majority }}
"""


def texts(count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        topics = [topic for topic in WORDS if rng.random() < 0.45]
        words = [rng.choice(FILLER) for _ in range(rng.randint(4, 9))] + [rng.choice(WORDS[topic]) for topic in topics for _ in range(3)]
        rng.shuffle(words)
        yield " ".join(words), topics


def write(folder):
    with (folder / "train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "labels"])
        writer.writerows((text, "|".join(topics)) for text, topics in texts(120, 0))
    for split, count, seed in (("dev", 60, 1), ("test", 80, 2)):
        write_jsonl(folder / f"{split}.jsonl", [{"text": text, "labels": topics} for text, topics in texts(count, seed)])


@pytest.fixture(scope="module")
def studied(tiny_world, tmp_path_factory):
    """The folder of a finished study, its results below `out`."""
    from acclimate.report.publish import publish
    from acclimate.study.language.study import load_study
    from acclimate.study.run import Options, run_study

    folder = tmp_path_factory.mktemp("several")
    write(folder)
    (folder / "study.yaml").write_text(STUDY.format(world=tiny_world, folder=folder))
    run_study(load_study(folder / "study.yaml"), folder, Options(out=folder / "out", store=folder / "store", engine="inline"))
    publish(folder / "out")
    return folder


def rows_of(folder):
    return list(csv.DictReader((folder / "out" / "results.csv").open()))


def test_every_recipe_answers_and_beats_the_shares_alone(studied):
    rows = rows_of(studied)
    assert {row["status"] for row in rows} == {"done"}
    best = {name: max(float(row["test_micro_f1"]) for row in rows if row["recipe"] == name) for name in {row["recipe"] for row in rows}}
    assert best["tfidf"] > 0.8
    assert best["majority"] < min(best["fine-tune"], best["tfidf"])
    assert {"test_macro_f1", "test_example_f1", "test_exact_match", "test_hamming_loss", "test_pr_auc", "test_pr_auc_base_rate"} <= rows[
        0
    ].keys()
    assert json.loads((studied / "out" / "study.json").read_text())["metric"] == "micro_f1"


def test_predictions_name_the_labels(studied):
    import pyarrow.parquet as pq

    table = pq.read_table(studied / "out" / "predictions.parquet").to_pylist()
    gold = [json.loads(line)["labels"] for line in (studied / "test.jsonl").read_text().splitlines()]
    test = [row for row in table if row["split"] == "test" and row["recipe"] == "tuned" and row["seed"] == 0 and row["labels"] == "all"]
    assert [sorted(row["gold"]) for row in test] == [sorted(labels) for labels in gold]
    assert all(set(row["predicted"]) <= set(WORDS) for row in test)


def models(studied):
    """By recipe the folders that the store keeps of trained models."""
    found: dict[str, list[Path]] = {}
    for config in (studied / "store").rglob("config.json"):
        if (config.parent.parent / "predictions.parquet").is_file():
            found.setdefault(json.loads(config.read_text())["model_type"], []).append(config.parent)
    return found


def test_every_kind_of_model_says_the_same_again_thresholds_and_all(studied):
    test = [json.loads(line) for line in (studied / "test.jsonl").read_text().splitlines()]
    seen = models(studied)
    assert set(seen) == {"bert", "acclimate-bilstm", "acclimate-tfidf", "acclimate-majority"}
    for folders in seen.values():
        for folder in folders:
            predictor = load_predictor(folder)
            answers = read_answers(folder.parent / "predictions.parquet", "test", ("predicted", "probabilities"))
            found = predictor.probabilities([row["text"] for row in test])
            np.testing.assert_allclose(found, answers["probabilities"], atol=1e-5)
            thresholds = thresholds_of(folder, predictor.labels)
            assert (
                np.asarray(answers["predicted"]) == (np.asarray(answers["probabilities"]) > (0.5 if thresholds is None else thresholds))
            ).all()
            metrics = json.loads((folder.parent / "metrics.json").read_text())
            scores = evaluate_file(folder, str(studied / "test.jsonl"), {}, lambda line: None)
            assert scores["micro_f1"] == pytest.approx(metrics["metrics"]["test_micro_f1"], abs=1e-9)
            assert scores["pr_auc"] == pytest.approx(metrics["metrics"]["test_pr_auc"], abs=1e-4)
            if thresholds is not None:
                assert metrics["metrics"]["thresholds"] == dict(zip(predictor.labels, thresholds, strict=True))
                assert any("thresholds tuned on 60 dev texts" in note for note in metrics["notes"])


def test_tuned_thresholds_are_those_of_dev_alone(studied):
    from acclimate.tasks.multilabel import tuned
    from acclimate.tasks.split import Split

    folder = next(folder for folder in models(studied)["acclimate-tfidf"])
    answers = read_answers(folder.parent / "predictions.parquet", "dev", ("gold", "probabilities"))
    gold = np.asarray(answers["gold"])
    split = Split((("",) * len(gold),), gold, np.arange(len(gold)), (), None, tuple(WORDS))
    assert thresholds_of(folder, tuple(WORDS)) == pytest.approx(tuned(answers["probabilities"], split))


def test_the_best_is_a_plain_folder_of_transformers(studied):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    plain = [each for each in models(studied)["bert"] if not json.loads((each / "config.json").read_text()).get("acclimate_head")]
    best = plain[0]
    model = AutoModelForSequenceClassification.from_pretrained(best).eval()
    assert model.config.problem_type == "multi_label_classification"
    tokenizer = AutoTokenizer.from_pretrained(best)
    rows = [json.loads(line)["text"] for line in (studied / "test.jsonl").read_text().splitlines()][:10]
    with torch.no_grad():
        theirs = [model(**tokenizer(text, return_tensors="pt")).logits.sigmoid()[0].numpy() for text in rows]
    np.testing.assert_allclose(load_predictor(best).probabilities(rows), theirs, atol=1e-5)
    labels = torch.tensor([[1.0, 0.0, 1.0]])
    assert model(**tokenizer(rows[0], return_tensors="pt"), labels=labels).loss.item() > 0  # transformers' own loss for such labels


def test_predict_gives_the_labels_above_their_thresholds(studied):
    folder = next(folder for folder in models(studied)["acclimate-tfidf"])
    thresholds = thresholds_of(folder, tuple(WORDS))
    stream = io.BytesIO()
    predict_file(folder, CorpusSettings(path=str(studied / "test.jsonl")), None, stream, lambda line: None)
    answers = [json.loads(line) for line in stream.getvalue().decode().splitlines()]
    labels = load_predictor(folder).labels
    for answer in answers:
        values = np.array([answer["probabilities"][name] for name in labels])
        close = np.abs(values - thresholds) < 1e-5  # they are rounded in the file
        wanted = {name for name, holds in zip(labels, values > thresholds, strict=True) if holds}
        assert set(answer["labels"]) ^ wanted <= {name for name, near in zip(labels, close, strict=True) if near}


def test_the_report_and_the_card_tell_of_several_labels(studied):
    page = (studied / "out" / "report.html").read_text()
    for word in ("micro F1", "exact match", "Each label", "PR-AUC", "threshold"):
        assert word in page
    card = (studied / "out" / "best" / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card
    assert "every label that holds of it" in card


def test_the_usual_thresholds_leave_no_trace_in_a_key():
    from acclimate.stages.bilstm import Bilstm
    from acclimate.stages.finetune import Finetune
    from acclimate.stages.tfidf import Tfidf

    for stage in (Finetune, Tfidf, Bilstm):
        assert "thresholds" not in stage().keyed()
        assert stage(thresholds="tuned").keyed()["thresholds"] == "tuned"
