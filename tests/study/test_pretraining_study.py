"""Studies that compare models by held-out text, whether they say so or train on text and name no task."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from transformers import AutoModelForMaskedLM
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.objectives.mlm import MaskedText
from acclimate.study.language.study import load_study

STUDY = """forgetting: false
base: {world}/model
data:
  domain: {world}/domain.jsonl
  corpora: {{ labelled: {{ path: {world}/train.jsonl, text: text }} }}
seeds: 2
recipes:
  short: [pretrain: {{ corpus: domain, tokens: 2000, batch_tokens: 256, max_length: 16 }}]
  "mixed | <b>":
    base: {{ layers_of: {world}/model, keep: 1 }}
    stages: [pretrain: {{ corpus: {{ domain: 1, labelled: 0.5 }}, tokens: 12000, batch_tokens: 256, max_length: 16, lr: 5e-3, seeds: all }}]
"""

TWICE = """forgetting: false
base: {world}/model
data: {{ domain: {world}/domain.jsonl }}
seeds: 1
recipes:
  twice:
    - pretrain: {{ corpus: domain, tokens: 2000, batch_tokens: 256, max_length: 16 }}
    - pretrain: {{ corpus: domain, tokens: 2000, batch_tokens: 256, max_length: 16 }}
"""

HARMFUL = """forgetting: false
base: {world}/model
data: {{ domain: {world}/domain.jsonl }}
seeds: 1
recipes:
  harmful: [pretrain: {{ corpus: domain, tokens: 600, batch_tokens: 256, max_length: 16, lr: 2.0, warmup: 0, schedule: constant }}]
"""

HELD_OUT = """forgetting: false
base: {world}/model
data:
  task: {{ kind: perplexity, on: {{ held: {{ path: {world}/test.jsonl, text: text }} }} }}
  domain: {world}/domain.jsonl
seeds: 1
recipes:
  DAPT: [pretrain: {{ corpus: domain, tokens: 600, batch_tokens: 256, max_length: 16 }}, score: {{ max_length: 16 }}]
