"""Whole studies on a tiny model, by the commands that a user gives."""

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from acclimate.evaluation.predictor import load_predictor
from acclimate.report.results.contributions import Compared
from acclimate.report.results.finished import Results
from acclimate.study.language.study import load_study
from acclimate.study.plan.prepared import prepare
from acclimate.study.plan.smoke import sliver


def rows_of(out):
    return pq.read_table(out / "results.parquet").to_pylist()


def artifacts(folder):
    found = {}
    for record in sorted((folder / ".acclimate" / "artifacts").glob("*/stage.json")):
        found[record.parent.name] = json.loads(record.read_text())
    return found


@pytest.fixture(scope="module")
def finished(acclimate, write_study, tmp_path_factory):
    """The folder of a finished study."""
    folder = tmp_path_factory.mktemp("finished")
    ran = acclimate("study", write_study(folder), "--engine", "inline")
    assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture(scope="module")
def out(finished):
    """Its output folder."""
    return finished / "results" / "study"


@pytest.mark.measured(0)
def test_a_study_leaves_a_row_a_run_with_metrics_and_costs(out):
    rows = rows_of(out)
    assert {(row["recipe"], row["seed"], row["labels"]) for row in rows} == {
        (recipe, seed, labels)
        for recipe in ("fine-tune", "tfidf", "deep head", "scratch", "DAPT + TAPT")
        for seed in (0, 1)
        for labels in ("30", "all")
    }
    assert {row["status"] for row in rows} == {"done"}
    for row in rows:
        assert 0 <= row["test_macro_f1"] <= 1
        assert 0 <= row["dev_accuracy"] <= 1
        assert row["seconds"] > 0
        assert row["disk_bytes"] > 0
        assert row["parameters"] > 0
    assert (out / "results.csv").read_text().splitlines()[0].startswith("recipe,seed,labels,status")
    took = {json.loads(path.read_text())["cost"]["seconds"] for path in out.parents[1].glob(".acclimate/artifacts/*/metrics.json")}
    for column in ("seconds_shared_once", "seconds_pro_rata"):
        assert sum(row[column] for row in rows) == pytest.approx(sum(took))


def test_fine_tuning_learns_what_can_be_learned(out):
    scores = [row["test_accuracy"] for row in rows_of(out) if row["recipe"] == "fine-tune" and row["labels"] == "all"]
    assert np.mean(scores) > 0.7


def test_scores_are_those_of_the_predictions(out):
    predictions = pq.read_table(out / "predictions.parquet").to_pylist()
    for row in rows_of(out):
        own = [
            each
            for each in predictions
            if all(each[name] == row[name] for name in ("recipe", "seed", "labels")) and each["split"] == "test"
        ]
        assert len(own) == 60
        assert row["test_accuracy"] == pytest.approx(np.mean([each["gold"] == each["predicted"] for each in own]))
        assert all(sum(each["probabilities"]) == pytest.approx(1) for each in own)
        assert sorted(each["index"] for each in own) == list(range(60))


def test_verdicts_compare_every_recipe_with_the_reference_at_every_budget(out):
    verdicts = json.loads((out / "verdicts.json").read_text())["verdicts"]
    assert {(each["recipe"], each["labels"]) for each in verdicts} == {
        (recipe, labels) for recipe in ("tfidf", "deep head", "scratch", "DAPT + TAPT") for labels in ("30", "all")
    }
    for each in verdicts:
        assert each["verdict"] in ("better", "worse", "cannot tell")
        assert each["low"] <= each["difference"] <= each["high"]
        assert each["p_holm"] >= each["p"]


def test_what_items_contribute_gives_the_scores_and_the_verdicts_again(out):
    rows = pq.read_table(out / "contributions.parquet").to_pandas()
    for row in rows_of(out):
        own = rows[(rows.recipe == row["recipe"]) & (rows.seed == row["seed"]) & (rows.labels == row["labels"])]
        assert own.contribution.mean() == pytest.approx(row["test_macro_f1"])
        assert sorted(own["index"]) == list(range(60))
    results = Results.load(out)
    again = Compared(replace(results, reference="somebody else"), "all").verdict("tfidf", "fine-tune")
    assert asdict(again) == pytest.approx(asdict(results.verdict_of("tfidf", "all")))


def test_shared_stages_exist_once_and_run_for_the_seeds_they_should(out):
    stages = json.loads((out / "study.json").read_text())["stages"]
    on_domain = [stage for stage in stages if stage["title"].endswith("pretrain on domain")]
    on_task = [stage for stage in stages if stage["title"].endswith("pretrain on task")]
    assert (len(on_domain), len(on_task)) == (1, 2)
    assert on_domain[0]["runs"] == 4


