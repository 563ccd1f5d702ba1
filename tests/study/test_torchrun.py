import json
import os
import subprocess
import sys

import pytest
from safetensors.torch import load_file

pytestmark = pytest.mark.measured(0)

HEAD = """forgetting: false
base: {world}/model
data:
  domain: "{world}/domain.jsonl"
  corpora: {{ labelled: {{ path: "{world}/train.jsonl", text: text }} }}
  task: {{ train: "{world}/train.jsonl", dev: "{world}/dev.jsonl", test: "{world}/test.jsonl" }}
seeds: 1
recipes:
"""
WHOLE = """  DAPT:
    - pretrain: {{ corpus: domain, tokens: 3000, batch_tokens: 512, lr: 5e-3 }}
    - finetune: {{ lr: 1e-2, epochs: 1, min_steps: 0, dropout: 0.0 }}
  small:
    base: {{ layers_of: DAPT, keep: 1 }}
    stages:
      - prune: {{ corpus: domain, size: 40 }}
      - pretrain: {{ corpus: {{ domain: 1, labelled: 0.5 }}, tokens: 3000, batch_tokens: 512, batch_ramp: 0.5, max_length: 16, lr: 5e-3 }}
      - finetune: {{ lr: 1e-2, epochs: 1, min_steps: 0, dropout: 0.0 }}
"""
DIVIDED = """  fine-tuned:
    - finetune: {{ lr: 1e-2, epochs: 1, min_steps: 0, dropout: 0.0 }}
  top:
    - pretrain: {{ objective: tsdae, tokens: 3000, batch_tokens: 512, lr: 5e-3 }}
    - finetune: {{ train: 1, lr: 1e-2, epochs: 1, min_steps: 0, dropout: 0.0 }}
"""


# What torchrun does, but for one thing: both processes are forked from one that has loaded torch and the rest. Nobody looks at the report.
PROGRAM = """
import json
import sys

import transformers.modeling_utils
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import acclimate.stages.trainer
from acclimate.cli import main
from acclimate.report import publish

publish.publish = lambda folder: folder / "report.html"


def work():
    for words in json.loads(sys.argv[1]):
        sys.argv[1:] = words
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(f"ended with {ended.code}") from None


configuration = LaunchConfig(1, 1, 2, rdzv_backend="c10d", rdzv_endpoint="localhost:0", max_restarts=0, start_method="fork")
elastic_launch(configuration, work)()
"""


@pytest.mark.slow
def test_two_processes_train_what_one_trains_also_where_each_holds_half_of_it(acclimate, write_study, tmp_path):
    def written(folder, name, recipes):
        folder.mkdir(parents=True, exist_ok=True)
        return str(write_study(folder, HEAD + recipes).rename(folder / f"{name}.yaml"))

    def two(*commands):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(commands)], env=environment, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr

    def one(*commands):
        for words in commands:
            process = acclimate(*[word for word in words if word != "--fsdp"], "--engine", "inline", "--threads", 1)
            assert process.returncode == 0, process.stderr

    found, told = {}, {}
    for name, start in {"one": one, "two": two}.items():
        folder = tmp_path / name
        start(["study", written(folder, "whole", WHOLE)], ["study", written(folder, "divided", DIVIDED), "--fsdp"])
        artifacts = [path.parent for path in folder.glob(".acclimate/artifacts/*/stage.json")]
        records = {path: json.loads((path / "stage.json").read_text()) for path in artifacts}
        assert {record["processes"] for record in records.values()} == {1 if name == "one" else 2}
        ends = {record["title"]: path for path, record in records.items() if record["stage"]["stage"] == "finetune"}
        tensors = {title: load_file(path / "model" / "model.safetensors") for title, path in ends.items()}
        found[name] = {(title, tensor): value for title, all_of in tensors.items() for tensor, value in all_of.items()}
        told[name] = {
            title: (records[path]["fsdp"], json.loads((path / "metrics.json").read_text())["notes"]) for title, path in ends.items()
        }
    titles = [
        f"{recipe}, seed 0: finetune{more}" for recipe, more in (("DAPT", ""), ("small", ""), ("fine-tuned", ""), ("top", " (top 1)"))
    ]
    assert {title for title, _ in found["one"]} == {*titles}
    for name, tensor in found["one"].items():
        # Sums are added in another order, and Adam magnifies the last bit of small gradients.
        assert (tensor - found["two"][name]).abs().max() < 1e-3, name
    assert [told["two"][title][0] for title in titles] == [False, False, True, True]
    assert not any(fsdp for fsdp, _ in told["one"].values())
    undivided = [any(note.startswith("--fsdp: frozen layers") for note in told["two"][title][1]) for title in titles]
    assert undivided == [False, False, False, True]
