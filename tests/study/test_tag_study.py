"""A whole study of tagged words: carried out, handed over, and used by acclimate and by plain transformers with the same answers."""

import csv
import json
import random

import numpy as np
import pytest
import torch
from tests.stages.test_finetune_tags import model_of_pieces, sentence

from acclimate import load_predictor
from acclimate.data.found_words import found_words

from .conftest import write_jsonl

pytestmark = pytest.mark.measured(0)

STUDY = """
base: {folder}/model
data:
  task: {{ kind: tag, train: {folder}/train.jsonl, dev: {folder}/dev.jsonl, test: {folder}/test.jsonl }}
seeds: 1
reference: fine-tune
recipes:
  fine-tune: [finetune: {{ lr: 5e-3, epochs: 12, min_steps: 0, dropout: 0.0, patience: null }}]
  tagger: {{ base: {{ linear_tagger: {{ strengths: [0.001] }} }} }}
  majority: {{ base: majority }}
"""
SPACED = "Then see  Grace Hopper went to New\tYork."  # raw: capitals, words of several pieces, odd spaces between them


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """The folder of a finished study, its results below `out`."""
    from acclimate.report.publish import publish
    from acclimate.study.language.study import load_study
    from acclimate.study.run import Options, run_study

    folder, rng = tmp_path_factory.mktemp("tagged"), random.Random(0)
    model_of_pieces(folder / "model")
    for split, count in (("train", 240), ("dev", 12), ("test", 16)):
        write_jsonl(folder / f"{split}.jsonl", [sentence(rng, 2) for _ in range(count)])
    (folder / "study.yaml").write_text(STUDY.format(folder=folder))
    run_study(load_study(folder / "study.yaml"), folder, Options(out=folder / "out", store=folder / "store", engine="inline"))
    publish(folder / "out")
    return folder


@pytest.fixture(scope="module")
def tagged(studied):
    return [json.loads(line) for line in (studied / "test.jsonl").read_text().splitlines()]


def rows_of(folder):
    return {row["recipe"]: row for row in csv.DictReader((folder / "out" / "results.csv").open())}


def test_every_recipe_answers_and_the_best_is_sure(studied):
    rows = rows_of(studied)
    assert {row["status"] for row in rows.values()} == {"done"}
    assert float(rows["fine-tune"]["test_entity_f1"]) == 1
    assert float(rows["majority"]["test_entity_f1"]) == 0
    assert json.loads((studied / "out" / "best" / "config.json").read_text())["acclimate_kind"] == "tag"


@pytest.mark.parametrize("recipe", ["fine-tune", "tagger", "majority"])
def test_evaluate_says_the_scores_of_the_study(studied, acclimate, recipe):
    row = rows_of(studied)[recipe]
    (model,) = (path / "model" for path in (studied / "store" / "artifacts").glob(f"{row['key'][:12]}*") if (path / "model").is_dir())
    said = acclimate("evaluate", model, studied / "test.jsonl").stdout.split()
    for score in ("entity_f1", "entity_precision", "token_accuracy"):
        assert float(said[said.index(score) + 1]) == pytest.approx(float(row[f"test_{score}"]), abs=1e-4)


def test_predict_says_the_entities_of_the_study_of_tokens_and_of_the_same_text(studied, acclimate, tagged):
    import pyarrow.parquet as pq

    table = pq.read_table(studied / "out" / "predictions.parquet").to_pylist()
    wanted = [json.loads(row["entities"]) for row in table if row["split"] == "test" and row["recipe"] == "fine-tune"]
    write_jsonl(studied / "texts.jsonl", [{"text": " ".join(row["tokens"])} for row in tagged])
    of_tokens, of_texts = (
        [json.loads(line) for line in acclimate("predict", studied / "out" / "best", studied / name).stdout.splitlines()]
        for name in ("test.jsonl", "texts.jsonl")
    )
    for answers in (of_tokens, of_texts):
        assert [[{**entity, "score": None} for entity in answer["entities"]] for answer in answers] == [
            [{**entity, "score": None} for entity in entities] for entities in wanted
        ]
    assert [answer["tags"] for answer in of_tokens] == [row["tags"] for row in tagged]


def test_a_pipeline_of_plain_transformers_finds_the_same_entities(studied, tagged):
    from transformers import pipeline

    texts = [SPACED, *(" ".join(row["tokens"]) for row in tagged)]
    plain = pipeline("token-classification", model=str(studied / "out" / "best"), aggregation_strategy="simple")
    ours = load_predictor(studied / "out" / "best").entities(texts)
    for text, entities, theirs in zip(texts, ours, plain(texts), strict=True):
        assert [(each.start, each.end, each.label) for each in entities] == [
            (each["start"], each["end"], each["entity_group"]) for each in theirs
        ]
        assert all(text[each.start : each.end] == each.text for each in entities)
        if text != SPACED:  # which is unlike what it learned from
            np.testing.assert_allclose([each.score for each in entities], [each["score"] for each in theirs], atol=0.05)
    assert [each.text for each in ours[0]] == ["Grace Hopper", "New\tYork"]


def test_a_words_probabilities_are_those_that_plain_transformers_gives_its_first_piece(studied):
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    best = studied / "out" / "best"
    read = AutoTokenizer.from_pretrained(best)([SPACED], return_offsets_mapping=True, return_tensors="pt")
    offsets = read.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        probabilities = AutoModelForTokenClassification.from_pretrained(best).eval()(**read).logits[0].double().softmax(-1).numpy()
    words = found_words([SPACED])
    first = [next(place for place, (start, end) in enumerate(offsets) if start == begin < end) for begin, _ in words.values.tolist()]
    np.testing.assert_allclose(load_predictor(best).probabilities([SPACED], words=words), probabilities[first], atol=1e-5)


def test_the_report_counts_labelled_sentences_and_entities_of_each_type(studied):
    page = (studied / "out" / "report.md").read_text()
    gold = [json.loads(line)["tags"] for line in (studied / "train.jsonl").read_text().splitlines()]
    assert "Labelled examples:" in page
    assert "Held-out" not in page
    assert "Entities by type:" in page
    assert "Some types have fewer than 30 test entities" in (studied / "out" / "best" / "README.md").read_text()
    for name in ("loc", "per"):
        assert f"| {name} | {sum(tags.count(f'B-{name}') for tags in gold)} |" in page
