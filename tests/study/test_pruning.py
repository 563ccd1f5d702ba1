"""A vocabulary is cut in a recipe and by the verb, a new one is learned: what runs how often, what is measured, what is printed."""

import json
import re

import pytest
from transformers import AutoModel, AutoTokenizer

from acclimate.errors import SettingsError
from acclimate.files import read_json
from acclimate.report.results.finished import Results
from acclimate.study.language.study import load_study
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study

HEAD = """
{head}
seeds: 2
labels: [30]
"""
RECIPES = """
recipes:
  fine-tune: [finetune: {{ epochs: 1, min_steps: 0 }}]
  small: [prune: {{ size: 40 }}, finetune: {{ epochs: 1, min_steps: 0 }}]
  smaller: [prune: {{ corpus: task, size: 30 }}, pretrain: {{ tokens: 1000, batch_tokens: 512 }}, finetune: {{ epochs: 1, min_steps: 0 }}]
"""


def nodes_of(plan, kind):
    return [node for node in plan.nodes.values() if node.stage.model_dump()["stage"] == kind]


def test_a_pruning_runs_once_where_nothing_was_drawn_before_it(plan_of):
    plan = plan_of(HEAD + "recipes: {{ a: [prune: {{ size: 30 }}, finetune], b: [pretrain, prune: {{ size: 30 }}, finetune] }}")
    assert [node.title for node in nodes_of(plan, "prune")] == ["a: prune on domain", "b: prune on domain"]
    assert len(nodes_of(plan, "pretrain")) == 1


def test_a_pruning_runs_per_seed_after_what_does(plan_of):
    plan = plan_of(HEAD + "recipes: {{ a: [pretrain: {{ corpus: task }}, prune: {{ size: 30 }}, finetune] }}")
    assert [node.title for node in nodes_of(plan, "prune")] == ["a, seed 0: prune on domain", "a, seed 1: prune on domain"]
    assert len(nodes_of(plan, "pretrain")) == 2


def test_a_size_below_what_always_stays_is_refused_before_anything_runs(plan_of):
    with pytest.raises(SettingsError, match=r"recipes\.a: size: 3 entries are too few: 6 always stay"):
        plan_of(HEAD + "recipes: {{ a: [pretrain, prune: {{ size: 3 }}, finetune] }}")


def test_a_size_that_the_base_does_not_exceed_is_refused_before_anything_runs(plan_of):
    with pytest.raises(SettingsError, match=r"recipes\.a: size: 16,384 entries were asked for, and there are 51 by then"):
        plan_of(HEAD + "recipes: {{ a: [prune, finetune] }}")


@pytest.mark.measured(0)
def test_a_study_with_prunings_runs_and_says_what_was_lost(write_study, tmp_path):
    file = write_study(tmp_path, HEAD + RECIPES)
    study = load_study(file)
    assert len(estimates(prepare(study, tmp_path, tmp_path / "store"), 1e9)) == 10
    done = run_study(study, tmp_path, Options(tmp_path / "out", tmp_path / "store", engine="inline", threads=1, say=lambda _: None))
    assert not done.failed
    stages = {(stage.stage, stage.recipes): stage for stage in Results.load(tmp_path / "out").stages}
    measured = stages["prune", ("small",)].metrics
    assert (measured["entries_before"], measured["entries_after"]) == (51, 40)
    assert measured["parameters_before"] - measured["parameters_after"] == 11 * 16
    assert measured["disk_bytes_after"] < measured["disk_bytes_before"]
    # Every word of this world is one entry, so what is lost is unknown afterwards.
    assert measured["corpus_tokens_before"] == measured["corpus_tokens_after"]
    assert measured["unknown_tokens_before"] == 0
    assert measured["unknown_tokens_after"] == round(measured["lost_token_share"] * measured["corpus_tokens_before"]) > 0
    assert stages["prune", ("smaller",)].metrics["entries_after"] == 30
    told = read_json(tmp_path / "out" / "study.json")["vocabularies"]
    assert [[text["text"] for text in told[stages["prune", recipes].key]] for recipes in (("small",), ("smaller",))] == [
        ["domain", "acclimate-general"],
        ["task", "acclimate-general"],
    ]
    domain = told[stages["prune", ("small",)].key][0]
    assert domain["whole"]
    assert [domain[f"tokens_{when}"] for when in ("before", "after")] == [measured[f"corpus_tokens_{when}"] for when in ("before", "after")]
    assert [domain[f"unknown_{when}"] for when in ("before", "after")] == [0, measured["unknown_tokens_after"]]
    assert stages["prune", ("small",)].cost["characters_per_second"] > 0
    vocabularies = {}
    for folder in (tmp_path / "store" / "artifacts").iterdir():
        record = read_json(folder / "stage.json")
        vocabularies.setdefault(record["title"].partition(":")[0], set()).add(read_json(folder / "model" / "config.json")["vocab_size"])
    assert vocabularies["small, seed 0, 30 labels"] == {40}
    assert vocabularies["smaller, seed 1, 30 labels"] == {30}


@pytest.mark.usefixtures("one_process")
def test_the_verb_prune_makes_a_plain_model_and_shows_size_and_speed(acclimate, tiny_world, tmp_path):
    done = acclimate("prune", tiny_world / "model", tiny_world / "domain.jsonl", "--out", "out", "--size", 40, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    general = (
        r"Text acclimate-general, a sample of it \([\d,]+ words\):\nbefore +\d\.\d{3} tokens per word, \d+\.\d % of them unknown \([\d,]+\)"
    )
    for line in (r"entries_before +51", r"entries_after +40", r"lost_token_share +0\.\d+", r"before +[\d,]+ characters/s", general):
        assert re.search(line, done.stdout), line
    assert re.search(r"after +[\d,]+ characters/s, \d+\.\d\d times as fast", done.stdout)
    assert AutoModel.from_pretrained(tmp_path / "out").config.vocab_size == len(AutoTokenizer.from_pretrained(tmp_path / "out")) == 40
    few = acclimate("prune", tiny_world / "model", tiny_world / "domain.jsonl", "--out", "few", "--size", 4, folder=tmp_path)
    assert few.returncode == 2
    assert "size: 4 entries are too few: 6 always stay" in few.stderr
    assert not (tmp_path / "few").exists()


def test_the_verb_tokenizer_learns_what_a_new_model_can_speak(acclimate, tiny_world, write_study, tmp_path):
    asked = ("tokenizer", tiny_world / "domain.jsonl", "--out", "words", "--size", 120)
    done = acclimate(*asked, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"entries +\d+\n", done.stdout)
    assert re.search(r"characters_per_token +\d\.\d\d", done.stdout)
    assert acclimate(*asked, folder=tmp_path).returncode == 2
    shape = json.dumps({"layers": 1, "hidden": 8, "heads": 2, "tokenizer": str(tmp_path / "words")})
    recipes = f"recipes: {{ new: {{ base: {{ random: {shape} }}, stages: [finetune: {{ epochs: 1, min_steps: 0 }}] }} }}\n"
    study = write_study(tmp_path, HEAD + recipes.replace("{", "{{").replace("}", "}}"))
    run = run_study(
        load_study(study), tmp_path, Options(tmp_path / "out", tmp_path / "store", engine="inline", threads=1, say=lambda _: None)
    )
    assert not run.failed
