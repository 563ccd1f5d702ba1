"""Whole studies of pairs, with labels and with scores: planned, carried out, judged, reported, handed over, used."""

import csv
import io
import json
import random
import shutil

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, processors

from acclimate.data.readers.every_text import AskedFiles
from acclimate.errors import AcclimateError, DataError, SettingsError
from acclimate.evaluation.apply import evaluate_file, predict_file
from acclimate.evaluation.predictions import read_answers
from acclimate.evaluation.predictor import load_predictor

from .conftest import WORDS, sentence, write_jsonl

pytestmark = pytest.mark.measured(0)

DATA = "{{ kind: {kind}, train: {folder}/train.jsonl, dev: {folder}/dev.jsonl, test: {folder}/test.jsonl{more} }}"
STUDY = """
base: {folder}/model
data:
  task: {task}
seeds: 2
labels: {labels}
reference: fine-tune
attention: fine-tune
recipes:
  fine-tune: [finetune: {{ lr: 1e-2, epochs: 3, min_steps: 0, patience: null, max_length: 24 }}]
  head only: [finetune: {{ train: head, epochs: 2, min_steps: 0, max_length: 24 }}]
  tfidf: {{ base: {{ tfidf: {{ strengths: [1.0, 10.0] }} }} }}
  majority: {{ base: majority }}
"""
KINDS = ("pair", "similarity")
LABELS = {"pair": "[40, all]", "similarity": "[40]"}


def rows(count, seed):
    rng = random.Random(seed)
    topics = list(WORDS)
    for _ in range(count):
        topic = rng.choice(topics)
        other = topic if rng.random() < 0.5 else rng.choice(topics)
        first, second = sentence(topic, rng), sentence(other, rng)
        shared = len({*first.split()} & {*second.split()})
        yield {
            "premise": first,
            "hypothesis": second,
            "label": "same" if topic == other else "other",
            "score": shared + (topic == other) / 2,
        }


def world(folder, tiny_world):
    """The tiny model, with a tokenizer that knows pairs, and pairs."""
    shutil.copytree(tiny_world / "model", folder / "model")
    tokenizer = Tokenizer.from_file(str(folder / "model" / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "model" / "tokenizer.json"))
    for split, count, seed in (("train", 100, 0), ("dev", 40, 1), ("test", 60, 2)):
        write_jsonl(folder / f"{split}.jsonl", rows(count, seed))


@pytest.fixture(scope="module")
def studied(tiny_world, tmp_path_factory):
    """The folder of two finished studies, their results below `pair` and `similarity`."""
    from acclimate.report.publish import publish
    from acclimate.study.language.study import load_study
    from acclimate.study.run import Options, run_study

    folder = tmp_path_factory.mktemp("pairs")
    world(folder, tiny_world)
    for kind in KINDS:
        task = DATA.format(kind=kind, folder=folder, more="")
        (folder / f"{kind}.yaml").write_text(STUDY.format(folder=folder, task=task, labels=LABELS[kind]))
        run_study(load_study(folder / f"{kind}.yaml"), folder, Options(out=folder / kind, store=folder / f"{kind} store", engine="inline"))
        publish(folder / kind)
    return folder


def table(studied, kind):
    return list(csv.DictReader((studied / kind / "results.csv").open()))


def models(studied, kind):
    """By type of model the folders that the store keeps of trained models."""
    found = {}
    for config in (studied / f"{kind} store").rglob("config.json"):
        if (config.parent.parent / "predictions.parquet").is_file():
            found.setdefault(json.loads(config.read_text())["model_type"], []).append(config.parent)
    return found


def test_pairs(studied):
    return [json.loads(line) for line in (studied / "test.jsonl").read_text().splitlines()]


test_pairs.__test__ = False


