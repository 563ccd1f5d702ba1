"""What is handed over can be used as its card says: the card's own Python runs in the model's folder."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from acclimate.data.opened import DataSettings
from acclimate.modeling.source import resolve_base
from acclimate.study.origins import base_facts, hub_datasets, license_of

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
COMMAND = [sys.executable, "-c", "from acclimate.cli import main; main()"]
STUDY = """
{head}
seeds: 1
recipes:
  tfidf: {{ base: tfidf }}
  DAPT: [pretrain: {{ tokens: 2000, batch_tokens: 512 }}, finetune: {{ epochs: 1, min_steps: 0, max_length: 32 }}]
"""


def run(*command, folder):
    done = subprocess.run([*map(str, command)], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def snippet(folder: Path, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)\n```", (folder / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def out(write_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("handed")
    run(*COMMAND, "study", write_study(folder, STUDY), folder=folder)
    return folder / "results" / "study"


@pytest.mark.parametrize("name", ["best", "best_transformer"])
def test_the_code_in_the_card_runs_and_gives_a_label(out, name, tiny_world):
    said = run(sys.executable, "-c", snippet(out / name, "python"), folder=out / name)
    assert re.search("sport|trade|music", said)
    run(*COMMAND, "predict", name, tiny_world / "test.jsonl", "--out", "labels.csv", folder=out)


def test_the_cards_tell_the_two_kinds_of_model_apart_and_hold_their_scores(out):
    own, plain = (ModelCard.load(out / name / "README.md") for name in ("best", "best_transformer"))
    assert (own.data.library_name, plain.data.library_name) == ("acclimate", "transformers")
    assert "acclimate study study.yaml" in own.text
    assert "max_length=32" in plain.text
    assert "**pretrain** on “domain”: tokens 2000" in plain.text
    best = json.loads((out / "study.json").read_text())["best"]
    rows = (out / "results.csv").read_text().splitlines()
    names, cells = rows[0].split(","), next(line for line in rows[1:] if line.startswith(best["transformer"]["recipe"])).split(",")
    assert plain.data.eval_results[0].metric_value == pytest.approx(float(cells[names.index("test_macro_f1")]), abs=1e-6)
    # Nothing about this machine's folders.
    assert str(out.parents[1]) not in own.content + plain.content


def test_the_card_is_written_again_with_the_report(out):
    before = (out / "best" / "README.md").read_text()
    (out / "best" / "README.md").unlink()
    run(*COMMAND, "report", out, folder=out)
    assert (out / "best" / "README.md").read_text() == before


def test_a_single_fine_tuning_writes_a_card_whose_code_runs(tiny_world, tmp_path):
    options = ["--out", "made", "--set", "epochs=1", "--set", "min_steps=0"]
    run(*COMMAND, "finetune", tiny_world / "model", tiny_world / "train.jsonl", *options, folder=tmp_path)
    card = ModelCard.load(tmp_path / "made" / "README.md")
    assert "acclimate finetune model train.jsonl --out made --seed 0 --set epochs=1 --set min_steps=0" in card.text
    assert str(tiny_world) not in card.content
    assert re.search("sport|trade|music", run(sys.executable, "-c", snippet(tmp_path / "made", "python"), folder=tmp_path / "made"))


def test_the_licence_comes_from_the_card_of_the_base_or_is_not_known(tiny_world, tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\n# a model\n")
    assert license_of(tmp_path)["license"] == "apache-2.0"
    for broken in (
        "---\nlicense: [a, b]\n---\n",
        "---\n: : :\n---\n",
        "no metadata",
        "---\nlicense: 'a\\nb: c'\n---\n",
        "---\nlicense: A b\n---\n",
    ):
        (tmp_path / "README.md").write_text(broken)
        assert license_of(tmp_path)["license"] is None
    (tmp_path / "README.md").write_bytes(b"---\n\xff\n---\n")
    assert license_of(tmp_path)["license"] is None
    source = resolve_base(str(tiny_world / "model"), tmp_path)
    (facts,) = base_facts([source])
    assert (facts["name"], facts["hub"], facts["license"]) == ("model", False, None)


def test_hub_ids_of_data_are_kept_and_paths_are_not(tmp_path):
    data = DataSettings.model_validate(
        {"task": {"path": "owner/task:config@main"}, "domain": ["owner/text[train]", "files/*.txt"], "general": "/data/x.txt"}
    )
    assert hub_datasets(data, tmp_path) == {"task": ["owner/task"], "domain": ["owner/text"]}
    (tmp_path / "owner").mkdir()
    assert hub_datasets(data, tmp_path) == {}
