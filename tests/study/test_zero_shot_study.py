"""Studies with recipes that answer without labels: where their model of inference comes from, what they share, and what is refused."""

import ast
import json
import random
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.stages.test_every_stage import inference_model
from tests.study.conftest import WORDS, sentence, write_jsonl

from acclimate import Finetune, Recipe, Study, ZeroShot
from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.folder import ModelFolder
from acclimate.report.publish import publish
from acclimate.study.language.paths import relocated
from acclimate.study.language.study import load_study, parse_study, resolved
from acclimate.study.plan.graph import Plan
from acclimate.study.run import Options, run_study
from acclimate.study.store.artifacts import Store
from acclimate.tasks.opened import Data

pytestmark = pytest.mark.measured(0)

STUDY = """
name: tried
base: {world}/nli
data:
  task: {{train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl}}
  tasks:
    nli: {{kind: pair, path: {world}/pairs.jsonl}}
    other: {world}/train.jsonl
seeds: 2
labels: [30, all]
recipes:
"""
TRAINED = "finetune: {task: nli, epochs: 1, min_steps: 0, lr: 1e-2}"
WORDED = 'names: {sport: match, trade: market, music: song}, template: "the {}"'


@pytest.fixture(scope="module")
def world(tiny_world, tmp_path_factory):
    """The tiny world with a model of inference, and pairs to learn it from: does "the match" follow from a sentence on sport?"""
    folder = tmp_path_factory.mktemp("inference")
    for file in tiny_world.glob("*.jsonl"):
        (folder / file.name).symlink_to(file)
    inference_model(folder / "nli")
    (folder / "plain").symlink_to(tiny_world / "model")
    rng, topics, pairs = random.Random(3), list(WORDS), []
    for number in range(120):
        topic, asked = rng.choice(topics), rng.choice(topics)
        label = "entailment" if topic == asked else "contradiction"
        pairs.append({"premise": f"{sentence(topic, rng)} {number}", "hypothesis": f"the {WORDS[asked][0]}", "label": label})
    write_jsonl(folder / "pairs.jsonl", pairs)
    return folder


@pytest.fixture
def study_of(world, tmp_path):
    def make(*recipes, **changes):
        text = STUDY.format(world=world) + "".join(f"  {recipe}\n" for recipe in recipes)
        for name, value in changes.items():
            text = text.replace(f"\n{name}: ", f"\n{name}: {value} # ")
        (tmp_path / "study.yaml").write_text(text)
        return load_study(tmp_path / "study.yaml")

    return make


@pytest.fixture
def plan_of(study_of, tmp_path):
    def make(*recipes):
        study = study_of(*recipes)
        return Plan.of(study, Data.open(study.data, tmp_path, tmp_path / "rejects"), tmp_path)

    return make


def ends(plan, recipe):
    return {(run.seed, run.labels): run.end for run in plan.runs if run.recipe == recipe}


def words(plan, recipe):
    run = next(run for run in plan.runs if run.recipe == recipe)
    return [plan.nodes[key].stage.word() for key in run.nodes]


def test_the_short_form_is_that_models_end_and_the_stage(plan_of):
    plan = plan_of(
        f"whole: [{TRAINED}, zero_shot: {{{WORDED}}}]",
        f"nli: [{TRAINED}]",
        f"short: {{base: {{zero_shot: nli, {WORDED}}}}}",
        "other words: {base: {zero_shot: whole}}",
    )
    assert ends(plan, "short") == ends(plan, "whole")
    assert words(plan, "whole") == words(plan, "other words") == ["start", "finetune", "zero_shot"]
    finetuned = [{key for run in plan.runs if run.recipe == name for key in run.nodes[:2]} for name in ("whole", "other words")]
    assert finetuned[0] == finetuned[1]


def test_a_recipe_that_only_makes_the_model_is_planned_and_not_compared(plan_of, study_of, tmp_path):
    recipes = (f"nli: [{TRAINED}]", "short: {base: {zero_shot: nli}}", "tfidf: {base: tfidf}")
    plan, study = plan_of(*recipes), study_of(*recipes)
    assert {run.recipe for run in plan.runs} == {"short", "tfidf"} == set(study.compared)
    assert study.number_of_runs == len(plan.runs) == 2 * 2 * 2
    assert study.reference_name == "short"
    with pytest.raises(SettingsError, match=r"reference: 'nli' is not a recipe that is compared.*recipes are short, tfidf"):
        study_of(*recipes, labels="[all]\nreference: nli")


