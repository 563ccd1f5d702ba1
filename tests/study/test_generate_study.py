"""A study whose answers are written: run, reported, handed over with a card, and refused by verbs that answer with labels."""

import json
import random

import pyarrow.parquet as pq
from tests.study.conftest import WORDS, write_jsonl
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.modeling.base_files import CONFIG, KIND

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
    for verb in ("predict", "evaluate"):
        refused = run(verb, out / "best", tmp_path / "test.jsonl", *(["--out", tmp_path / "x.csv"] if verb == "predict" else []))
        assert refused.exit_code == 2, refused.output
        assert "writes answers" in refused.output
