"""A plan is a graph: stages beside other recipes, several that learn, a second task, and a last one that only answers."""

import json

import pytest
from tests.toys.nearest import Nearest
from tests.toys.soup import Soup

from acclimate.cli.shown_plan import plan as show_plan
from acclimate.errors import DataError, ModelError, SettingsError
from acclimate.modeling.folder import ModelFolder
from acclimate.report.publish import publish
from acclimate.report.results.finished import Results
from acclimate.report.tables.plan import in_tree
from acclimate.report.tables.tree import tree
from acclimate.stages import STAGES
from acclimate.stages.score import Score
from acclimate.study.language.language import language
from acclimate.study.plan.chains import Chain
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.prepared import needed, prepare
from acclimate.study.run import Options, run_study
from acclimate.study.store.artifacts import Store

LANGUAGE = language(stages=(*STAGES, Soup, Nearest))
DATA = """forgetting: false
base: {world}/model
data:
  domain: {world}/domain.jsonl
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
  tasks:
    topics: {{ train: {world}/dev.jsonl, test_share: 0.3 }}
"""
SHORT = "{{ epochs: 1, min_steps: 0 }}"
STUDY = f"""{DATA}
seeds: 2
labels: [30, all]
recipes:
  soup: [soup: {{{{ of: first topics }}}}, finetune: {SHORT}]
  first topics: [finetune: {{{{ task: topics, epochs: 1, min_steps: 0 }}}}, finetune: {SHORT}]
  zero: [finetune: {{{{ task: topics, epochs: 1, min_steps: 0 }}}}, nearest]
  nearest: [nearest]
"""


def of_recipe(plan, recipe, seed=0, labels="all"):
    (run,) = [run for run in plan.runs if (run.recipe, run.seed, run.labels) == (recipe, seed, labels)]
    return [plan.nodes[key] for key in run.nodes]


@pytest.fixture(scope="module")
def world(write_study, tmp_path_factory):
    """A study with everything that a graph may have: where it was planned, and the folder that it has filled."""
    folder = tmp_path_factory.mktemp("graph")
    study = LANGUAGE.load(write_study(folder, STUDY))
    planned = prepare(study, folder, folder / "store")
    lines = []
    options = Options(folder / "out", folder / "store", engine="inline", publish=publish, say=lines.append)
    finished = run_study(study, folder, options)
    assert (finished.failed, finished.runs) == (0, 16), lines
    return planned, folder


@pytest.mark.measured(0)
def test_a_stage_beside_a_recipe_comes_after_its_end_of_the_same_seed_and_budget(world):
    planned, _ = world
    plan = planned.plan
    for labels in ("30", "all"):
        soup = next(node for node in of_recipe(plan, "soup", 1, labels) if node.stage.word() == "soup")
        other = of_recipe(plan, "first topics", 1, labels)[-1]
        assert soup.beside == (("first topics", other.key),)
        assert soup.parents == (soup.parent, other.key)
        assert (soup.labels, soup.seed) == (labels, 1)
    keys = list(plan.nodes)
    assert all(keys.index(parent) < keys.index(node.key) for node in plan.nodes.values() for parent in node.parents)
    assert {run.nodes[-1] for run in plan.runs if run.recipe == "soup"} == {run.end for run in plan.runs if run.recipe == "soup"}


def test_what_a_stage_stands_beside_reaches_it(world):
    planned, _ = world
    *_, soup, _ = of_recipe(planned.plan, "soup")
    folders = [ModelFolder(planned.store.path(key) / "model") for key in (soup.parent, soup.beside[0][1], soup.key)]
    own, other, mixed = (folder.tensors() for folder in folders)
    assert all(((own[name] + other[name]) / 2 == mixed[name]).all() for name in own)


def test_a_second_task_is_learned_whole_whatever_the_budget_and_once_for_all_of_them(world):
    planned, _ = world
    plan = planned.plan
    first = of_recipe(plan, "first topics", 0, "30")[1]
    assert first.key == of_recipe(plan, "first topics", 0, "all")[1].key == of_recipe(plan, "zero")[1].key
    assert (first.labels, first.title) == ("all", "first topics, seed 0: finetune on topics")
    measured = json.loads((planned.store.path(first.key) / "metrics.json").read_text())["metrics"]
    assert "test_macro_f1" in measured
    config = json.loads((planned.store.path(first.key) / "model/config.json").read_text())
    assert set(config["label2id"]) == {"music", "sport", "trade"}