def test_it_answers_once_for_every_budget_and_anew_for_every_seed_of_its_model(plan_of):
    plan = plan_of(f"learned: [{TRAINED}, zero_shot]", f"brought: {{base: {{zero_shot: ./nli-copy, {WORDED}}}}}")
    assert len(set(ends(plan, "learned").values())) == 2
    assert ends(plan, "learned")[0, "30"] == ends(plan, "learned")[0, "all"] != ends(plan, "learned")[1, "all"]
    assert len(set(ends(plan, "brought").values())) == 1


@pytest.fixture(autouse=True)
def beside(world, tmp_path):
    (tmp_path / "nli-copy").symlink_to(world / "nli")
    (tmp_path / "plain").symlink_to(world / "plain")


def test_a_base_keeps_its_classifier_for_what_asks_it_alone(plan_of):
    plan = plan_of("asked: [zero_shot]", "named: {base: {zero_shot: ./nli-copy}}", "learned: [finetune]")
    starts = {name: plan.nodes[next(run for run in plan.runs if run.recipe == name).nodes[0]] for name in ("asked", "named", "learned")}
    assert starts["asked"].key == starts["named"].key != starts["learned"].key
    assert starts["asked"].stage.keyed()["classifier"] is True
    assert "classifier" not in starts["learned"].stage.keyed()


def test_it_is_written_out_and_read_again(study_of, world, tmp_path):
    study = study_of(f"nli: [{TRAINED}]", f"short: {{base: {{zero_shot: nli, {WORDED}}}}}", "model: {base: {zero_shot: ./nli-copy}}")
    written = relocated(resolved(study), tmp_path, tmp_path / "out")
    assert written["recipes"]["short"]["base"] == {"end_of": "nli"}
    assert written["recipes"]["model"]["base"] == {"end_of": "../nli-copy"}
    assert resolved(parse_study(resolved(study))) == resolved(study)


