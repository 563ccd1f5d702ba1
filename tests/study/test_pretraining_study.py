"""A study that reads no labels makes models and says what each knows of held-out text."""

import json

import pytest
from transformers import AutoModelForMaskedLM
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.objectives.mlm import MaskedText
from acclimate.report.pages.pretrained import heldout_grid, pretraining_report
from acclimate.study.outputs.made_models import model_names
from acclimate.study.plan.graph import Run

STUDY = """
base: {world}/model
data:
  domain: {world}/domain.jsonl
  corpora: {{ labelled: {{ path: {world}/train.jsonl, text: text }} }}
seeds: 1
recipes:
  short: [pretrain: {{ corpus: domain, tokens: 2000, batch_tokens: 256, max_length: 16 }}]
  "mixed | <b>":
    base: {{ layers_of: {world}/model, keep: 1 }}
    stages: [pretrain: {{ corpus: {{ domain: 1, labelled: 0.5 }}, tokens: 12000, batch_tokens: 256, max_length: 16, lr: 5e-3 }}]
"""


TWICE = """
base: {world}/model
data: {{ domain: {world}/domain.jsonl }}
seeds: 1
recipes:
  twice:
    - pretrain: {{ corpus: domain, tokens: 2000, batch_tokens: 256, max_length: 16 }}
    - pretrain: {{ corpus: domain, tokens: 2000, batch_tokens: 256, max_length: 16 }}
"""

HARMFUL = """
base: {world}/model
data: {{ domain: {world}/domain.jsonl }}
seeds: 1
recipes:
  harmful: [pretrain: {{ corpus: domain, tokens: 600, batch_tokens: 256, max_length: 16, lr: 2.0, warmup: 0, schedule: constant }}]
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory, write_study):
    folder = tmp_path_factory.mktemp("pretraining")
    file = write_study(folder, STUDY)
    result = CliRunner().invoke(app, ["study", str(file), "--engine", "inline"])
    assert result.exit_code == 0, result.output
    return folder / "results/study", result.output


def test_every_model_is_handed_over_and_loads_plainly(finished):
    out, _ = finished
    results = json.loads((out / "pretraining.json").read_text())
    assert [run["model"] for run in results["runs"]] == ["models/short", "models/mixed-b"]
    for run in results["runs"]:
        _, info = AutoModelForMaskedLM.from_pretrained(out / run["model"], output_loading_info=True)
        assert not info["missing_keys"]


def test_each_corpus_has_its_losses_and_they_make_up_the_whole(finished):
    results = json.loads((finished[0] / "pretraining.json").read_text())
    mixed = next(run for run in results["runs"] if run["recipe"].startswith("mixed"))
    assert set(mixed["corpora"]) == {"domain", "labelled"}
    losses = [facts["heldout_loss"] for facts in mixed["corpora"].values()]
    assert min(losses) <= mixed["heldout_loss_after"] <= max(losses)
    assert mixed["heldout_loss_after"] < mixed["heldout_loss_before"]
    assert all(0 <= facts["heldout_accuracy"] <= 1 and facts["bits_per_byte"] > 0 for facts in mixed["corpora"].values())
    assert mixed["corpora"]["labelled"]["training_tokens"] < 0.6 * mixed["corpora"]["labelled"]["tokens"]


def test_a_pretraining_that_did_harm_is_said(tmp_path, write_study, finished):
    file = write_study(tmp_path, HARMFUL)
    assert CliRunner().invoke(app, ["study", str(file), "--engine", "inline"]).exit_code == 0
    notes = (tmp_path / "results/study/report.md").read_text().partition("## Notes")[2]
    assert "held-out loss rose from" in notes
    assert "the model knows its text worse than before" in notes
    assert "held-out loss rose" not in (finished[0] / "report.md").read_text()


def test_the_terminal_and_the_report_show_the_same_and_names_stay_text(finished):
    out, printed = finished
    report = (out / "report.md").read_text()
    assert "mixed \\| &lt;b&gt;" in report
    assert "<b>" not in report
    assert f"Models: {out / 'models'}" in printed
    grid = heldout_grid(json.loads((out / "pretraining.json").read_text()))
    assert [row[0] for row in grid.rows] == ["domain", "domain", "labelled"]


def test_the_report_is_written_again_from_the_folder(finished):
    out, _ = finished
    before = (out / "report.md").read_text()
    (out / "report.md").unlink()
    result = CliRunner().invoke(app, ["report", str(out)])
    assert result.exit_code == 0
    assert (out / "report.md").read_text() == before


def test_a_failed_run_is_said_and_the_others_are_kept():
    results = {"name": "s", "runs": [{"recipe": "a", "seed": 0, "status": "failed", "error": "no room\nmore"}]}
    assert "- a, seed 0: no room" in pretraining_report(results)


def test_models_have_names_that_every_file_system_takes():
    runs = tuple(Run(name, seed, "all", ()) for name in ("DAPT + TAPT", "DAPT/TAPT", "..") for seed in (0, 1))
    names = list(model_names(runs).values())
    assert names[:2] == ["DAPT-TAPT-seed0", "DAPT-TAPT-seed1"]
    assert names[4:] == ["model-seed0", "model-seed1"]
    assert len(set(model_names((Run("a b", 0, "all", ()), Run("a/b", 0, "all", ()))).values())) == 2


def test_a_vocabulary_is_cut_to_a_mixture_by_its_weights(tmp_path, write_study):
    text = """
