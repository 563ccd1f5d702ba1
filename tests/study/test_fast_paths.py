"""Shortcuts are exact: with each of them switched off, a study predicts the same."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.frozen import Divided
from acclimate.study.language.study import load_study
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study

pytestmark = pytest.mark.measured(1)

STUDY = """forgetting: false
base: {world}/model
data:
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: {seeds}
recipes:
"""
RECIPES = {
    "all": "[finetune: {{ lr: 1e-2, epochs: 1, min_steps: 0, dropout: 0.0 }}]",
    "head": "[finetune: {{ train: head, epochs: 2, min_steps: 0, dropout: 0.0 }}]",
    "top": "[finetune: {{ train: 1, lr: 1e-2, epochs: 2, min_steps: 0, dropout: 0.0 }}]",
    # With a rate at which it gains: where it does not, the weights from before are handed on, and no shortcut of it is seen.
    "pretrained": "[pretrain: {{ corpus: task, epochs: 2, batch_tokens: 256, lr: 5e-3 }}, "
    "finetune: {{ epochs: 1, min_steps: 0, dropout: 0.0 }}]",
}
# The recipes that a switch has to do with, where not all have.
TOUCHED = {"sparse_head": ("pretrained",), "frozen_cache": ("head", "top"), "read_ahead": ("all", "head", "pretrained")}


def predictions(write_study, folder, extra="", seeds=1, recipes=tuple(RECIPES)):
    folder.mkdir(exist_ok=True)
    asked = "".join(f"  {name}: {RECIPES[name]}\n" for name in recipes)
    study = load_study(write_study(folder, STUDY.replace("{seeds}", str(seeds)) + asked + extra))
    finished = run_study(study, folder, Options(folder / "out", folder / "store", engine="inline", say=lambda _: None))
    assert (finished.failed, finished.runs) == (0, len(recipes) * seeds)
    rows = pq.read_table(folder / "out" / "predictions.parquet").to_pylist()
    probabilities = {(row["recipe"], row["seed"], row["split"], row["index"]): row["probabilities"] for row in rows}
    assert len(probabilities) == len(rows)
    return probabilities


@pytest.fixture(scope="module")
def usual(write_study, tmp_path_factory):
    return predictions(write_study, tmp_path_factory.mktemp("usual") / "study")


@pytest.mark.parametrize("switch", [name for name in FastPaths.model_fields if name != "cheap_dropout"])
def test_a_study_predicts_the_same_without_the_shortcut(usual, switch, write_study, tmp_path):
    recipes = TOUCHED.get(switch, tuple(RECIPES))
    plain = predictions(write_study, tmp_path / "plain", f"fast_paths: {{{{ {switch}: false }}}}\n", recipes=recipes)
    assert plain.keys() == {key for key in usual if key[0] in recipes}
    for key, probabilities in plain.items():
        assert np.allclose(usual[key], probabilities, rtol=1e-3, atol=1e-4), key


@pytest.mark.measured(0)
def test_frozen_layers_run_once_over_each_text_for_all_seeds_and_epochs(write_study, tmp_path, monkeypatch):
    texts = []
    hidden = Divided.hidden
    monkeypatch.setattr(Divided, "hidden", lambda self, batch: texts.append((self.depth, len(batch.lengths))) or hidden(self, batch))
    predictions(write_study, tmp_path / "study", seeds=2, recipes=("head", "top"))
    per_depth = {depth: sum(count for other, count in texts if other == depth) for depth in (1, 2)}
    # Train, dev and test, once for both seeds; the speed of inference is measured with the whole model.
    assert per_depth == {1: 90 + 40 + 60, 2: 90 + 40 + 60}


def test_without_room_on_the_disk_frozen_layers_run_at_every_step_and_a_resume_keeps_to_it(usual, write_study, tmp_path, monkeypatch):
    answers = []

    def full(*_):
        answers.append(False)
        return False

    monkeypatch.setattr("acclimate.stages.frozen_cache.fits", full)
    built = []
    monkeypatch.setattr("acclimate.data.hidden_outputs.Outputs.build", lambda *_: built.append(1))
    found = predictions(write_study, tmp_path / "study", recipes=("head", "top"))
    assert len(answers) == 2 * 3  # recipes, splits
    assert not built
    for key, probabilities in found.items():
        assert np.allclose(usual[key], probabilities, rtol=1e-3, atol=1e-4), key
    notes = json.loads((tmp_path / "study" / "out" / "study.json").read_text())["notes"]
    assert any("would fill the disk" in note and note.startswith("head, top") for note in notes)


def test_a_switch_is_part_of_the_key_and_the_plan_shows_what_is_kept(write_study, tmp_path):
    def plan(extra):
        asked = STUDY.replace("{seeds}", "2") + "".join(f"  {name}: {stages}\n" for name, stages in RECIPES.items())
        return prepare(load_study(write_study(tmp_path, asked + extra)), tmp_path, tmp_path / "store")

    usual, same, other = plan(""), plan("fast_paths: {{ packed: true }}\n"), plan("fast_paths: {{ frozen_cache: false }}\n")
    assert usual.plan.nodes.keys() == same.plan.nodes.keys()
    assert not usual.plan.nodes.keys() & other.plan.nodes.keys()

    def kept(prepared):
        found = estimates(prepared, 1e11)
        return {run.recipe: found[run.end].cache_bytes for run in prepared.plan.runs}

    sizes = kept(usual)
    assert sizes["all"] == sizes["pretrained"] == 0
    assert sizes["head"] == (90 + 40 + 60) * 16 * 4
    assert sizes["top"] > sizes["head"]
    assert not any(kept(other).values())
