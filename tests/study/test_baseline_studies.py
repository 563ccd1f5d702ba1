"""Studies of plain baselines: no pretrained model is needed, and each of them is served like any other model."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from acclimate.evaluation.predictor import load_predictor
from acclimate.report.results.facts import ROLES
from acclimate.report.results.finished import Results
from acclimate.stages import BASELINES, BASES, STAGES
from acclimate.study.language.recipe import TABLE
from acclimate.study.language.study import load_study
from acclimate.study.outputs.best import loads_plainly
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study
from acclimate.tasks.classify import Classify

pytestmark = pytest.mark.measured(0)

STUDY = """
data:
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 2
labels: [30, all]
recipes:
  majority: {{ base: majority }}
  tfidf: {{ base: tfidf }}
  bilstm: {{ base: {{ bilstm: {{ embedding: 16, hidden: 12, lr: 5e-3, epochs: 6, min_steps: 40 }} }} }}
  doc2vec: {{ base: {{ doc2vec: {{ vector_size: 8, epochs: 4 }} }} }}
  static: {{ base: {{ static: {{ model: {world}/model, dimensions: 8 }} }} }}
"""


ANSWERING = tuple(stage.word() for stage in BASELINES if stage.answers(Classify()))


@pytest.fixture(scope="module")
def folder(write_study, tmp_path_factory):
    """The folder of a finished study, with `out/` and `store/`."""
    folder = tmp_path_factory.mktemp("baselines")
    study = load_study(write_study(folder, STUDY))
    finished = run_study(study, folder, Options(folder / "out", folder / "store", engine="inline", say=lambda _: None))
    assert (finished.failed, finished.runs) == (0, 20)
    return folder


def models(folder):
    records = {path: json.loads((path / "stage.json").read_text()) for path in (folder / "store" / "artifacts").iterdir() if path.is_dir()}
    answering = {path: record["stage"]["stage"] for path, record in records.items() if record["labels"] == "all"}
    return {stage: path / "model" for path, stage in answering.items() if (path / "predictions.parquet").is_file()}


def test_every_baseline_has_its_row_with_scores_and_costs_and_majority_is_the_worst(folder):
    rows = pq.read_table(folder / "out" / "results.parquet").to_pylist()
    assert len(rows) == 20
    for row in rows:
        assert row["parameters"] > 0
        assert row["disk_bytes"] > 0
        assert row["seconds"] > 0
        assert 0 < row["test_pr_auc_base_rate"] <= row["test_pr_auc"] + 1e-9 <= 1 + 1e-6
        assert 0 <= row["test_brier"] <= 2
        assert 0 <= row["test_ece"] <= 1
    reached = {row["recipe"]: row["test_accuracy"] for row in rows if row["labels"] == "all" and row["seed"] == 0}
    assert reached["tfidf"] > reached["majority"]
    assert reached["bilstm"] > reached["majority"] + 0.2


def test_what_needs_no_seed_runs_once_a_budget_where_the_labels_are_the_same(folder):
    stages = json.loads((folder / "out" / "study.json").read_text())["stages"]
    runs = {(stage["stage"], stage["labels"]): [] for stage in stages}
    for stage in stages:
        runs[stage["stage"], stage["labels"]].append(stage["runs"])
    assert runs["majority", "all"] == runs["tfidf", "all"] == [2]
    assert runs["bilstm", "all"] == runs["majority", "30"] == [1, 1]


def test_the_report_knows_them_as_plain_baselines_and_shows_the_scores_of_probabilities(folder):
    from acclimate.report.pages.page import write_report

    results = Results.load(folder / "out")
    assert results.plain_baselines == {"majority", "tfidf", "bilstm", "doc2vec", "static"}
    page = write_report(folder / "out").read_text(encoding="utf-8")
    assert all(word in page for word in ("PR-AUC", "PR-AUC base rate", "Brier score", "ECE"))


def test_a_folder_that_does_not_say_what_its_stages_are_is_read_as_one_that_does(folder, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(folder / "out", old)
    facts = json.loads((old / "study.json").read_text())
    for stage in facts["stages"]:
        if stage["stage"] in ROLES:  # others are younger than what says it
            del stage["role"], stage["does"]
    (old / "study.json").write_text(json.dumps(facts))
    assert Results.load(old).stages == Results.load(folder / "out").stages
    assert {stage.word(): stage.role for stage in (*STAGES, *BASES)}.items() >= ROLES.items()


def test_plain_transformers_cannot_load_them_so_the_best_has_no_twin(folder):
    assert models(folder).keys() == set(ANSWERING)
    assert not any(loads_plainly(model) for model in models(folder).values())
    assert (folder / "out" / "best" / "config.json").is_file()
    assert not (folder / "out" / "best_transformer").exists()


@pytest.mark.parametrize("kind", ANSWERING)
def test_predict_and_evaluate_serve_them(acclimate, folder, tiny_world, tmp_path, kind):
    model, file = models(folder)[kind], tiny_world / "test.jsonl"
    assert acclimate("predict", model, file, "--out", tmp_path / "out.jsonl").returncode == 0
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    texts = [json.loads(line)["text"] for line in file.read_text().splitlines()]
    expected = load_predictor(model).probabilities(texts)
    np.testing.assert_allclose([list(row["probabilities"].values()) for row in written], expected, atol=1e-5)
    scores = acclimate("evaluate", model, file).stdout.split()
    row = next(
        row for row in pq.read_table(folder / "out" / "results.parquet").to_pylist() if row["recipe"] == kind and row["labels"] == "all"
    )
    if kind not in ("bilstm", "doc2vec"):  # of which there is one a seed
        assert float(scores[scores.index("brier") + 1]) == pytest.approx(row["test_brier"], abs=1e-4)


def test_a_smoke_run_knows_them(write_study, tmp_path):
    study = load_study(write_study(tmp_path, STUDY))
    options = Options(tmp_path / "out", tmp_path / "store", engine="inline", say=lambda _: None)
    finished = run_study(study, tmp_path, options, smoke=True)
    assert (finished.failed, finished.runs) == (0, 5)


@pytest.mark.usefixtures("one_process")
def test_the_verb_finetune_makes_them_and_may_replace_one_by_another(acclimate, tiny_world, tmp_path):
    for kind, settings in (("majority", []), ("bilstm", ["--set", "epochs=1", "--set", "min_steps=0"])):
        made = acclimate("finetune", kind, tiny_world / "train.jsonl", "--out", "made", *settings, folder=tmp_path)
        assert made.returncode == 0, made.stderr
        assert json.loads((tmp_path / "made" / "config.json").read_text())["model_type"] == f"acclimate-{kind}"
        assert load_predictor(tmp_path / "made").labels == ("music", "sport", "trade")


def test_a_plan_says_what_a_bilstm_will_cost_and_refuses_weights_of_unknown_labels(acclimate, write_study, tmp_path):
    prepared = prepare(load_study(write_study(tmp_path, STUDY)), tmp_path, tmp_path / "store")
    found = estimates(prepared, 1e10)
    by_recipe = {run.recipe: found[run.end] for run in prepared.plan.runs if run.labels == "all"}
    assert by_recipe["majority"].tokens == by_recipe["tfidf"].tokens == 0
    assert by_recipe["bilstm"].tokens > 10 * 90 * 6
    assert by_recipe["bilstm"].disk_bytes > 4 * 30 * 16
    wrong = acclimate("plan", write_study(tmp_path, STUDY.replace("epochs: 6", "class_weights: {{ sprot: 2 }}")))
    assert wrong.returncode == 2
    assert "recipes.bilstm: class_weights: label 'sprot' is not among" in wrong.stderr


def test_every_baseline_is_named_by_its_stage():
    assert (
        TABLE.baseline_names
        == tuple(stage.word() for stage in BASELINES)
        == ("majority", "tfidf", "bilstm", "linear_tagger", "doc2vec", "static", "bm25")
    )
