"""The same recipe once more: everything random is drawn anew, nothing else changes, and seeds stay paired."""

import json
from pathlib import Path

import pytest

from acclimate.errors import SettingsError, TrainingError
from acclimate.report.results.finished import Results
from acclimate.report.words.sentences import recipe_sentences
from acclimate.stages.finetune import Finetune
from acclimate.study.language.study import parse_study, resolved
from acclimate.study.language.yaml import load
from acclimate.study.plan.smoke import smoke_study
from acclimate.study.run import Options, run_study

EXAMPLE = Path(__file__).parents[2] / "examples" / "aa.yaml"
HEAD = "{head}\n"


def ends(plan):
    return {(run.recipe, run.seed): run.end for run in plan.runs}


def test_another_draw_is_another_computation_from_the_same_base_on_the_same_texts(plan_of):
    plan = plan_of(HEAD + "seeds: 2\nlabels: [30]\nrecipes: {{ a: [finetune], b: {{ draw: 1, stages: [finetune] }} }}")
    keys = ends(plan)
    assert len(set(keys.values())) == 4
    for seed in (0, 1):
        one, other = plan.nodes[keys["a", seed]], plan.nodes[keys["b", seed]]
        assert one.fingerprints == other.fingerprints
        assert one.parent == other.parent
    assert plan.nodes[keys["a", 0]].fingerprints != plan.nodes[keys["a", 1]].fingerprints


def test_a_stage_is_given_the_texts_of_its_seed_and_streams_of_its_draw(tiny_world, tmp_path, monkeypatch):
    seen = {}

    def look(self, parent, context):
        seen[context.title.partition(":")[0]] = (context.seed, context.task().train.inputs[0])
        raise TrainingError("seen enough")

    monkeypatch.setattr(Finetune, "run", look)
    task = {split: str(tiny_world / f"{split}.jsonl") for split in ("train", "dev", "test")}
    recipes = {"a": ["finetune"], "b": {"draw": 1, "stages": ["finetune"]}, "c": {"draw": 2, "stages": ["finetune"]}}
    study = parse_study({"base": str(tiny_world / "model"), "data": {"task": task}, "labels": [30], "seeds": 2, "recipes": recipes})
    run_study(study, tmp_path, Options(tmp_path / "out", tmp_path / "store", engine="inline", threads=1, say=lambda _: None))
    streams, texts = ({title: each[place] for title, each in seen.items()} for place in (0, 1))
    assert len(set(streams.values())) == len(streams) == 6
    for seed in (0, 1):
        assert streams[f"a, seed {seed}, 30 labels"] == seed
        assert len({texts[f"{recipe}, seed {seed}, 30 labels"] for recipe in recipes}) == 1
    assert len(set(texts.values())) == 2


def test_draw_zero_is_the_recipe_without_it(plan_of):
    plan = plan_of(HEAD + "recipes: {{ a: [pretrain, finetune], b: {{ draw: 0, stages: [pretrain, finetune] }} }}")
    keys = ends(plan)
    assert {keys["a", seed] for seed in range(3)} == {keys["b", seed] for seed in range(3)}


def test_another_draw_of_a_pretraining_is_another_checkpoint_and_random_weights_are_drawn_anew(plan_of):
    plan = plan_of(
        HEAD + "recipes: {{ a: [pretrain, finetune], b: {{ draw: 1, stages: [pretrain, finetune] }},"
        " c: {{ base: random, stages: [finetune] }}, d: {{ base: random, draw: 1, stages: [finetune] }} }}"
    )
    kinds = [node.stage.model_dump()["stage"] for node in plan.nodes.values()]
    assert kinds.count("pretrain") == 2
    assert kinds.count("start") == 1 + 3 + 3


def test_the_draw_of_a_baseline_is_written_out_too():
    recipes = {"bilstm": {"base": "bilstm"}, "again": {"base": "bilstm", "draw": 1}}
    study = parse_study({"name": "x", "base": "m", "data": {"task": {"path": "t"}}, "recipes": recipes})
    assert parse_study(resolved(study)).recipes["again"] == study.recipes["again"]
    assert study.recipes["again"].draw == 1