"""


def run(*words):
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory, write_study):
    folder = tmp_path_factory.mktemp("pretraining")
    result = run("study", write_study(folder, STUDY), "--engine", "inline")
    assert result.exit_code == 0, result.output
    return folder / "results/study", result.output


@pytest.mark.measured(0)
def test_a_study_without_a_task_says_first_how_it_compares_and_is_written_out_so(finished):
    out, printed = finished
    assert printed.index("there is no `task`: models are compared by held-out text") < printed.index("stages for")
    study = load_study(out / "study.yaml")
    assert study.data.task.on == ("domain", "labelled")
    assert all(recipe.stages[-1].word() == "score" for recipe in study.recipes.values())


def test_it_has_verdicts_rows_and_predictions_like_any_other(finished):
    out, printed = finished
    (verdict,) = json.loads((out / "verdicts.json").read_text())["verdicts"]
    assert verdict["metric"] == "bits_per_byte"
    assert verdict["low"] < verdict["difference"] < verdict["high"]
    about = json.loads((out / "study.json").read_text())
    assert (about["kind"], about["item"], about["metric"]) == ("perplexity", "document", "bits_per_byte")
    rows = pq.read_table(out / "results.parquet").to_pylist()
    assert [(row["recipe"], row["seed"]) for row in rows] == [(name, seed) for name in ("short", "mixed | <b>") for seed in (0, 1)]
    table = pq.read_table(out / "predictions.parquet").to_pylist()
    for row in rows:
        mine = [each for each in table if (each["recipe"], each["seed"], each["split"]) == (row["recipe"], row["seed"], "test")]
        assert {each["gold"] for each in mine} == {"domain", "labelled"}
        whole = sum(each["bits"] for each in mine) / sum(each["bytes"] for each in mine)
        assert row["test_bits_per_byte"] == pytest.approx(whole)
    assert "bits per byte on the test set (lower is better)" in printed


def test_the_best_model_is_a_masked_language_model_that_loads_plainly(finished):
    out, _ = finished
    _, info = AutoModelForMaskedLM.from_pretrained(out / "best", output_loading_info=True)
    assert not info["missing_keys"]
    card = (out / "best/README.md").read_text()
    assert "pipeline_tag: fill-mask" in card
    assert "acclimate evaluate FOLDER" in card
    assert not (out / "models").exists()


def test_what_is_run_once_for_all_seeds_is_judged_once(finished):
    stages = json.loads((finished[0] / "study.json").read_text())["stages"]
    scored = [recipe for stage in stages if stage["stage"] == "score" for recipe in stage["recipes"]]
    assert (scored.count("short"), scored.count("mixed | <b>")) == (1, 2)


def test_nothing_that_is_held_out_was_trained_on(finished, tiny_world):
    out, _ = finished
    held = [json.loads(line) for split in ("dev", "test") for line in (out / f"splits/{split}.jsonl").read_text().splitlines()]
    facts = json.loads((out / "study.json").read_text())["data"]
    for name, file in (("domain", "domain.jsonl"), ("labelled", "train.jsonl")):
        texts = [json.loads(line)["text"] for line in (tiny_world / file).read_text().splitlines()]
        chosen = {record["text"] for record in held if record["corpus"] == name}
        assert chosen <= set(texts)
        assert facts["corpora"][name]["documents"] == len(texts)
        assert facts["corpora"][name]["held_out"] == sum(text in {record["text"] for record in held} for text in texts)
    assert facts["overlap"].keys() == {"domain", "labelled"}


def test_the_report_tells_of_each_corpus_and_names_stay_text(finished):
    report = (finished[0] / "report.md").read_text()
    assert "Bits per byte by corpus on the test set" in report
    assert "| recipe | domain | labelled |" in report
    assert "Held-out documents by corpus" in report
    assert "mixed \\| &lt;b&gt;" in report
    assert "<b>" not in report.partition("## How to repeat it")[0]
    assert "with different labels" not in report


def test_the_report_is_written_again_from_the_folder(finished):
    out, _ = finished
    before = (out / "report.md").read_text()
    (out / "report.md").unlink()
    assert run("report", out).exit_code == 0
    assert (out / "report.md").read_text() == before


def test_the_model_is_evaluated_on_a_file_as_the_study_did(tmp_path, write_study, tiny_world):
    file = write_study(tmp_path, HELD_OUT.replace("on: {{ held: ", "dev_share: 0.5, on: {{ held: "))
    assert run("study", file, "--engine", "inline").exit_code == 0
    out = tmp_path / "results/study"
    rows = pq.read_table(out / "predictions.parquet").to_pylist()
    texts = [json.loads(line)["text"] for line in (tiny_world / "test.jsonl").read_text().splitlines()]
    assert sorted(row["index"] for row in rows) == list(range(len(texts)))
    result = run("evaluate", out / "best", tiny_world / "test.jsonl", "--text", "text")
    assert result.exit_code == 0, result.output
    shown = dict(line.split() for line in result.output.splitlines() if line.startswith(("bits_per_byte", "documents")))
    assert int(shown["documents"]) == len(texts)
    whole = sum(row["bits"] for row in rows) / sum(row["bytes"] for row in rows)
    assert float(shown["bits_per_byte"]) == pytest.approx(whole, abs=2e-4)
    assert np.isfinite(whole)


def test_a_base_that_cannot_predict_words_is_refused_before_anything_is_spent(tmp_path, write_study):
    file = write_study(tmp_path, HELD_OUT + "  plain: [score]\n")
    result = run("plan", file)
    assert result.exit_code == 2
    assert "recipes.plain: score:" in result.output
    assert "has no head for masked language modelling" in result.output
    assert "`pretrain` before `score` trains one" in result.output


def test_a_plan_says_how_a_study_without_a_task_compares(tmp_path, write_study):
    result = run("plan", write_study(tmp_path, STUDY), "--smoke")
    assert result.exit_code == 0, result.output
    assert "note: there is no `task`: models are compared by held-out text" in result.output
    assert "held out of 'domain': 15 of 300 documents, which no stage reads, of any corpus" in result.output


def test_a_pretraining_that_gained_nothing_is_said(tmp_path, write_study):
    result = run("study", write_study(tmp_path, HARMFUL), "--engine", "inline")
    assert result.exit_code == 0
    notes = (tmp_path / "results/study/report.md").read_text().partition("## Notes")[2]
    assert "nothing was gained: the held-out loss was" in notes
    assert "so the weights from before are handed on" in notes
    assert "pretrain on domain: nothing was gained; the weights from before are handed on" in " ".join(result.output.split())
    (stage,) = (each for each in json.loads((tmp_path / "results/study/study.json").read_text())["stages"] if each["role"] == "pretrains")
    assert (stage["metrics"]["kept"], stage["metrics"]["best_step"]) == ("before", 0)
    assert stage["metrics"]["heldout_loss_after"] == stage["metrics"]["heldout_loss_before"]


def test_the_folder_of_an_earlier_acclimate_is_told_from_others(tmp_path):
    out = tmp_path / "results/study"
    (out / "models").mkdir(parents=True)
    (out / "pretraining.json").write_text("{}")
    (out / "study.json").write_text(json.dumps({"name": "study", "stages": [], "versions": {"acclimate": "0.1.0"}}))
    result = run("report", out)
    assert result.exit_code == 2
    assert "the results of a study without a task, by an earlier acclimate" in result.output
    assert "run the study again" in result.output


def test_a_corpus_of_which_nothing_can_be_masked_is_refused_in_a_mixture_too(tmp_path, write_study):
    (tmp_path / "strange.txt").write_text("\n".join(f"\u4e2d\u6587{chr(0x4E00 + number)}" for number in range(60)) + "\n")
    text = STUDY.replace("labelled: {{ path: {world}/train.jsonl, text: text }}", f"strange: {tmp_path}/strange.txt").replace(
        "labelled", "strange"
    )
    result = run("study", write_study(tmp_path, text), "--engine", "inline")
    assert result.exit_code == 2
    assert "every token of the corpus 'strange' is unknown to this vocabulary: nothing can be masked" in result.output
    assert not list((tmp_path / "store").rglob("stage.json"))


def test_a_vocabulary_cut_twice_must_shrink_each_time(tmp_path, write_study):
    text = STUDY.replace('"mixed | <b>":', "shrunk:").replace(
        "stages: [pretrain", "stages: [prune: {{ size: 30 }}, prune: {{ size: 40 }}, pretrain"
    )
    result = run("plan", write_study(tmp_path, text))
    assert result.exit_code == 2
    assert "size: 40 entries were asked for, and there are 30 by then" in result.output


@pytest.mark.measured(0)
def test_a_text_that_is_read_again_comes_in_another_order_with_other_masks(tmp_path, write_study, monkeypatch):
    seen = {}
    whole = MaskedText.batch

    def watched(self, step):
        batch = whole(self, step)
        seen.setdefault(self.seed, (tuple(self.order.batch(step)), batch.input_ids.tobytes()))
        return batch

    monkeypatch.setattr(MaskedText, "batch", watched)
    result = run("study", write_study(tmp_path, TWICE), "--engine", "inline")
    assert result.exit_code == 0, result.output
    orders, masked = zip(*seen.values(), strict=True)
    # The head alone, then the first pretraining, then the second.
    assert len(set(orders)) == len(set(masked)) == 3
    assert list(seen)[1] == 0
