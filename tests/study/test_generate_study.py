"""A study whose answers are written: run, reported, handed over with a card, and asked afterwards."""

import csv
import json
import random

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.study.conftest import WORDS, write_jsonl
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.modeling.base_files import CONFIG, KIND
from acclimate.serving.asked import Way
from acclimate.serving.service import predicting

NEW = "base: {{ random: {{ architecture: gpt2, layers: 1, hidden: 16, heads: 2, positions: 32, tokenizer: {world}/model }} }}"
STUDY = f"""forgetting: false
base: {{world}}/model
data:
  task: {{{{ kind: generate, train: train.jsonl, dev: dev.jsonl, test: test.jsonl, duplicates: keep }}}}
seeds: 1
recipes:
  as it is:
    {NEW}
    stages: [score: {{{{ max_new_tokens: 2 }}}}]
  fine-tune:
    {NEW}
    stages: [finetune: {{{{ lr: 1e-2, epochs: 3, min_steps: 0, max_new_tokens: 2 }}}}]
"""


def run(*words):
    return CliRunner().invoke(app, [*map(str, words)])


def test_answers_are_compared_reported_and_handed_over(tiny_world, tmp_path):
    rng, topics = random.Random(0), list(WORDS)
    for split, count in (("train", 60), ("dev", 12), ("test", 12)):
        rows = ((topic := rng.choice(topics), " ".join(rng.choices(WORDS[topic], k=4))) for _ in range(count))
        write_jsonl(tmp_path / f"{split}.jsonl", [{"prompt": words, "completion": WORDS[topic][0]} for topic, words in rows])
    (tmp_path / "study.yaml").write_text(STUDY.format(world=tiny_world))
    result = run("study", tmp_path / "study.yaml", "--engine", "inline")
    assert result.exit_code == 0, result.output
    out = tmp_path / "results/study"
    assert "token F1" in result.output
    page = (out / "report.html").read_text()
    assert "The answers that are furthest off" in page
    predictions = pq.read_table(next(out.glob("**/predictions*.parquet")))
    assert {"gold", "predicted", "token_f1", "rouge_l"} <= set(predictions.column_names)
    AutoModelForCausalLM.from_pretrained(out / "best")
    assert json.loads((out / "best" / CONFIG).read_text())[KIND] == "generate"
    card = (out / "best/README.md").read_text()
    assert "pipeline_tag: text-generation" in card
    assert 'pipeline("text-generation"' in card
    asked_afterwards(out / "best", tmp_path / "test.jsonl", tmp_path / "answers.csv", predictions.to_pylist())


def asked_afterwards(best, test, answers, predictions):
    """The verbs give the answers and the scores of the study, and a server the answers."""
    recipe = json.loads((best.parent / "study.json").read_text())["best"]["recipe"]
    expected = [row for row in predictions if row["split"] == "test" and row["recipe"] == recipe]
    result = run("predict", best, test, "--out", answers)
    assert result.exit_code == 0, result.output
    with answers.open(newline="") as file:
        written = [*csv.DictReader(file)]
    assert [row["answer"] for row in written] == [row["predicted"] for row in expected]
    unended = sum(row["ended"] == "False" for row in written)
    assert (f"{unended} of 12 answers had not ended after 2 tokens" in result.output) == bool(unended)
    judged = run("evaluate", best, test)
    assert judged.exit_code == 0, judged.output
    scores = dict(line.split() for line in judged.output.splitlines() if len(line.split()) == 2)
    for name in ("exact_match", "token_f1", "rouge_l"):
        assert float(scores[name]) == pytest.approx(np.mean([row[name] for row in expected]), abs=1e-4)
    said = predicting(best).answer(Way(), [(json.loads(line)["prompt"],) for line in test.read_text().splitlines()])
    assert [json.loads(each)["answer"] for each in said.answers] == [row["answer"] for row in written]
    assert predicting(best).told["problem"] == "text_generation"
    (test.parent / "odd.jsonl").write_text('{"prompt": ""}\n{"prompt": "contract"}\n')
    lines = run("predict", best, test.parent / "odd.jsonl").stdout.splitlines()
    assert json.loads(lines[0])["answer"] is None
    assert "'prompt' is empty" in json.loads(lines[0])["problem"]
    assert isinstance(json.loads(lines[1])["answer"], str)
    timed = run("speed", best, "--data", test)
    assert timed.exit_code == 2
    assert "writes answers, and how long that takes depends on their length" in timed.output
