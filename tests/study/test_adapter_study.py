"""A study with adapters: the store keeps them alone, later stages and whoever is handed a model get it whole."""

import csv
import json
import shutil

import pytest
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

from acclimate.modeling.adapter_settings import FOLDER, is_adapter
from acclimate.modeling.base_files import WEIGHTS
from acclimate.study.store.artifacts import Store
from acclimate.study.store.entries import ADAPTER_OF

STUDY = """forgetting: acclimate-general
base: {world}/model
data:
  domain: {world}/domain.jsonl
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 1
recipes:
  LoRA: [finetune: {{ train: {{ lora: {{ rank: 4 }} }}, lr: 2e-2, epochs: 2, min_steps: 0 }}]
  both:
    - pretrain: {{ train: {{ lora: {{ rank: 2, targets: [query, value] }} }}, tokens: 1000, batch_tokens: 256 }}
    - finetune: {{ train: {{ lora: {{ rank: 4, dora: true }} }}, lr: 2e-2, epochs: 2, min_steps: 0 }}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory, write_study):
    from typer.testing import CliRunner

    from acclimate.cli.verbs import app

    folder = tmp_path_factory.mktemp("adapters")
    file = write_study(folder, STUDY)
    planned = CliRunner().invoke(app, ["plan", str(file)], env={"COLUMNS": "200"})
    result = CliRunner().invoke(app, ["study", str(file), "--engine", "inline", "--store", str(folder / "store")])
    assert result.exit_code == 0, result.output
    return folder, planned.output


def records(store):
    return [json.loads(path.read_text()) for path in sorted(store.glob("artifacts/*/stage.json"))]


def test_the_plan_and_the_report_say_how_much_is_trained(finished):
    folder, planned = finished
    assert "finetune (LoRA rank 4)" in planned
    assert "linear layers are trained, with the head" in " ".join(planned.split()), planned
    page = (folder / "results/study/report.md").read_text()
    assert "LoRA rank 2" in page
    card = (folder / "results/study/best/README.md").read_text()
    assert "trained last" in card


def test_the_store_keeps_adapters_alone_and_the_best_is_whole_with_the_adapter_beside(finished):
    folder, _ = finished
    adapters = {each["key"]: each for each in records(folder / "store") if ADAPTER_OF in each}
    assert sorted(each["stage"]["stage"] for each in adapters.values()) == ["finetune", "finetune", "pretrain"]
    store = Store(folder / "store")
    for key, each in adapters.items():
        assert is_adapter(store.path(key) / "model")
        assert not (store.path(key) / "model" / WEIGHTS).exists()
        assert each[ADAPTER_OF] in each["parents"]
    best = folder / "results/study/best"
    sizes = [int(row["disk_bytes"]) for row in csv.DictReader((folder / "results/study/results.csv").open())]
    assert min(sizes) > (best / WEIGHTS).stat().st_size  # of all that is needed, and not of adapters alone
    model, info = AutoModelForSequenceClassification.from_pretrained(best, output_loading_info=True)
    assert not info["missing_keys"]
    head = json.loads((best / "config.json").read_text())
    before = AutoModelForSequenceClassification.from_pretrained(folder / "results/study/best", num_labels=len(head["id2label"]))
    assert PeftModel.from_pretrained(before, best / FOLDER)
    assert model.config.id2label


def test_a_model_below_a_kept_adapter_is_not_pruned_and_without_it_both_are_made_again(finished, acclimate):
    folder, _ = finished
    copied = folder / "copied"
    shutil.copytree(folder / "store", copied)
    store = Store(copied)
    adapters = {each["key"]: each[ADAPTER_OF] for each in records(copied) if ADAPTER_OF in each}
    last = next(key for key, before in adapters.items() if before in adapters)
    store.prune(keep={last})
    # The adapter, the one below it, and the base below that.
    assert {each["key"] for each in records(copied)} == {last, adapters[last], adapters[adapters[last]]}
    shutil.rmtree(store.path(adapters[last]))
    assert not Store(copied).has(last)
    done = acclimate("study", folder / "study.yaml", "--engine", "inline", "--store", copied, "--out", folder / "again")
    assert done.returncode == 0, done.stderr
    assert (folder / "again/results.csv").is_file()