base: {world}/model
data:
  corpora: {{ much: [], little: [] }}
seeds: 1
recipes:
  much: [prune: {{ corpus: {{ much: 1, little: 0.1 }}, size: 7 }}]
  little: [prune: {{ corpus: {{ much: 0.1, little: 1 }}, size: 7 }}]
"""
    for name, words in (("much", ["song"] * 5 + ["band"]), ("little", ["goal"] * 4 + ["band"])):
        (tmp_path / f"{name}.txt").write_text("\n".join(words) + "\n")
        text = text.replace(f"{name}: []", f"{name}: {tmp_path / name}.txt")
    result = CliRunner().invoke(app, ["study", str(write_study(tmp_path, text)), "--engine", "inline"])
    assert result.exit_code == 0, result.output
    kept = []
    for name in ("much", "little"):
        vocabulary = json.loads((tmp_path / f"results/study/models/{name}/tokenizer.json").read_text())["model"]["vocab"]
        kept.append({word for word in ("song", "band", "goal") if word in vocabulary})
    # Beside the five special tokens and the letter a there is room for one.
    assert kept == [{"song"}, {"goal"}]


def test_what_is_run_once_for_all_seeds_is_one_run(tmp_path, write_study):
    text = STUDY.replace("seeds: 1", "seeds: 2").replace("corpus: domain,", "corpus: domain, seeds: all,")
    result = CliRunner().invoke(app, ["study", str(write_study(tmp_path, text)), "--engine", "inline"])
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "results/study/pretraining.json").read_text())
    models = [run["model"] for run in results["runs"]]
    assert models == ["models/short-seed0", "models/short-seed1", "models/mixed-b"]
    assert sorted(path.name for path in (tmp_path / "results/study/models").glob("[!.]*")) == sorted(
        name.removeprefix("models/") for name in models
    )


def test_a_corpus_of_which_nothing_can_be_masked_is_refused_in_a_mixture_too(tmp_path, write_study):
    (tmp_path / "strange.txt").write_text("\u4e2d\u6587\n" * 60)
    text = STUDY.replace("labelled: {{ path: {world}/train.jsonl, text: text }}", f"strange: {tmp_path}/strange.txt").replace(
        "labelled", "strange"
    )
    result = CliRunner().invoke(app, ["study", str(write_study(tmp_path, text)), "--engine", "inline"])
    assert result.exit_code == 2
    assert "every token of the corpus 'strange' is unknown to this vocabulary: nothing can be masked" in result.output
    assert not list((tmp_path / "store").rglob("stage.json"))


def test_its_report_goes_on_no_page_of_comparisons(finished, tmp_path):
    out, _ = finished
    for words in (["report", str(out), "--out", str(tmp_path / "x.html")], ["report", str(out), str(out)]):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2
        assert "a study that reads no labels" in result.output


def test_a_vocabulary_cut_twice_must_shrink_each_time(tmp_path, write_study):
    text = STUDY.replace('"mixed | <b>":', "shrunk:").replace(
        "stages: [pretrain", "stages: [prune: {{ size: 30 }}, prune: {{ size: 40 }}, pretrain"
    )
    result = CliRunner().invoke(app, ["plan", str(write_study(tmp_path, text))])
    assert result.exit_code == 2
    assert "size: 40 entries were asked for, and there are 30 by then" in result.output


def test_a_text_that_is_read_again_comes_in_another_order_with_other_masks(tmp_path, write_study, monkeypatch):
    seen = {}
    whole = MaskedText.batch

    def watched(self, step):
        batch = whole(self, step)
        seen.setdefault(self.seed, (tuple(self.order.batch(step)), batch.input_ids.tobytes()))
        return batch

    monkeypatch.setattr(MaskedText, "batch", watched)
    result = CliRunner().invoke(app, ["study", str(write_study(tmp_path, TWICE)), "--engine", "inline"])
    assert result.exit_code == 0, result.output
    orders, masked = zip(*seen.values(), strict=True)
    # The head alone, then the first pretraining, then the second.
    assert len(set(orders)) == len(set(masked)) == 3
    assert list(seen)[1] == 0