def test_where_nothing_is_drawn_another_draw_is_a_mistake():
    study = {"base": "m", "data": {"task": {"train": "t.csv"}}, "recipes": {"a": ["finetune"], "t": {"base": "tfidf", "draw": 1}}}
    with pytest.raises(SettingsError, match=r"^recipes\.t\.draw: nothing in this recipe is drawn at random"):
        parse_study(study)
    with pytest.raises(SettingsError, match="draw"):
        parse_study({**study, "recipes": {"a": {"draw": True, "stages": ["finetune"]}}})


def test_the_draw_is_written_out_and_read_back_and_survives_a_smoke_run():
    study = parse_study({"base": "m", "data": {"task": {"train": "t.csv"}}, "recipes": {"a": {"draw": 3, "stages": ["finetune"]}}})
    assert resolved(study)["recipes"]["a"]["draw"] == 3
    assert resolved(parse_study(resolved(study))) == resolved(study)
    assert smoke_study(study).recipes["a"].draw == 3


@pytest.mark.measured(0)
def test_the_example_compares_a_recipe_with_itself_and_cannot_tell(tiny_world, tmp_path):
    """Its recipes, seeds and reference as they are; model, data and pace are the tiny ones."""
    written = load(EXAMPLE).value
    task = {split: str(tiny_world / f"{split}.jsonl") for split in ("train", "dev", "test")}
    written = json.loads(json.dumps(written | {"base": str(tiny_world / "model"), "data": {"task": task}, "labels": [30]}))
    for recipe in written["recipes"].values():
        (stage,) = recipe["stages"] if isinstance(recipe, dict) else recipe
        stage["finetune"] |= {"lr": 1e-2, "epochs": 2, "min_steps": 0}
    study = parse_study({"name": "aa", **written})
    stages = {recipe.stages for recipe in study.recipes.values()}
    assert len(stages) == 1
    assert sorted(recipe.draw for recipe in study.recipes.values()) == [0, 1, 2]
    options = Options(tmp_path / "out", tmp_path / "store", engine="inline", threads=1, say=lambda _: None)
    assert run_study(study, tmp_path, options).failed == 0
    results = Results.load(tmp_path / "out")
    verdicts = [results.verdict_of(recipe, "30") for recipe in results.recipes if recipe != results.reference]
    for verdict in verdicts:
        assert verdict is not None
        assert verdict.claim == "cannot tell"
        assert verdict.low < verdict.high
    # Not one computation under three names: the draws really differ.
    assert any(verdict.difference for verdict in verdicts)
    first, *others = recipe_sentences(results, "30")
    assert "is the reference" in first.sentence
    assert all("cannot be told from the reference" in said.sentence for said in others)
    assert all(said.advice for said in others)


@pytest.mark.measured(0)
def test_the_same_draw_gives_the_same_model_again(tiny_world, tmp_path):
    task = {split: str(tiny_world / f"{split}.jsonl") for split in ("train", "dev", "test")}
    stage = {"finetune": {"epochs": 1, "min_steps": 0, "lr": 1e-2}}
    recipes = {"a": [stage], "b": {"draw": 1, "stages": [stage]}}
    digests = []
    for name in ("one", "two"):
        study = parse_study({"base": str(tiny_world / "model"), "data": {"task": task}, "seeds": 1, "recipes": recipes})
        options = Options(tmp_path / name, tmp_path / f"{name}-store", engine="inline", threads=1, say=lambda _: None)
        run_study(study, tmp_path, options)
        records = [json.loads(path.read_text()) for path in (tmp_path / f"{name}-store" / "artifacts").glob("*/stage.json")]
        digests.append({record["key"]: json.dumps(record["files"]["model/model.safetensors"]) for record in records})
    assert digests[0] == digests[1]
    assert len(set(digests[0].values())) == 3
