"""`merge` in a study: with the base, with another recipe, and at several weights, which make a recipe each."""

import json
import shutil

import pytest
import torch

from acclimate.errors import SettingsError
from acclimate.modeling.folder import ModelFolder
from acclimate.stages.merge import Merge
from acclimate.study.language.study import Study, resolved
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, carry_out
from acclimate.study.watch.journal import Journal

SHORT = {"epochs": 1, "min_steps": 0, "max_length": 32}
DAPT = {"pretrain": {"tokens": 1500, "batch_tokens": 256, "head_warmup": 0, "patience": None, "lr": 1e-2}}


def study(world, recipes, **also):
    task = {split: str(world / f"{split}.jsonl") for split in ("train", "dev", "test")}
    data = {"task": task, "domain": str(world / "domain.jsonl")}
    return Study.model_validate({"base": str(world / "model"), "data": data, "seeds": 1, "forgetting": False, "recipes": recipes} | also)


def test_several_weights_make_a_recipe_each():
    recipes = {"DAPT": ["pretrain", {"merge": {"weight": [0.25, 1]}}, "finetune"], "plain": ["finetune"]}
    made = Study.model_validate({"base": "m", "data": {"task": "t.jsonl", "domain": "d.txt"}, "recipes": recipes})
    assert list(made.recipes) == ["DAPT @0.25", "DAPT @1", "plain"]
    assert [made.recipes[name].stages[1].weight for name in ("DAPT @0.25", "DAPT @1")] == [0.25, 1.0]
    again = Study.model_validate(resolved(made))
    assert list(again.recipes) == list(made.recipes)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"weight": 1.5}, "a share from 0 to 1"),
        ({"weight": []}, "a share from 0 to 1"),
        ({"weight": [0.5, 0.5]}, "names a share twice"),
        ({"weight": [0.5, 0.50000001]}, "names a share twice"),  # and so would two recipes be called
        ({"model": "nobody"}, "'nobody' is not a recipe"),
        ({"model": "DAPT"}, "goes in a circle: DAPT needs DAPT"),
        ({"weight": [0.5]}, "'DAPT @0.5' is two recipes"),
    ],
)
def test_what_cannot_be_merged_is_refused_with_its_place(settings, said):
    recipes = {"DAPT": ["pretrain", {"merge": settings}, "finetune"], "DAPT @0.5": ["finetune"]}
    with pytest.raises(SettingsError, match=said):
        Study.model_validate({"base": "m", "data": {"task": "t.jsonl", "domain": "d.txt"}, "recipes": recipes})


def test_one_weight_of_a_list_is_a_recipe_too():
    recipes = {"DAPT": ["pretrain", {"merge": {"weight": [0.5]}}, "finetune"]}
    made = Study.model_validate({"base": "m", "data": {"task": "t.jsonl", "domain": "d.txt"}, "recipes": recipes})
    assert list(made.recipes) == ["DAPT @0.5"]


def test_what_is_wrong_with_all_variants_is_said_once_and_in_its_place():
    recipes = {"DAPT": ["pretrain", {"merge": {"weight": [0.5, 1]}}, "finetune", {"merge": {"model": "nobody"}}], "plain": ["finetune"]}
    with pytest.raises(SettingsError) as refused:
        Study.model_validate({"base": "m", "data": {"task": "t.jsonl", "domain": "d.txt"}, "recipes": recipes})
    lines = [line for line in str(refused.value).splitlines() if "nobody" in line]
    assert len(lines) == 1
    assert "recipes.DAPT" in lines[0]


def test_what_is_several_recipes_cannot_be_gone_on_from_by_its_own_name():
    recipes = {"DAPT": ["pretrain", {"merge": {"weight": [0.5, 1]}}], "more": {"base": {"end_of": "DAPT"}, "stages": ["finetune"]}}
    with pytest.raises(SettingsError, match=r"recipes\.more: DAPT is several recipes; name one of them: DAPT @0\.5, DAPT @1"):
        Study.model_validate({"base": "m", "data": {"task": "t.jsonl", "domain": "d.txt"}, "recipes": recipes})


def test_a_recipe_called_base_must_be_called_something_else():
    recipes = {"base": ["finetune"], "DAPT": ["pretrain", "merge", "finetune"]}
    with pytest.raises(SettingsError, match="model: base may be what DAPT starts from, or the recipe of that name"):
        Study.model_validate({"base": "m", "data": {"task": "t.jsonl", "domain": "d.txt"}, "recipes": recipes})


def test_a_recipe_that_goes_on_from_another_is_merged_with_what_that_left(tiny_world, tmp_path):
    recipes = {
        "DAPT": [DAPT, {"finetune": SHORT}],
        "again": {"base": {"end_of": "DAPT"}, "stages": [DAPT, "merge", {"finetune": SHORT}]},
    }
    plan = prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store").plan
    nodes = {run.recipe: [plan.nodes[key] for key in run.nodes] for run in plan.runs}
    merge = next(node for node in nodes["again"] if isinstance(node.stage, Merge))
    assert merge.beside == (("base", nodes["DAPT"][-1].key),)