def test_every_stage_leaves_its_learning_curve_as_it_was_logged(out):
    table = pq.read_table(out / "curves.parquet").to_pylist()
    logged = []
    for log in out.parents[1].glob(".acclimate/artifacts/*/log.jsonl"):
        for line in map(json.loads, log.read_text().splitlines()):
            if "step" in line:  # tf-idf tries strengths
                logged += [(name, line["step"], line[name]) for name in ("loss", "heldout_loss", "dev_macro_f1") if name in line]
    assert sorted((row["curve"], row["step"], row["value"]) for row in table) == sorted(logged)
    stages = {stage["key"] for stage in json.loads((out / "study.json").read_text())["stages"]}
    assert {row["key"] for row in table} <= stages


def test_the_texts_on_which_recipes_disagree_are_those_of_the_test_set(out, tiny_world):
    found = json.loads((out / "disagreements.json").read_text())
    predictions = [
        row for row in pq.read_table(out / "predictions.parquet").to_pylist() if (row["split"], row["labels"]) == ("test", "all")
    ]
    texts = [json.loads(line)["text"] for line in (tiny_world / "test.jsonl").read_text().splitlines()]
    assert 0 < len(found) <= 12
    spreads = []
    for each in found:
        assert each["text"] == texts[each["index"]][:600]
        for recipe, told in each["recipes"].items():
            own = [row for row in predictions if (row["recipe"], row["index"]) == (recipe, each["index"])]
            assert told["right"] == pytest.approx(np.mean([row["predicted"] == each["gold"] for row in own]))
            assert told["said"] in {row["predicted"] for row in own}
        spreads.append(np.var([told["right"] for told in each["recipes"].values()]))
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] > 0


def test_the_study_says_of_its_kind_what_a_report_needs(out):
    study = json.loads((out / "study.json").read_text())
    assert (study["kind"], study["item"], next(iter(study["metrics"]))) == ("classify", "text", "macro_f1")
    assert study["metrics"]["loss"] == {"words": "cross-entropy", "better": "lower", "span": 1.0, "compared": False, "hub": None}
    assert study["card"]["tag"] == "text-classification"


def test_what_is_told_of_the_chosen_recipe_is_what_its_predictions_say(out, tmp_path):
    from acclimate.report.results.finished import Results

    told = Results.load(out).blocks
    assert {"Each label", "Confusion matrix", "Calibration"} <= {block.title for block in told}
    older = tmp_path / "older"  # without blocks they are told from predictions.parquet
    shutil.copytree(out, older)
    (older / "blocks.json").unlink()
    study = json.loads((older / "study.json").read_text())
    del study["files"]
    (older / "study.json").write_text(json.dumps(study))
    assert Results.load(older).blocks == told


def test_the_report_has_its_charts_and_its_markdown(out):
    assert {"pareto.svg", "label-efficiency.svg", "differences.svg", "calibration.svg"} <= {path.name for path in (out / "plots").iterdir()}
    assert any(path.name.startswith("curve-") for path in (out / "plots").iterdir())
    written = (out / "report.md").read_text()
    for heading in ("## Comparison", "## All scores", "## Data", "## Stages and costs", "## How to repeat it"):
        assert heading in written


def test_pretraining_lowers_the_loss_on_text_that_it_never_saw(out):
    for stage in json.loads((out / "study.json").read_text())["stages"]:
        if stage["title"].endswith("pretrain on domain"):
            assert stage["metrics"]["heldout_loss_after"] < stage["metrics"]["heldout_loss_before"]
    notes = json.loads((out / "study.json").read_text())["notes"]
    assert any("no MLM head" in note for note in notes)


def test_the_best_model_predicts_in_plain_transformers_what_the_study_predicted(out, tiny_world):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    best = json.loads((out / "study.json").read_text())["best"]
    folder = out / ("best_transformer" if (out / "best_transformer").exists() else "best")
    recipe, seed = (best["transformer"] or best)["recipe"], (best["transformer"] or best)["seed"]
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [json.loads(line)["text"] for line in (tiny_world / "test.jsonl").read_text().splitlines()]
    with torch.no_grad():
        logits = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits
    rows = [
        row
        for row in pq.read_table(out / "predictions.parquet").to_pylist()
        if (row["recipe"], row["seed"], row["labels"], row["split"]) == (recipe, seed, "all", "test")
    ]
    np.testing.assert_allclose(logits.softmax(-1).numpy(), [row["probabilities"] for row in rows], atol=1e-4)
    np.testing.assert_allclose(load_predictor(folder).probabilities(texts), [row["probabilities"] for row in rows], atol=1e-5)
    labels = [model.config.id2label[number] for number in logits.argmax(-1).tolist()]
    assert labels == [row["predicted"] for row in rows]


@pytest.mark.measured(0)
def test_the_same_command_again_computes_nothing(acclimate, finished):
    before = {key: record["created"] for key, record in artifacts(finished).items()}
    again = acclimate("study", finished / "study.yaml")
    assert again.returncode == 0
    assert "stages for 20 runs; " in again.stderr
    assert {key: record["created"] for key, record in artifacts(finished).items()} == before


