import json
import subprocess
import sys
from dataclasses import replace

import pytest
from transformers import BertConfig

from acclimate.errors import DataError, SettingsError
from acclimate.modeling.families import family_of
from acclimate.stages import planned
from acclimate.study.language.paths import relocated
from acclimate.study.language.study import load_study
from acclimate.study.outputs.best import Candidate, choose
from acclimate.study.plan.prepared import needed, prepare

HEAD = "{head}\n"


def ends(plan):
    return {(run.recipe, run.seed, run.labels): run.end for run in plan.runs}


def test_what_recipes_share_is_there_once(plan_of):
    plan = plan_of(HEAD + "seeds: 3\nrecipes: {{ a: [pretrain, finetune], b: [pretrain, {{finetune: {{train: head}}}}], c: [finetune] }}")
    kinds = [node.stage.model_dump()["stage"] for node in plan.nodes.values()]
    assert (kinds.count("start"), kinds.count("pretrain"), kinds.count("finetune")) == (1, 1, 9)
    assert len(plan.runs) == 9


def test_parents_come_before_children(plan_of):
    plan = plan_of(HEAD + "recipes: {{ a: [pretrain, {{pretrain: {{corpus: task}}}}, finetune] }}")
    seen = set()
    for node in plan.nodes.values():
        assert node.parent is None or node.parent in seen
        seen.add(node.key)


def test_seeds_part_where_a_stage_says_so(plan_of):
    shared = plan_of(HEAD + "recipes: {{ a: [{{pretrain: {{seeds: first}}}}, finetune] }}")
    apart = plan_of(HEAD + "recipes: {{ a: [{{pretrain: {{seeds: all}}}}, finetune] }}")
    count = [sum(node.stage.model_dump()["stage"] == "pretrain" for node in plan.nodes.values()) for plan in (shared, apart)]
    assert count == [1, 3]


def test_a_key_changes_with_a_setting_and_with_what_comes_before_and_with_nothing_else(plan_of):
    recipes = "recipes: {{ a: [{{finetune: {{lr: %s}}}}], b: [pretrain, finetune] }}"
    first = plan_of(HEAD + recipes % "1e-4")
    again = plan_of(HEAD + recipes % "0.0001")
    other = plan_of(HEAD + recipes % "2e-4")
    assert ends(first) == ends(again)
    same = {run for run, key in ends(first).items() if ends(other)[run] == key}
    assert {recipe for recipe, _, _ in same} == {"b"}


def test_a_pretraining_knows_how_many_before_it_have_read_its_text(plan_of):
    plan = plan_of(
        HEAD + "recipes: {{ a: [pretrain, {{pretrain: {{corpus: task}}}}, {{pretrain: {{corpus: {{domain: 1, task: 0.5}}}}}}, finetune] }}"
    )
    first = [plan.nodes[key] for key in plan.runs[0].nodes]
    assert [node.earlier for node in first] == [0, 0, 0, 2, 0]


@pytest.mark.parametrize("setting", ["heldout_share: 0.1", "heldout_tokens: 100"])
def test_a_text_of_which_two_pretrainings_hold_out_different_parts_is_refused(plan_of, setting):
    with pytest.raises(SettingsError, match=r"recipes\.b: two pretrainings read the same corpus and hold out different parts"):
        plan_of(
            HEAD
            + f"recipes: {{{{ a: [pretrain, {{{{pretrain: {{{{corpus: task, {setting}}}}}}}}}, finetune],"
            + f" b: {{{{ base: {{{{layers_of: a, keep: 1}}}}, stages: [{{{{pretrain: {{{{{setting}}}}}}}}}, finetune] }}}} }}}}"
        )


def test_plain_baselines_run_once_where_nothing_is_drawn(plan_of):
    plan = plan_of(HEAD + "seeds: 3\nlabels: [30, all]\nrecipes: {{ t: {{base: tfidf}}, f: [finetune] }}")
    keys = {
        labels: {key for (recipe, _, budget), key in ends(plan).items() if (recipe, budget) == ("t", labels)} for labels in ("30", "all")
    }
    assert (len(keys["30"]), len(keys["all"])) == (3, 1)