def test_the_last_stage_answers_whatever_was_learned_before(world):
    planned, folder = world
    results = Results.load(folder / "out")
    assert set(results.recipes) == {"soup", "first topics", "zero", "nearest"}
    assert all(len(results.values(recipe, "all", "test_macro_f1")) == 2 for recipe in results.recipes)
    # Nothing was trained or drawn there, and no label read: one computation for all seeds and budgets.
    assert len({run.end for run in planned.plan.runs if run.recipe == "nearest"}) == 1
    assert results.verdict_of("nearest", "all") is not None


def test_a_run_costs_what_it_was_made_beside(world):
    planned, folder = world
    costs = {row.recipe: row.values["seconds"] for row in Results.load(folder / "out").runs if (row.seed, row.labels) == (0, "all")}
    assert costs["soup"] > costs["first topics"]
    end = of_recipe(planned.plan, "soup")[-1]
    chain = json.loads((planned.store.path(end.key) / "metrics.json").read_text())["chain"]
    assert sorted(key for key, _ in chain) == sorted(key for key in (node.key for node in of_recipe(planned.plan, "soup")[:-1]))


def test_a_second_task_is_looked_at_beside_the_test_texts(world):
    planned, folder = world
    assert planned.data.overlap["task topics"] == 0.0
    facts = json.loads((folder / "out/study.json").read_text())
    assert facts["data"]["tasks"]["topics"]["examples"]["train"] == 24
    assert len((folder / "out/splits/topics/train.jsonl").read_text().splitlines()) == 24
    usual = {stage["about"]: stage["settings"]["select_by"] for stage in facts["stages"] if stage["stage"] == "finetune"}
    assert usual == {None: "macro_f1", "topics": "macro_f1"}


def test_texts_of_the_test_in_a_second_task_are_counted(write_study, tmp_path):
    data = DATA.replace("{world}/dev.jsonl, test_share", "{world}/test.jsonl, test_share")
    planned = prepare(loaded(write_study, tmp_path, ["a: [finetune]"], data), tmp_path, tmp_path / "store")
    assert planned.data.overlap["task topics"] > 0.6
    assert any("task topics: 43 of its texts stand in the study's test" in note for note in planned.data.notes())


def test_the_plan_and_the_report_show_what_stands_beside(world, capsys):
    planned, folder = world
    show_plan(planned, estimates(planned, 1e10))
    printed = capsys.readouterr().out
    assert "soup (beside first topics)" in printed
    assert "tasks.topics.examples: train " in printed
    assert "overlap: task topics 0.0" in printed
    nodes = [(node, depth) for node, depth in in_tree(planned.plan)]
    assert {node.key for node, _ in nodes} == {*planned.plan.nodes}
    above: list[str | None] = [None]  # the stage of each depth that was printed last: what stands below it goes on from it
    for node, depth in nodes:
        assert above[depth] == node.parent
        above[depth + 1 :] = [node.key]
    (root,) = tree(Results.load(folder / "out"))
    soups = [branch for branch in root.branches if branch.name == "soup"]
    assert [branch.about.partition(",")[0] for branch in soups] == ["beside first topics"] * 2
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert "beside first topics" in page
    assert "Further tasks, learned on the way" in page


def test_what_is_done_again_is_what_leads_to_an_end_that_is_not_there(world):
    planned, _ = world
    plan = planned.plan
    *_, soup, end = of_recipe(plan, "soup")
    everything = set(plan.nodes)
    assert plan.missing(everything) == set()
    assert plan.missing(everything - {end.key}) == {end.key}
    # What the soup was made beside is pruned: it is asked for only where the soup is.
    assert plan.missing(everything - {end.key, plan.nodes[soup.beside[0][1]].parent}) == {end.key}
    assert plan.missing(everything - {end.key, soup.key, soup.beside[0][1]}) == {end.key, soup.key, soup.beside[0][1]}


def test_a_study_that_is_needed_keeps_what_it_stands_beside(world):
    planned, folder = world
    study = LANGUAGE.load(folder / "out/study.yaml")
    assert set(planned.plan.nodes) <= needed(study, folder / "out", folder / "store")
    record = json.loads((Store(folder / "store").path(of_recipe(planned.plan, "soup")[-2].key) / "stage.json").read_text())
    assert record["parents"] == list(of_recipe(planned.plan, "soup")[-2].parents)


def loaded(write_study, folder, recipes, data=DATA):
    return LANGUAGE.load(write_study(folder, data + "recipes:\n" + "".join(f"  {recipe}\n" for recipe in recipes)))