def test_the_resolved_study_runs_from_where_it_stands_and_finds_everything_done(acclimate, finished, out):
    again = acclimate("plan", out / "study.yaml", "--store", finished / ".acclimate")
    assert again.returncode == 0, again.stderr
    assert "to do: 0 training tokens" in again.stdout


def test_predict_and_evaluate_serve_every_kind_of_model(acclimate, finished, tiny_world, tmp_path):
    kinds = {}
    for record in artifacts(finished).values():
        if (stage := record["stage"])["stage"] != "pretrain":  # which trains all layers, too, and has no classifier
            kinds[stage.get("train", stage["stage"])] = record["key"][:16]
    assert {"tfidf", "head", "all"} <= kinds.keys()
    for kind in ("tfidf", "head", "all"):
        model = finished / ".acclimate" / "artifacts" / kinds[kind] / "model"
        written = tmp_path / f"{kind}.csv"
        assert acclimate("predict", model, tiny_world / "test.jsonl", "--out", written).returncode == 0
        assert len(written.read_text().splitlines()) == 61
    scores = acclimate("evaluate", model, tiny_world / "test.jsonl")
    assert "macro_f1" in scores.stdout


FAILING = """forgetting: false
base: {world}/model
data:
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 2
recipes:
  fine-tune: [finetune: {{ lr: 5e-3, epochs: 1, min_steps: 0 }}]
  diverges: [finetune: {{ lr: 1e30, clip: 1e30, epochs: 30, warmup: 0 }}]
"""


def test_a_failed_run_is_kept_with_its_error_and_does_not_stop_the_others(acclimate, write_study, tmp_path):
    process = acclimate("study", write_study(tmp_path, FAILING), "--engine", "inline")
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    rows = {(row["recipe"], row["seed"]): row for row in rows_of(tmp_path / "results" / "study")}
    assert [rows["fine-tune", seed]["status"] for seed in (0, 1)] == ["done", "done"]
    assert "lower learning rate" in rows["diverges", 1]["error"]
    assert "2 of 4 runs failed" in process.stdout


@pytest.mark.measured(0)
def test_a_sliver_of_a_study_runs_every_stage_and_stays_apart_from_the_real_one(acclimate, write_study, tmp_path):
    process = acclimate("study", write_study(tmp_path), "--smoke", "--engine", "inline")
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "results" / "study-smoke" / "report.html").is_file()
    keys = {record["key"] for record in artifacts(tmp_path).values()}
    study = load_study(tmp_path / "study.yaml")
    prepared = prepare(study, tmp_path, tmp_path / ".acclimate")
    real = {node.key: node for node in prepared.plan.nodes.values()}
    # The bases are the same; nothing that was learned is.
    assert {real[key].stage.model_dump()["stage"] for key in keys & real.keys()} == {"start"}
    # A token store of the sliver's text must not serve the whole text.
    assert prepared.data.task is not None
    assert sliver(prepared.data).task.text_fingerprint != prepared.data.task.text_fingerprint


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("finetune: {{ lr: 1e-2", "finetune: {{ learning_rate: 1e-2"), "did you mean 'lr'"),
        (("/train.jsonl", "/tarin.jsonl"), "tarin.jsonl"),
        (("{world}/model", "{world}/nothing"), "nothing"),
        (("labels: [30, all]", "labels: [3000, all]"), "3,000"),
        (("seeds: 2", "seeds: 2\nseeds: 3"), "seeds"),
        (("batch_tokens: 512", "batch_tokens: 512, max_length: 4000"), "4000 is more than the 64 positions"),
        (("train: head", "train: 9"), "9 layers were asked for"),
    ],
    ids=["unknown key", "missing file", "missing model", "budget too large", "repeated key", "too long", "too many layers"],
)
def test_a_mistake_is_said_in_a_few_lines_before_anything_runs(acclimate, write_study, tmp_path, change, said):
    process = acclimate("plan", write_study(tmp_path, write_study.text.replace(*change)))
    assert process.returncode == 2
    assert said in process.stderr
    assert "Traceback" not in process.stderr
    assert len(process.stderr.splitlines()) <= 6


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_single_verbs_write_a_model_that_plain_transformers_loads(acclimate, tiny_world, tmp_path, verb):
    from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

    data = tiny_world / ("domain.jsonl" if verb == "pretrain" else "train.jsonl")
    settings = (
        ["--set", "tokens=2000", "--set", "batch_tokens=512"] if verb == "pretrain" else ["--set", "epochs=1", "--set", "min_steps=0"]
    )
    process = acclimate(verb, tiny_world / "model", data, "--out", "made", *settings, folder=tmp_path)
    assert process.returncode == 0, process.stderr
    loader = AutoModelForMaskedLM if verb == "pretrain" else AutoModelForSequenceClassification
    _, info = loader.from_pretrained(tmp_path / "made", output_loading_info=True)
    assert not info["missing_keys"]
    assert ("Of general text" in process.stdout) == (verb == "pretrain")