def test_the_mean_of_a_model_with_itself_is_refused(tiny_world, tmp_path):
    with pytest.raises(SettingsError, match="merge: nothing stands between base and this model"):
        prepare(study(tiny_world, {"none": ["merge", {"finetune": SHORT}]}), tmp_path, tmp_path / "store")
    with pytest.raises(SettingsError, match=r"recipes\.b: merge: nothing stands between a and this model"):
        prepare(study(tiny_world, {"a": [DAPT], "b": [DAPT, {"merge": {"model": "a"}}, {"finetune": SHORT}]}), tmp_path, tmp_path / "store")


def test_models_that_differ_in_a_setting_alone_are_merged(tiny_world, tmp_path):
    other = {"pretrain": DAPT["pretrain"] | {"lr": 1e-3}}
    recipes = {"a": [DAPT, {"finetune": SHORT}], "b": [other, {"merge": {"model": "c"}}, {"finetune": SHORT}], "c": [DAPT]}
    prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")


def test_another_architecture_or_vocabulary_is_refused_when_it_is_planned(tiny_world, tmp_path):
    cut = {"base": {"layers_of": "plain", "keep": 1}, "stages": [{"merge": {"model": "plain"}}, {"finetune": SHORT}]}
    with pytest.raises(SettingsError, match=r"recipes\.cut: merge: plain has another architecture, or other sizes"):
        prepare(study(tiny_world, {"plain": [{"finetune": SHORT}], "cut": cut}), tmp_path, tmp_path / "store")
    pruned = [{"prune": {"size": 30}}, "merge", {"finetune": SHORT}]
    with pytest.raises(SettingsError, match=r"recipes\.pruned: merge: base has 51 entries in its vocabulary, and the model 30"):
        prepare(study(tiny_world, {"pruned": pruned}), tmp_path, tmp_path / "store")


def test_another_number_of_heads_is_refused_though_all_tensors_have_the_same_shapes(tiny_world, tmp_path):
    shutil.copytree(tiny_world / "model", tmp_path / "other")
    file = tmp_path / "other" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_attention_heads": 4}))
    recipes = {"theirs": {"base": str(tmp_path / "other"), "stages": [DAPT]}, "mine": [DAPT, {"merge": {"model": "theirs"}}, "finetune"]}
    with pytest.raises(SettingsError, match=r"recipes\.mine: merge: theirs has another architecture, or other sizes"):
        prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")


def test_another_vocabulary_of_the_same_size_is_refused_when_it_is_planned(tiny_world, tmp_path):
    shutil.copytree(tiny_world / "model", tmp_path / "other")
    file = tmp_path / "other" / "tokenizer.json"
    words = json.loads(file.read_text())
    entries = words["model"]["vocab"]
    one, two = list(entries)[-2:]
    entries[one], entries[two] = entries[two], entries[one]
    file.write_text(json.dumps(words))
    recipes = {
        "theirs": {"base": str(tmp_path / "other"), "stages": [{"pretrain": DAPT["pretrain"] | {"lr": 1e-3}}]},
        "mine": [DAPT, {"merge": {"model": "theirs"}}, {"finetune": SHORT}],
    }
    with pytest.raises(SettingsError, match=r"recipes\.mine: merge: theirs has another vocabulary of the same size"):
        prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")
    shutil.copyfile(tiny_world / "model" / "tokenizer.json", file)
    prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")


@pytest.mark.measured(0)
def test_the_base_and_what_became_of_it_are_merged(tiny_world, tmp_path):
    recipes = {
        "DAPT": [DAPT, {"finetune": SHORT}],
        "merged": [DAPT, {"merge": {"weight": [0.0, 0.5]}}, {"finetune": SHORT}],
        "both": [DAPT, {"merge": {"model": "plain", "weight": 0.5}}, {"finetune": SHORT}],
        "plain": [{"finetune": SHORT}],
    }
    prepared = prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")
    options = Options(tmp_path / "out", tmp_path / "store", engine="inline", say=lambda _: None)
    with Journal("merge", owns_terminal=False) as journal:
        reports = carry_out(prepared, options, journal)
    assert {report.status for report in reports.values()} <= {"done", "cached"}
    plan = prepared.plan
    nodes = {run.recipe: [plan.nodes[key] for key in run.nodes] for run in plan.runs}
    assert isinstance(nodes["merged @0.5"][2].stage, Merge)
    assert nodes["merged @0.5"][1].key == nodes["DAPT"][1].key
    assert nodes["merged @0.5"][2].beside == (("base", nodes["DAPT"][0].key),)
    both = next(node for node in nodes["both"] if isinstance(node.stage, Merge))
    assert both.beside == (("plain", nodes["plain"][-1].key),)

    def model(node):
        return ModelFolder(prepared.store.path(node.key) / "model").tensors()

    base, adapted = model(nodes["DAPT"][0]), model(nodes["DAPT"][1])
    name = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(model(nodes["merged @0"][2])[name], base[name])
    torch.testing.assert_close(model(nodes["merged @0.5"][2])[name], (base[name] + adapted[name]) / 2)
    assert not torch.equal(base[name], adapted[name])