def test_changed_data_changes_the_keys_that_read_it(plan_of, tiny_world, tmp_path):
    task = "{{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}"
    recipes = "{{ a: [finetune], b: [pretrain, finetune] }}"
    text = f"base: {{world}}/model\ndata: {{{{ domain: DOMAIN, task: {task} }}}}\nrecipes: {recipes}\n"
    before = plan_of(text.replace("DOMAIN", "{world}/domain.jsonl"))
    changed = tmp_path / "domain.jsonl"
    changed.write_text((tiny_world / "domain.jsonl").read_text() + json.dumps({"text": "one more line"}) + "\n")
    after = plan_of(text.replace("DOMAIN", str(changed)))
    assert {run for run, key in ends(before).items() if ends(after)[run] != key} == {("b", seed, "all") for seed in range(3)}


def test_a_budget_larger_than_train_is_refused(plan_of):
    with pytest.raises(DataError, match="3,000"):
        plan_of(HEAD + "labels: [3000]\nrecipes: {{ a: [finetune] }}")


def test_what_is_kept_for_a_study_is_kept_in_every_precision(write_study, tmp_path):
    study = load_study(write_study(tmp_path, HEAD + "recipes: {{ a: [finetune] }}"))
    kept = needed(study, tmp_path, tmp_path / "store")
    keys = [set(prepare(study, tmp_path, tmp_path / "store", precision=precision).plan.nodes) for precision in ("auto", "float32", "bf16")]
    assert kept == set.union(*keys)
    assert not keys[0] & keys[2]


def test_some_layers_of_a_model_that_has_one_for_all_are_refused_before_anything_is_spent(plan_of, monkeypatch):
    one_layer = replace(family_of(BertConfig()), shares_layers=True)
    monkeypatch.setattr(planned.Sizes, "family", property(lambda sizes: one_layer))
    with pytest.raises(SettingsError, match=r"recipes\.a: train: .* layers share their weights, so it is `all` or `head`"):
        plan_of(HEAD + "recipes: {{ a: [pretrain, finetune: {{ train: 1 }}] }}")
    assert plan_of(HEAD + "recipes: {{ a: [finetune: {{ train: head }}] }}").nodes


def test_a_plan_is_made_without_torch(write_study, tmp_path):
    study = write_study(tmp_path, HEAD + "recipes: {{ a: [pretrain, finetune] }}")
    program = f"""
import sys
from pathlib import Path
from acclimate.study.language.study import load_study
from acclimate.study.plan.prepared import prepare
prepare(load_study(Path({str(study)!r})), Path("."), Path({str(tmp_path / "store")!r}))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_best_is_the_median_run_of_the_recipe_with_the_highest_mean(tmp_path):
    def runs(recipe, *scores):
        return [Candidate(recipe, seed, "all", score, tmp_path) for seed, score in enumerate(scores)]

    best = choose([*runs("a", 0.9, 0.1, 0.2), *runs("b", 0.5, 0.7, 0.6)])
    assert best is not None
    assert (best.recipe, best.seed) == ("b", 2)
    assert choose([]) is None


def test_relocated_paths_lead_to_the_same_files_and_hub_ids_stay(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").touch()
    task = {"path": None, "train": "data/train.jsonl", "dev": None, "test": "/elsewhere/test.jsonl", "unlabeled": None}
    resolved = {"base": "owner/model", "data": {"task": task, "domain": {"path": ["data/*.txt"]}, "corpora": {}}, "recipes": {"a": {}}}
    moved = relocated(resolved, tmp_path, tmp_path / "results" / "study")
    assert moved["base"] == "owner/model"
    assert moved["data"]["task"]["train"] == "../../data/train.jsonl"
    assert moved["data"]["task"]["test"] == "/elsewhere/test.jsonl"
    assert moved["data"]["domain"]["path"] == ["../../data/*.txt"]