@pytest.mark.parametrize(
    ("recipes", "said"),
    [
        (["a: {base: {zero_shot: b}}", "b: {base: {zero_shot: a}}"], r":12:\d+: recipes.a.base: goes in a circle: a needs b needs a"),
        (["a: {base: {zero_shot: a}}"], r":12:\d+: recipes.a.base: goes in a circle: a needs a"),
        (["a: {base: tfidf}", "b: {base: {zero_shot: a}}"], r":13:\d+: recipes.b.base: a is a plain baseline"),
        (["a: {base: {zero_shot: tfidf}}"], r":12:\d+: recipes.a.base: tfidf is neither a recipe nor a pretrained model"),
        (
            ["a: [finetune: {task: other}, zero_shot]"],
            r":12:\d+: recipes.a\[1\]: asks a model that has learned pairs of texts, and the task other, of the kind classify, "
            r"has none; e.g. \[finetune: {task: NAME}, zero_shot\]",
        ),
        (["a: [finetune]", "b: {base: {zero_shot: a}}"], r":13:\d+: recipes.b.base: asks .* the study's task, of the kind classify"),
        (["a: {base: random, stages: [zero_shot]}"], r":12:\d+: recipes.a.stages\[0\]: asks .* random weights have not"),
        (["a: [zero_shot: {template: about}]"], r":12:\d+: recipes.a\[0\].zero_shot.template: 'about' has no place; it needs one {}"),
        (['a: {base: {zero_shot: m, template: "{} {}"}}'], r":12:\d+: recipes.a.base.template: '{} {}' has 2 places"),
        (["a: {base: {zero_shot: m, templat: x}}"], r":12:\d+: recipes.a.base: unknown key 'templat' \(did you mean 'template'\?\)"),
        (["a: {base: {zero_shot: 3}}"], r":12:\d+: recipes.a: base: zero_shot: should be a model .* or a recipe, not 3"),
        (["a: {base: {zero_shot: m}, stages: [finetune]}"], r":12:\d+: recipes.a: base: .* takes no stages"),
        (["a: [zero_shot, finetune]"], r":12:\d+: recipes.a\[0\]: zero_shot trains nothing: it answers the task"),
        (["a: [zero_shot]", "b: {base: {layers_of: c, keep: 1}, stages: [finetune]}", "c: {base: {zero_shot: a}}"], "layers_of: c goes on"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_its_line(recipes, said, study_of):
    with pytest.raises(SettingsError, match=said):
        study_of(*recipes)


@pytest.mark.parametrize(
    ("recipe", "error", "said"),
    [
        ("{base: {zero_shot: ./plain}}", SettingsError, r"recipes.a: zero_shot: the model before it \(./plain\) has no trained classifier"),
        (
            "{base: ./plain, stages: [pretrain: {corpus: task, tokens: 999}, zero_shot]}",
            SettingsError,
            "recipes.a: zero_shot: .* has no trained classifier",
        ),
        ("[zero_shot: {names: {sprot: x}}]", SettingsError, "recipes.a: names: 'sprot' is no label of the task; did you mean 'sport'"),
        ("[zero_shot: {entailment: LABEL_1}]", SettingsError, "has no label 'LABEL_1'; its labels are entailment, neutral, contradiction"),
        ("[zero_shot: {max_length: 99}]", SettingsError, "max_length: 99 is more than the 64 positions"),
        (
            '[zero_shot: {max_length: 8, template: "the match the goal the team is {}"}]',
            SettingsError,
            "max_length: of 8 tokens the longest",
        ),
        ("{base: {zero_shot: ./nowhere}}", ModelError, "recipes.a: base ./nowhere: there is no folder .*; nor is it a recipe: those are a"),
    ],
)
def test_what_only_the_data_and_the_model_tell_is_said_by_the_plan(recipe, error, said, plan_of):
    with pytest.raises(error, match=said):
        plan_of(f"a: {recipe}")


def test_without_a_task_of_labels_there_is_nothing_to_answer():
    with pytest.raises(SettingsError) as refused:
        parse_study({"data": {"domain": "x.jsonl"}, "recipes": {"a": ["zero_shot"]}})
    assert "data: there is no `task`, and the recipe a reads it" in str(refused.value)
    assert "perplexity" not in str(refused.value)


def test_recipes_are_values_in_python_too():
    task = {"path": "x", "kind": "classify"}
    recipes = {"nli": Recipe(stages=(Finetune(task="nli"),)), "short": {"base": {"zero_shot": "nli", "template": "on {}"}}}
    study = Study(data={"task": task, "tasks": {"nli": {"kind": "pair", "path": "y"}}}, recipes=recipes)
    assert study.recipes["short"].stages == (ZeroShot(template="on {}"),)
    assert list(study.compared) == ["short"]


def test_of_a_task_of_other_items_it_is_said_that_it_does_not_answer_them():
    with pytest.raises(SettingsError, match=r"recipes.a\[0\].*: zero_shot does not answer tasks of the kind pair"):
        parse_study({"data": {"task": {"kind": "pair", "path": "x.jsonl"}}, "recipes": {"a": ["zero_shot"]}})


@pytest.fixture(scope="module")
def studied(world, tmp_path_factory):
    """A study of three recipes, done."""
    folder = tmp_path_factory.mktemp("studied")
    text = STUDY.format(world=world).replace("other: ", "# ")
    recipes = [f"nli: [{TRAINED}]", f"zero-shot: {{base: {{zero_shot: nli, {WORDED}}}}}", "majority: {base: majority}"]
    (folder / "study.yaml").write_text(text + "".join(f"  {recipe}\n" for recipe in recipes))
    out = folder / "out"
    run_study(load_study(folder / "study.yaml"), folder, Options(out=out, store=folder / "store", engine="inline"))
    publish(out)
    return out


def test_a_study_with_it_ends_with_a_row_for_every_seed_and_budget(studied):
    rows = pq.read_table(studied / "results.parquet").to_pylist()
    assert {row["recipe"] for row in rows} == {"zero-shot", "majority"}
    mine = {(row["seed"], row["labels"]): row for row in rows if row["recipe"] == "zero-shot"}
    assert all(row["status"] == "done" and row["trained_parameters"] == 0 for row in mine.values())
    assert mine[0, "30"]["test_macro_f1"] == mine[0, "all"]["test_macro_f1"]
    assert mine[0, "all"]["key"] != mine[1, "all"]["key"]


def test_a_model_of_inference_may_read_on_before_it_is_asked(world, plan_of, tmp_path):
    """The classifier stays with a model that is pretrained further, as it was, above layers that have changed."""
    plan = plan_of("nli: [zero_shot]", "read on: [{pretrain: {corpus: task, tokens: 500, lr: 1e-2, heldout_share: 0.2}}, zero_shot]")
    assert words(plan, "read on") == ["start", "pretrain", "zero_shot"]
    text = STUDY.format(world=world).replace("other: ", "# ").replace("seeds: 2", "seeds: 1").replace("[30, all]", "[all]")
    text += f"  asked: [zero_shot: {{{WORDED}}}]\n"
    reading = "corpus: task, tokens: 4000, batch_tokens: 200, lr: 2e-3, heldout_share: 0.3"
    text += f"  read on: [pretrain: {{{reading}}}, zero_shot: {{{WORDED}}}]\n"
    (tmp_path / "study.yaml").write_text(text)
    run_study(load_study(tmp_path / "study.yaml"), tmp_path, Options(out=tmp_path / "out", store=tmp_path / "store", engine="inline"))
    rows = {row["recipe"]: row for row in pq.read_table(tmp_path / "out" / "results.parquet").to_pylist()}
    asked, read = (ModelFolder(Store(tmp_path / "store").path(rows[name]["key"]) / "model") for name in ("asked", "read on"))
    assert read.labels == asked.labels
    own, kept = (folder.tensors_for("classifier") for folder in (asked, read))
    assert (own["classifier.weight"] == kept["classifier.weight"]).all()
    name = next(name for name in own if name.endswith("query.weight"))
    assert (own[name] != kept[name]).any()


def test_what_it_hands_over_says_what_it_answers(studied, world):
    from acclimate import load_predictor

    record = json.loads((studied / "study.json").read_text())
    assert record["best"]["recipe"] == "zero-shot"
    config = ModelFolder(studied / "best").config
    assert config["acclimate_zero_shot"]["names"] == {"sport": "match", "trade": "market", "music": "song"}
    assert "acclimate_kind" not in config
    table = pq.read_table(studied / "predictions.parquet").to_pylist()
    best = record["best"]
    said = [row for row in table if (row["recipe"], row["seed"], row["labels"], row["split"]) == ("zero-shot", best["seed"], "all", "test")]
    texts = [json.loads(line)["text"] for line in (world / "test.jsonl").read_text().splitlines()]
    model = load_predictor(studied / "best")
    found = model.probabilities([texts[row["index"]] for row in said])
    np.testing.assert_allclose(found, [row["probabilities"] for row in said], atol=1e-6)
    assert [model.labels[number] for number in found.argmax(axis=1)] == [row["predicted"] for row in said]


def test_what_is_read_of_it_says_that_it_has_no_labels(studied):
    table = (studied / "report.md").read_text()
    assert re.search(r"\| \**zero-shot\** \| 0 \| .*\n\| majority \| 30 \|", table)
    assert "“zero-shot” learned from no label of this task and answers alike at every budget" in table
    assert (
        '<bdi>zero-shot</bdi> <span class="tag">chosen on dev</span> <span class="tag">no labels</span>'
        in (studied / "report.html").read_text()
    )
    card = (studied / "best" / "README.md").read_text()
    assert "pipeline_tag: zero-shot-classification" in card
    assert "It has learned from no label of this task" in card
    assert "It learnt from" not in card


def test_the_code_on_its_card_answers_as_the_study_does(studied, world, monkeypatch, capsys):
    from acclimate import load_predictor

    monkeypatch.chdir(studied / "best")
    (code,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    text = json.loads((world / "test.jsonl").read_text().splitlines()[0])["text"]
    exec(code.replace("a text to label", text), {})
    said = dict(ast.literal_eval(capsys.readouterr().out.splitlines()[-1]))
    model = load_predictor(Path())
    np.testing.assert_allclose([said[label] for label in model.labels], model.probabilities([text])[0], atol=1e-5)