@pytest.mark.parametrize(("kind", "score"), [("pair", "test_macro_f1"), ("similarity", "test_spearman")])
def test_every_recipe_answers_and_what_is_learned_beats_what_looks_at_no_text(studied, kind, score):
    found = table(studied, kind)
    assert {row["status"] for row in found} == {"done"}
    best = {name: max(float(row[score]) for row in found if row["recipe"] == name) for name in {row["recipe"] for row in found}}
    assert best["tfidf"] > best["majority"]
    study = json.loads((studied / kind / "study.json").read_text())
    assert (study["metric"], study["item"]) == (score.removeprefix("test_"), "pair")
    assert {"test_pearson", "test_mae", "test_mse"} <= found[0].keys() or kind == "pair"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_says_the_same_again(studied, kind):
    test = test_pairs(studied)
    columns = [[row[name] for row in test] for name in ("premise", "hypothesis")]
    seen = models(studied, kind)
    assert set(seen) == {"bert", "acclimate-tfidf", "acclimate-majority"}
    for folder in (each for folders in seen.values() for each in folders):
        predictor = load_predictor(folder)
        answers = read_answers(folder.parent / "predictions.parquet", "test", ("predicted",))
        found = predictor.probabilities(*columns)
        if kind == "pair":
            assert found.argmax(axis=1).tolist() == np.asarray(answers["predicted"]).tolist()
        else:
            assert predictor.labels == ("score",)
            np.testing.assert_allclose(found[:, 0], answers["predicted"], atol=1e-5)
        with pytest.raises(
            SettingsError, match=r"this model answers pairs, and was given single texts: say probabilities\(texts, texts_b\)"
        ):
            predictor.probabilities(columns[0])
        with pytest.raises(SettingsError, match="a pair has two texts, and these are 60 first and 1 second ones"):
            predictor.probabilities(columns[0], columns[1][:1])
        metrics = json.loads((folder.parent / "metrics.json").read_text())["metrics"]
        scores = evaluate_file(folder, str(studied / "test.jsonl"), {}, lambda line: None)
        usual = "macro_f1" if kind == "pair" else "spearman"
        assert scores["pairs"] == 60
        assert scores[usual] == pytest.approx(metrics[f"test_{usual}"], abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_transformer_is_a_plain_folder_of_transformers(studied, kind):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    best = models(studied, kind)["bert"][0]
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(best).eval(), AutoTokenizer.from_pretrained(best)
    test = test_pairs(studied)[:12]
    columns = [[row[name] for row in test] for name in ("premise", "hypothesis")]
    inputs = tokenizer(*columns, padding=True, truncation="longest_first", max_length=24, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits
        loss = model(**inputs, labels=torch.arange(12) % 2 if kind == "pair" else torch.linspace(0, 5, 12)).loss
    theirs = logits.softmax(dim=1) if kind == "pair" else logits
    np.testing.assert_allclose(load_predictor(best).probabilities(*columns), theirs.numpy(), atol=1e-5)
    config = json.loads((best / "config.json").read_text())
    assert config["acclimate_kind"] == kind
    if kind == "similarity":
        assert (config["problem_type"], config["id2label"]) == ("regression", {"0": "score"})
        assert loss.item() == pytest.approx(float(((logits[:, 0] - torch.linspace(0, 5, 12)) ** 2).mean()), rel=1e-5)


def test_what_is_cut_of_pairs_is_told(studied):
    metrics = json.loads((models(studied, "pair")["bert"][0].parent / "metrics.json").read_text())["metrics"]
    assert metrics["cut_tokens_test"] > 0
    assert "Tokens, or words, cut off or dropped" in (studied / "pair" / "report.html").read_text()


def predicted(folder, path, **asked):
    stream, said = io.BytesIO(), []
    predict_file(folder, AskedFiles(path=str(path), **asked), None, stream, said.append)
    return [json.loads(line) for line in stream.getvalue().decode().splitlines()], said


@pytest.mark.parametrize("kind", KINDS)
def test_predict_answers_every_row_and_marks_those_that_lack_a_text(studied, kind, tmp_path):
    test = test_pairs(studied)[:3]
    lacking = [{**test[0], "hypothesis": ""}, {**test[1], "premise": None}, {"premise": "the"}]
    write_jsonl(
        tmp_path / "new.jsonl", [{name: row[name] for name in ("premise", "hypothesis") if name in row} for row in [*test, *lacking]]
    )
    folder = models(studied, kind)["acclimate-tfidf"][0]
    answers, said = predicted(folder, tmp_path / "new.jsonl")
    assert [answer["index"] for answer in answers] == list(range(6))
    key = "label" if kind == "pair" else "value"
    assert all(answer[key] is not None for answer in answers[:3])
    assert [answer[key] for answer in answers[3:]] == [None] * 3
    assert "'hypothesis' is empty" in answers[3]["problem"]
    assert "'premise' is null" in answers[4]["problem"]
    assert any("text in column 'premise'" in line and "text_b in column 'hypothesis'" in line for line in said)
    assert any(line.startswith("3 of 6 rows have no text that could be read") for line in said)
    swapped, _ = predicted(folder, tmp_path / "new.jsonl", text="hypothesis", text_b="premise")
    assert swapped[:3] != answers[:3]
    columns = [[row[name] for row in test] for name in ("premise", "hypothesis")]
    found = load_predictor(folder).probabilities(*columns)
    if kind == "pair":
        assert answers[0]["probabilities"] == pytest.approx(dict(zip(("other", "same"), found[0], strict=True)), abs=1e-6)
    else:
        assert answers[0]["value"] == pytest.approx(found[0, 0], rel=1e-6)


def test_texts_alone_are_refused_where_pairs_are_answered_and_the_other_way_round(studied, tiny_world, tmp_path):
    folder = models(studied, "pair")["acclimate-tfidf"][0]
    (tmp_path / "new.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match="this model answers pairs, and a line of a txt file is one text"):
        predicted(folder, tmp_path / "new.txt")
    write_jsonl(tmp_path / "new.jsonl", [{"text": "one"}])
    with pytest.raises(DataError, match="the two texts"):
        predicted(folder, tmp_path / "new.jsonl")
    from acclimate.modeling.baselines.majority_model import MajorityModel

    MajorityModel(("a", "b"), (0.5, 0.5)).save(tmp_path / "single")
    with pytest.raises(SettingsError, match="names a second text, and this model answers single texts"):
        predicted(tmp_path / "single", studied / "test.jsonl", text="premise", text_b="hypothesis")
    with pytest.raises(SettingsError, match="says nothing of classify, which this model answers"):
        evaluate_file(tmp_path / "single", str(studied / "test.jsonl"), {"text": "premise", "text_b": "hypothesis"}, lambda line: None)


def test_a_model_of_pairs_that_does_not_say_so_is_asked_by_naming_both_columns(studied, tmp_path):
    """As one from the hub: its config.json knows neither our kinds nor how many texts it takes."""
    ours = models(studied, "pair")["bert"][0]
    shutil.copytree(ours, tmp_path / "foreign")
    config = json.loads((ours / "config.json").read_text())
    foreign = {name: value for name, value in config.items() if not name.startswith("acclimate_")}
    (tmp_path / "foreign" / "config.json").write_text(json.dumps(foreign))
    both = {"text": "premise", "text_b": "hypothesis"}
    answers, _ = predicted(tmp_path / "foreign", studied / "test.jsonl", **both)
    assert len(answers) == 60
    assert set(answers[0]["probabilities"]) == {"other", "same"}
    assert evaluate_file(tmp_path / "foreign", str(studied / "test.jsonl"), both, lambda line: None)["pairs"] == 60


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_and_the_card_tell_of_pairs(studied, kind):
    page = (studied / kind / "report.html").read_text()
    card = (studied / kind / "best" / "README.md").read_text()
    wanted = ("Each label", "Confusion matrix") if kind == "pair" else ("Spearman correlation", "Predicted scores", "The largest errors")
    for word in (*wanted, "pairs"):
        assert word in page
    assert ("pipeline_tag: text-classification" if kind == "pair" else "pipeline_tag: sentence-similarity") in card
    assert "pairs.jsonl" in card
    attention = json.loads((studied / kind / "attention.json").read_text())  # of pairs as the model reads them
    dev = [json.loads(line) for line in (studied / "dev.jsonl").read_text().splitlines()]
    assert attention["text"] in {f"{row['premise']}\n{row['hypothesis']}" for row in dev}
    assert {model["tokens"].count("[SEP]") for model in attention["models"]} == {2}


def plan_of(folder, text):
    from acclimate.study.language.study import load_study
    from acclimate.study.plan.prepared import prepare

    (folder / "study.yaml").write_text(text)
    return prepare(load_study(folder / "study.yaml"), folder, folder / "store")


def test_the_plan_counts_the_tokens_of_both_texts_as_they_are_cut(studied, tmp_path):
    from acclimate.study.language.study import load_study
    from acclimate.study.plan.estimate import estimates
    from acclimate.study.plan.prepared import prepare
    from acclimate.study.store.artifacts import Store

    store = Store(studied / "pair store")
    prepared = prepare(load_study(studied / "pair.yaml"), studied, tmp_path / "store")
    found = estimates(prepared, 1e9)
    trained = [(key, node) for key, node in prepared.plan.nodes.items() if node.stage.word() == "finetune"]
    assert len(trained) == 8
    for key, _ in trained:
        measured = json.loads((store.path(key) / "metrics.json").read_text())
        assert found[key].tokens == pytest.approx(measured["cost"]["tokens"], rel=1e-6)


def test_class_weights_and_losses_of_names_are_refused_for_scores_before_anything_runs(studied, tmp_path):
    task = DATA.format(kind="similarity", folder=studied, more="")
    study = STUDY.format(folder=studied, task=task, labels="[40]").replace("train: head", "class_weights: balanced")
    with pytest.raises(AcclimateError, match="class_weights: this task has no classes"):
        plan_of(tmp_path, study)
    study = STUDY.format(folder=studied, task=task, labels="[40]").replace("train: head", "loss: focal")
    with pytest.raises(AcclimateError, match="loss: similarity is learned by squared_error alone"):
        plan_of(tmp_path, study)


def test_a_tokenizer_without_a_template_for_pairs_is_told_when_planning(studied, tiny_world, tmp_path):
    from acclimate.study.plan.estimate import estimates

    task = DATA.format(kind="pair", folder=studied, more="")
    prepared = plan_of(tmp_path, STUDY.format(folder=tiny_world, task=task, labels="[40]"))
    with pytest.raises(AcclimateError, match="puts nothing between the two texts of a pair"):
        estimates(prepared, 1e9)
