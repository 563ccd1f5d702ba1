"""Studies of decoders: by held-out text, and by labels after pretraining, with what they forget; cards and verbs say what they are."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.errors import SettingsError
from acclimate.evaluation.predictor import load_predictor
from acclimate.files import read_json, write_json
from acclimate.modeling.base_dtype import in_base_dtype
from acclimate.modeling.base_files import BASE_DTYPE, CONFIG, WEIGHTS, dtypes_in
from acclimate.study.language.study import load_study
from acclimate.study.plan.graph import Plan
from acclimate.tasks.opened import Data

NEW = "{{ random: {{ architecture: gpt2, layers: 1, hidden: 16, heads: 2, positions: 32, tokenizer: {world}/model }} }}"
HELD_OUT = (
    """forgetting: false
base: {world}/model
data:
  task: {{ kind: perplexity, on: {{ held: {{ path: {world}/test.jsonl, text: text }} }} }}
  domain: {world}/domain.jsonl
seeds: 1
recipes:
  next:
    base: """
    + NEW
    + """
    stages: [pretrain: {{ tokens: 2000, batch_tokens: 256, lr: 1e-2 }}, score]
"""
)
LABELS = """forgetting: acclimate-general
base: {model}
data:
  domain: {world}/domain.jsonl
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 1
recipes:
  DAPT: [pretrain: &next {{ corpus: domain, tokens: 1000, batch_tokens: 256, lr: 5e-3 }}, finetune: {{ lr: 1e-2, epochs: 2, min_steps: 0 }}]
  zero-shot: [prompt: {{ template: "{{text}} the {{mask}}", names: &words {{ sport: match, trade: bank, music: [song, band] }} }}]
  shown: [pretrain: *next, prompt: {{ template: "{{text}} the {{mask}}", names: *words, shots: 1 }}]
"""


def run(*words):
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory, write_study):
    """The study by held-out text; its best model is the base of the others."""
    folder = tmp_path_factory.mktemp("decoders")
    result = run("study", write_study(folder, HELD_OUT), "--engine", "inline")
    assert result.exit_code == 0, result.output
    return folder / "results/study"


def test_a_decoder_from_nothing_is_judged_by_held_out_text_and_says_what_it_is(finished, tiny_world):
    AutoModelForCausalLM.from_pretrained(finished / "best")
    card = (finished / "best/README.md").read_text()
    assert "pipeline_tag: text-generation" in card
    assert "predicts each next word of a text" in card
    assert "mask" not in card.partition("## How it was made")[0]
    result = run("evaluate", finished / "best", tiny_world / "test.jsonl", "--text", "text")
    assert result.exit_code == 0, result.output
    assert "bits_per_byte" in result.output


def whole_of_best(out):
    """The folder in the store that the best model was copied from."""
    best = json.loads((out / "study.json").read_text())["best"]
    rows = csv.DictReader((out / "results.csv").open())
    key = next(row["key"] for row in rows if row["recipe"] == best["recipe"] and row["seed"] == str(best["seed"]))
    return next(path for path in out.parents[1].rglob(f"{key[:16]}*/model") if (path / CONFIG).is_file())


def test_labels_are_learned_after_pretraining_and_what_is_forgotten_is_told(finished, tiny_world, tmp_path):
    study, base = tmp_path / "study.yaml", tmp_path / "base"
    shutil.copytree(finished / "best", base)
    write_json(base / CONFIG, read_json(base / CONFIG) | {BASE_DTYPE: "bfloat16"})
    assert in_base_dtype(base) == "bfloat16"  # as most decoders are published
    study.write_text(LABELS.format(world=tiny_world, model=base))
    said = load_study(study)
    plan = Plan.of(said, Data.open(said.data, tmp_path, tmp_path / "cache"), tmp_path)
    sizes = [(node.stage.stage, plan.given[key].bytes // plan.given[key].disk_bytes) for key, node in plan.nodes.items()]
    assert sizes == [("start", 2), ("pretrain", 2), ("finetune", 1), ("prompt", 2), ("prompt", 1)], "half, until one is trained"
    result = run("study", study, "--engine", "inline")
    assert result.exit_code == 0, result.output
    out = tmp_path / "results/study"
    told = json.loads((out / "study.json").read_text())["forgetting"]["recipes"]
    assert told["DAPT"]
    rows = {row["recipe"]: row for row in csv.DictReader((out / "results.csv").open())}
    assert rows["shown"]["labels"] == "all"
    assert all(float(rows[name]["test_macro_f1"]) > 0 for name in ("DAPT", "zero-shot", "shown"))
    assert "prompt: 1 examples show 1 of 3 labels" in result.output
    assert json.loads((out / "best" / CONFIG).read_text())["architectures"] == ["GPT2ForSequenceClassification"]
    assert dtypes_in(out / "best" / WEIGHTS) == {"BF16"}
    assert "Its weights are bfloat16, as those of its base are" in (out / "best/README.md").read_text()
    notes = json.loads((out / "study.json").read_text())["notes"]
    (told,) = (note for note in notes if note.startswith("best/ comes in bfloat16, as its base does"))
    changed, of = (int(each) for each in re.search(r"of (\d+) test texts (\d+) are answered otherwise", told).groups()[::-1])
    rows = [json.loads(line) for line in (tiny_world / "test.jsonl").read_text().splitlines()]
    assert of == min(64, len(rows))
    both = [load_predictor(folder).probabilities([row["text"] for row in rows]).argmax(1) for folder in (whole_of_best(out), out / "best")]
    assert changed == int((both[0] != both[1])[np.unique(np.linspace(0, len(rows) - 1, of).astype(int))].sum())
    answered = run("predict", out / "best", tiny_world / "test.jsonl", "--out", tmp_path / "answers.csv")
    assert answered.exit_code == 0, answered.output


def test_a_decoder_teaches_no_masked_words(finished, write_study, tiny_world, tmp_path):
    text = HELD_OUT.split("recipes:")[0] + "recipes:\n  taught: [pretrain: {{ teacher: TEACHER }}, score]\n"
    study = load_study(write_study(tmp_path, text.replace("TEACHER", str(finished / "best"))))
    with pytest.raises(SettingsError, match=r"teacher: .* is a decoder"):
        Plan.of(study, Data.open(study.data, tmp_path, tmp_path / "cache"), tmp_path)
