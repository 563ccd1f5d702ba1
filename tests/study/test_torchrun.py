import json
import os
import subprocess
import sys

import pytest
from safetensors.torch import load_file

pytestmark = pytest.mark.measured(0)

STUDY = """forgetting: false
base: {world}/model
data:
  domain: "{world}/domain.jsonl"
  corpora: {{ labelled: {{ path: "{world}/train.jsonl", text: text }} }}
  task: {{ train: "{world}/train.jsonl", dev: "{world}/dev.jsonl", test: "{world}/test.jsonl" }}
seeds: 1
recipes:
  DAPT:
    - pretrain: {{ corpus: domain, tokens: 3000, batch_tokens: 512, lr: 5e-3 }}
    - finetune: {{ lr: 1e-2, epochs: 1, min_steps: 0, dropout: 0.0 }}
  small:
    base: {{ layers_of: DAPT, keep: 1 }}
    stages:
      - prune: {{ corpus: domain, size: 40 }}
      - pretrain: {{ corpus: {{ domain: 1, labelled: 0.5 }}, tokens: 3000, batch_tokens: 512, batch_ramp: 0.5, max_length: 16, lr: 5e-3 }}
      - finetune: {{ lr: 1e-2, epochs: 1, min_steps: 0, dropout: 0.0 }}
  top:
    - pretrain: {{ objective: tsdae, tokens: 3000, batch_tokens: 512, lr: 5e-3 }}
    - finetune: {{ train: 1, lr: 1e-2, epochs: 1, min_steps: 0, dropout: 0.0 }}
"""


# What torchrun does, but for one thing: both processes are forked from one that has loaded torch and the rest. Nobody looks at the report.
PROGRAM = """
import sys

import transformers.modeling_utils
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import acclimate.stages.trainer
from acclimate.cli import main
from acclimate.report import publish

publish.publish = lambda folder: folder / "report.html"


def work():
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise RuntimeError(f"ended with {ended.code}") from None


configuration = LaunchConfig(1, 1, 2, rdzv_backend="c10d", rdzv_endpoint="localhost:0", max_restarts=0, start_method="fork")
elastic_launch(configuration, work)()
"""


@pytest.mark.slow
def test_two_processes_train_what_one_trains(acclimate, write_study, tmp_path):
    def two(*words):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run([sys.executable, "-c", PROGRAM, *words], env=environment, capture_output=True, text=True)

    def one(*words):
        return acclimate(*words, "--engine", "inline", "--threads", 1)

    found = {}
    for name, start in {"one": one, "two": two}.items():
        folder = tmp_path / name
        folder.mkdir()
        process = start("study", write_study(folder, STUDY))
        assert process.returncode == 0, process.stderr
        records = [json.loads(path.read_text()) for path in folder.glob(".acclimate/artifacts/*/stage.json")]
        assert {record["processes"] for record in records} == {1 if name == "one" else 2}
        ends = {record["title"]: record["key"] for record in records if record["stage"]["stage"] == "finetune"}
        models = {title: folder / ".acclimate" / "artifacts" / end[:16] / "model" / "model.safetensors" for title, end in ends.items()}
        found[name] = {(title, tensor): value for title, path in models.items() for tensor, value in load_file(path).items()}
    assert {title for title, _ in found["one"]} == {"DAPT, seed 0: finetune", "small, seed 0: finetune", "top, seed 0: finetune (top 1)"}
    for name, tensor in found["one"].items():
        # Sums are added in another order, and Adam magnifies the last bit of small gradients.
        assert (tensor - found["two"][name]).abs().max() < 1e-3, name
