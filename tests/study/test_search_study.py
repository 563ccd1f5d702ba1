"""A study whose recipes search their settings: what is planned, run, kept and told."""

import json
import shutil
from dataclasses import replace

import pytest

from acclimate.errors import DataError, SettingsError
from acclimate.report.results.finished import Results
from acclimate.report.results.searches import searches, trials_of
from acclimate.stages.finetune import Finetune

BILSTM = "embedding: 4, hidden: 4, epochs: 2, min_steps: 0"
SEARCH = f"""
{{head}}
seeds: 2
labels: [30, all]
recipes:
  fixed: {{{{ base: {{{{bilstm: {{{{ lr: 1e-2, {BILSTM} }}}}}}}} }}}}
  searched: {{{{ base: {{{{bilstm: {{{{ lr: {{{{search: [1e-3, 1e-1], trials: 3}}}}, {BILSTM} }}}}}}}} }}}}
"""


@pytest.fixture(scope="module")
def ran(acclimate, write_study, tmp_path_factory):
    """The folder of a study that is done, its results in `out`."""
    folder = tmp_path_factory.mktemp("search study")
    done = acclimate("study", write_study(folder, SEARCH), "--engine", "inline", "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return folder


def stages(folder, role):
    return [stage for stage in json.loads((folder / "out" / "study.json").read_text())["stages"] if stage["role"] == role]


def test_a_search_is_made_once_for_a_recipe_and_a_budget_and_every_seed_takes_what_it_found(ran):
    searches = stages(ran, "searches")
    assert [(each["labels"], each["seed"], each["recipes"]) for each in searches] == [("30", 0, ["searched"]), ("all", 0, ["searched"])]
    for search in searches:
        found = search["metrics"]["found"]
        users = [each for each in stages(ran, "baseline") if each["recipes"] == ["searched"] and each["labels"] == search["labels"]]
        assert [each["metrics"]["found"] for each in users] == [found, found]
        assert len(search["metrics"]["trials"]) == 3
        assert not any(name.startswith("test") for name in search["metrics"])


def test_its_cost_is_charged_to_the_recipe(ran):
    import pyarrow.parquet as pq

    rows = {(row["recipe"], row["seed"], row["labels"]): row for row in pq.read_table(ran / "out" / "results.parquet").to_pylist()}
    (search,) = (each for each in stages(ran, "searches") if each["labels"] == "all")
    own = [each for each in stages(ran, "baseline") if each["recipes"] == ["searched"] and each["labels"] == "all"]
    for stage in own:
        row = rows["searched", stage["seed"], "all"]
        assert row["tokens"] == search["cost"]["tokens"] + stage["cost"]["tokens"]
        assert row["flops"] == search["cost"]["flops"] + stage["cost"]["flops"]
    assert rows["searched", 1, "all"]["seconds_shared_once"] < rows["searched", 1, "all"]["seconds"]


@pytest.mark.measured(0)
def test_the_plan_shows_a_search_and_the_same_command_finds_it_done(ran, acclimate):
    told = acclimate("plan", ran / "study.yaml").stdout
    assert told.count("search of lr for bilstm, 3 trials") == 2
    assert "note: searched: bilstm searches lr: 0.001 to 0.1 (log scale), 3 trials, judged on dev" in told
    assert "10 stages, 10 cached" in told
    again = acclimate("study", ran / "study.yaml", "--engine", "inline", "--out", ran / "out")
    assert "10 are there already" in again.stderr


def test_seeds_all_searches_with_every_seed(plan_of):
    plan = plan_of(SEARCH.replace("trials: 3", "trials: 3, seeds: all"))
    searches = [node for node in plan.nodes.values() if node.stage.role == "searches"]
    assert [(node.seed, node.labels) for node in searches] == [(0, "30"), (1, "30"), (0, "all"), (1, "all")]
    assert [plan.nodes[run.end].search for run in plan.runs if run.recipe == "searched"] == [node.key for node in searches]
    assert searches[1].title == "searched, seed 1, 30 labels: search of lr for bilstm, 3 trials"


def test_keys_hold_the_search_as_it_is_written_and_the_seed_that_makes_it(plan_of):
    def ends(text):
        return {plan_run.end for plan_run in plan_of(text).runs if plan_run.recipe == "searched" and plan_run.seed == 1}

    usual = ends(SEARCH)
    assert ends(SEARCH) == usual
    for changed in ("trials: 4", "trials: 3, seeds: all"):
        assert ends(SEARCH.replace("trials: 3", changed)).isdisjoint(usual)
    assert ends(SEARCH.replace("1e-3, 1e-1", "1e-3, 1e-2")).isdisjoint(usual)
    assert ends(SEARCH.replace("seeds: 2", "seeds: [1, 0]")).isdisjoint(usual), "another seed comes first"


MISTAKES = {
    "{search: [5e-5, 2e-6]}": "upside down: write [2e-06, 5e-05]",
    "{search: [1e-5, 1e-5]}": "both ends are 1e-05",
    "{search: [-1, 1]}": "lr: should be more than 0, not -1",
    "{search: [1e-5, 1e-4], trials: 0}": "lr.trials: should be at least 1, not 0",
    "{search: [1e-5, 2e-5, 3e-5]}": "write {of: [...]}",
    "{search: {of: [1e-5]}}": "at least 2",
    "{search: {of: [1e-5, 1e-5]}}": "1e-05 stands here twice",
    "{search: {of: [1e-5, 3e-5]}, trials: 3}": "there are 2 combinations",
    "{search: [a, b]}": "should be a number, not 'a'",
    "{search: [1e-5, 1e-4], trial: 3}": "unknown key 'trial'; did you mean 'trials'?",
    "{search: [1e-5, 1e-4]}, schedule: {search: [1, 2]}": "schedule: is no number",
    "{search: [1e-5, 1e-4]}, gradient_checkpointing: {search: [0, 1]}": "gradient_checkpointing: is no number",
    "{search: [1e-5, 1e-4]}, batch_size: {search: [1.5, 8]}": "batch_size: should be a whole number, not 1.5",
    "{search: [1e-5, 1e-4], trials: 4}, batch_size: {search: [2, 8], trials: 5}": "lr says 4 and batch_size says 5",
    "{search: [1, 2]}, clip: {search: [1, 2]}, warmup: {search: [0, 1]}, epochs: {search: [1, 2]}, layer_decay: {search: [.5, 1]}":
        "5 settings are searched",
}  # fmt: skip


@pytest.mark.parametrize("written", MISTAKES)
def test_a_mistake_in_a_search_is_told_with_its_line(written, plan_of):
    text = "{head}\nrecipes:\n  a:\n    - finetune: {{ lr: " + written.replace("{", "{{").replace("}", "}}") + " }}\n"
    with pytest.raises(SettingsError, match=r"study\.yaml:9:\d+: recipes\.a\[0\]\.finetune") as error:
        plan_of(text)
    assert MISTAKES[written] in str(error.value)


def test_what_learns_no_task_searches_nothing(plan_of):
    text = "{head}\nrecipes:\n  a:\n    - pretrain: {{ corpus: domain, lr: {{search: [1e-5, 1e-4]}} }}\n    - finetune\n"
    with pytest.raises(SettingsError, match=r"pretrain\.lr: pretrain is judged by what is learned after it.*a recipe for each value"):
        plan_of(text)


def test_both_ends_are_checked_against_the_model(plan_of):
    text = "{head}\nrecipes:\n  a:\n    - finetune: {{ train: {{search: [1, 9]}} }}\n"
    with pytest.raises(SettingsError, match=r"recipes\.a: train: 9 layers were asked for"):
        plan_of(text)


def test_every_value_is_checked_against_the_texts_before_anything_is_trained(write_study, tmp_path):
    from acclimate.study.language.study import load_study
    from acclimate.study.plan.prepared import prepare

    text = "{head}\nrecipes:\n  a: [finetune: {{ max_length: {{search: {{of: [8, 60]}}}}, long: error }}]\n"
    with pytest.raises(DataError, match=r"recipes\.a: long: error, and texts are longer than the 8 tokens"):
        prepare(load_study(write_study(tmp_path, text)), tmp_path, tmp_path / "store")
    cut = prepare(load_study(write_study(tmp_path, text.replace("error", "cut"))), tmp_path, tmp_path / "store")
    assert any("8 tokens" in note for note in cut.readings.notes(cut.plan))


def test_a_search_that_is_not_done_is_not_told_as_if_there_had_been_none(ran):
    results = Results.load(ran / "out")
    assert trials_of(results) == {"fixed": 0, "searched": 3}
    undone = tuple(replace(stage, metrics={}) if stage.role == "searches" else stage for stage in results.stages)
    assert trials_of(replace(results, stages=undone)) == {"fixed": 0}


def test_what_has_nothing_to_be_searched_is_not_told_as_unsearched(ran):
    results = Results.load(ran / "out")
    plain = tuple(replace(stage, settings={"stage": "majority"}) if stage.recipes == ("fixed",) else stage for stage in results.stages)
    assert trials_of(replace(results, stages=plain)) == {"searched": 3}


def test_searches_stand_by_their_number_of_labels(ran):
    results = Results.load(ran / "out")
    turned = replace(results, stages=results.stages[::-1])
    assert [search.stage.labels for search in searches(turned)] == [search.stage.labels for search in searches(results)] == ["30", "all"]


@pytest.mark.parametrize(
    "stage", ["zero_shot: {{ template: about, max_length: {{search: [8, 64]}} }}", "prune: {{ size: {{search: [8, 64]}} }}"]
)
def test_what_trains_nothing_searches_nothing(stage, plan_of):
    with pytest.raises(SettingsError, match=r"(zero_shot|prune)\.\w+: (zero_shot|prune) learns no task"):
        plan_of("{head}\nrecipes:\n  a: [{{ " + stage + " }}, finetune]\n")


def test_a_smoke_run_makes_two_trials_and_searches_nothing_that_it_cuts_short(write_study, tmp_path):
    from acclimate.study.language.study import load_study
    from acclimate.study.plan.smoke import smoke_study

    text = "{head}\nrecipes:\n  a: [finetune: {{ lr: {{search: [1e-5, 1e-4]}}, epochs: {{search: [2, 8]}} }}]\n"
    (stage,) = smoke_study(load_study(write_study(tmp_path, text))).recipes["a"].stages
    assert list(stage.searches) == ["lr"]
    assert stage.trials == 2
    assert stage.epochs == 1


def test_numbers_inside_other_settings_are_searched_too():
    stage = Finetune(
        loss={"focal": {"gamma": {"search": [1, 3]}}},
        head={"dropout": {"search": {"of": [0.1, 0.3]}}},
        class_weights={"rare": {"search": [1, 20]}},
    )
    assert stage.search_told == ("loss.focal.gamma: 1 to 3; head.dropout: 0.1, 0.3; class_weights.rare: 1 to 20 (log scale), 8 trials")
    found = stage.with_found({"loss.focal.gamma": 2.5, "head.dropout": 0.1, "class_weights.rare": 4.0})
    assert not found.searches
    assert (found.loss.gamma, found.head.dropout, found.class_weights) == (2.5, 0.1, {"rare": 4.0})
    assert Finetune.model_validate(stage.model_dump(mode="json")).searches == stage.searches


def test_editors_know_a_search_where_a_number_of_a_stage_that_learns_stands():
    from jsonschema import Draft202012Validator

    from acclimate.study.language.language import BUILT_IN

    schema = Draft202012Validator(BUILT_IN.json_schema())

    def says(stage):
        return schema.is_valid({"data": {"task": "reviews.csv"}, "recipes": {"a": [stage]}})

    assert says({"finetune": {"lr": {"search": [2e-6, 5e-5], "trials": 8}, "head": {"dropout": {"search": {"of": [0, 0.1]}}}}})
    assert says({"finetune": {"lr": 2e-5}})
    assert not says({"finetune": {"lr": {"search": [2e-6, 5e-5], "trails": 8}}})
    assert not says({"finetune": {"schedule": {"search": [1, 2]}}})
    assert not says({"pretrain": {"corpus": "domain", "lr": {"search": [2e-6, 5e-5]}}})
    assert "## A search" in BUILT_IN.reference_markdown()


def test_the_report_the_files_and_the_card_say_what_was_tried_and_taken(ran):
    import csv

    out = ran / "out"
    (search,) = (each for each in stages(ran, "searches") if each["labels"] == "all")
    found = search["metrics"]["found"]["lr"]
    for page in ((out / "report.md").read_text(), (out / "report.html").read_text()):
        assert "search of lr for bilstm, 3 trials" in page
        assert "taken" in page
        assert f"{found:.3g}" in page
        assert "The recipes were not searched alike" in page
        assert "had 3 trials" in page
    assert list((out / "plots").glob("search-*.svg"))
    with (out / "trials.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["labels"] == "all"]
    assert [row["trial"] for row in rows] == ["1", "2", "3"]
    assert [float(row["lr"]) for row in rows if row["taken"] == "True"] == [found]
    assert {row["judged_by"] for row in rows} == {"dev_macro_f1"}


def test_a_single_stage_searches_too_and_its_card_names_the_value_that_was_used(acclimate, tiny_world, tmp_path, one_process):
    (tmp_path / "data").mkdir()
    for split in ("train", "dev", "test"):
        shutil.copy(tiny_world / f"{split}.jsonl", tmp_path / "data")
    settings = [
        word for each in ("lr.search.of=[1e-4, 2e-4]", "hidden=4", "embedding=4", "epochs=1", "min_steps=0") for word in ("--set", each)
    ]
    done = acclimate("finetune", "bilstm", "data", "--out", "model", *settings, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (found,) = (line.split()[1] for line in done.stdout.splitlines() if line.startswith("found.lr"))
    assert found in ("0.0001", "0.0002")
    card = (tmp_path / "model" / "README.md").read_text()
    assert f"lr {found}" in card
    assert "lr found in 2 trials, by dev" in card
    assert "search" not in card.partition("How it was made")[2].partition("\n\n")[0]