def test_a_failure_beside_a_stage_skips_it_and_says_why(write_study, tmp_path, monkeypatch):
    def fail(self, parent, context):
        raise SettingsError("the nearest name cannot be found")

    monkeypatch.setattr(Nearest, "run", fail)
    recipes = (f"a: [soup: {{{{ of: b }}}}, finetune: {SHORT}]", "b: [nearest]", f"c: [finetune: {SHORT}]")
    study = loaded(write_study, tmp_path, recipes, DATA + "seeds: 1\n")
    options = Options(tmp_path / "out", tmp_path / "store", engine="inline", publish=publish, say=lambda _: None)
    finished = run_study(study, tmp_path, options)
    assert (finished.failed, finished.runs) == (2, 3)
    errors = {run.recipe: run.error for run in Results.load(tmp_path / "out").failed}
    assert errors == {"b": "the nearest name cannot be found", "a": "the nearest name cannot be found"}
    states = {stage["title"]: stage["state"] for stage in json.loads((tmp_path / "out/.status.json").read_text())["stages"]}
    assert [state for title, state in states.items() if title.startswith("a, seed 0")] == ["skipped", "skipped"]


SOUP_OF = "[soup: {{ of: %s }}, finetune]"
MISTAKES = [
    (["a: " + SOUP_OF % "a"], "recipes.a[0].soup: goes in a circle: a needs a"),
    (["a: " + SOUP_OF % "b", "b: " + SOUP_OF % "a"], "recipes.a[0].soup: goes in a circle: a needs b needs a"),
    (
        ["a: " + SOUP_OF % "b", "b: {{ base: {{ layers_of: c, keep: 1 }}, stages: [finetune] }}", "c: " + SOUP_OF % "a"],
        "goes in a circle: a needs b needs c needs a",
    ),
    (["a: " + SOUP_OF % "c", "b: [finetune]"], "'c' is not a recipe; recipes are a, b"),
    (["a: [nearest, finetune]"], "nearest trains nothing: it answers the task, and is the last stage"),
    (["a: [finetune, finetune: {{ task: topics }}]"], "ends with finetune, which is about topics and not about the study's task"),
    (
        ["a: [finetune: {{ task: topic }}, finetune]"],
        "there is no task 'topic' (did you mean 'topics'?); those in `data: tasks:` are topics",
    ),
    (["a: [finetune: {{ task: topics, select_by: f1 }}, finetune]"], "'f1' is no score by which classify is compared"),
]


@pytest.mark.parametrize(("recipes", "message"), MISTAKES)
def test_what_cannot_be_a_graph_is_refused_where_it_stands(write_study, tmp_path, recipes, message):
    with pytest.raises(SettingsError) as caught:
        loaded(write_study, tmp_path, recipes)
    assert message in str(caught.value)


def test_a_student_may_be_beside_the_recipe_whose_pretrained_part_it_is_cut_from(write_study, tmp_path):
    student = "b: {{ base: {{ layers_of: a, keep: 2 }}, stages: " + SOUP_OF % "a" + " }}"
    plan = prepare(loaded(write_study, tmp_path, ["a: [pretrain, finetune]", student]), tmp_path, tmp_path / "store").plan
    words = [node.stage.word() for node in of_recipe(plan, "b")]
    assert sorted(words) == ["cut", "finetune", "finetune", "pretrain", "soup", "start"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("topics:", "task:", "`tasks: task` takes a name that something else has"),
        ("topics:", "../topics:", "`tasks: '../topics'` is no name"),
        ("test_share: 0.3", "unlabeled: {world}/domain.jsonl", "`tasks: topics` has `unlabeled`, and only the study's task has"),
        ("test_share: 0.3", "kind: clasify", "should be 'classify' or 'multilabel' or "),
    ],
)
def test_a_second_task_that_cannot_be_is_refused_where_it_stands(write_study, tmp_path, old, new, message):
    with pytest.raises(SettingsError) as caught:
        loaded(write_study, tmp_path, ["a: [finetune]"], DATA.replace(old, new))
    assert message in str(caught.value)


def test_a_mistake_in_the_files_of_a_second_task_names_it(write_study, tmp_path):
    (tmp_path / "one.jsonl").write_text('{"text": "a", "label": "x"}\n')
    study = loaded(
        write_study, tmp_path, ["a: [finetune]"], DATA.replace("{world}/dev.jsonl, test_share", f"{tmp_path}/one.jsonl, test_share")
    )
    with pytest.raises(DataError, match=r"(?s)data\.tasks\.topics: one class only .*one\.jsonl"):
        prepare(study, tmp_path, tmp_path / "store")


@pytest.mark.parametrize("error", [DataError, ModelError, SettingsError])
def test_whatever_a_stage_refuses_is_said_with_its_recipe(monkeypatch, error):
    def refused(self, given, task):
        raise error("train.jsonl: has no answers")

    monkeypatch.setattr(Score, "check", refused)
    with pytest.raises(error, match=r"^recipes\.asked: train\.jsonl: has no answers"):
        Chain().then(Score(), "asked", 0, None)
