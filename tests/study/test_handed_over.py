"""What is handed over can be used as its card says: the card's own Python runs in the model's folder."""

import contextlib
import json
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from acclimate.modeling.source import resolve_base
from acclimate.study.outputs.origins import base_facts, hub_datasets, license_of
from acclimate.tasks.opened import DataSettings

pytestmark = pytest.mark.measured(0)

STUDY = """
{head}
seeds: 1
recipes:
  tfidf: {{ base: tfidf }}
  DAPT: [pretrain: {{ tokens: 2000, batch_tokens: 512 }}, finetune: {{ epochs: 1, min_steps: 0, max_length: 32 }}]
"""


def what_the_card_prints(folder: Path, capsys) -> str:
    """Carry out the card's Python in the model's folder."""
    found = re.search(r"```python\n(.*?)\n```", (folder / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found is not None
    with contextlib.chdir(folder):
        exec(compile(found[1], "README.md", "exec"), {"__name__": "__main__"})
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def out(acclimate, write_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("handed")
    assert acclimate("study", write_study(folder, STUDY), "--engine", "inline").returncode == 0
    return folder / "results" / "study"


@pytest.mark.parametrize("name", ["best", "best_transformer"])
def test_the_code_in_the_card_runs_and_gives_a_label(acclimate, out, name, tiny_world, capsys):
    assert re.search("sport|trade|music", what_the_card_prints(out / name, capsys))
    assert acclimate("predict", name, tiny_world / "test.jsonl", "--out", "labels.csv", folder=out).returncode == 0


def test_the_cards_tell_the_two_kinds_of_model_apart_and_hold_their_scores(out):
    own, plain = (ModelCard.load(out / name / "README.md") for name in ("best", "best_transformer"))
    assert (own.data.library_name, plain.data.library_name) == ("acclimate", "transformers")
    assert "acclimate study study.yaml" in own.text
    assert "max_length=32" in plain.text
    assert "**pretrain** on “domain”: tokens 2000" in plain.text
    assert all(r"select\_by macro\_f1" in each.text for each in (own, plain))
    best = json.loads((out / "study.json").read_text())["best"]
    rows = (out / "results.csv").read_text().splitlines()
    names, cells = rows[0].split(","), next(line for line in rows[1:] if line.startswith(best["transformer"]["recipe"])).split(",")
    assert plain.data.eval_results[0].metric_value == pytest.approx(float(cells[names.index("test_macro_f1")]), abs=1e-6)
    # Nothing about this machine's folders.
    assert str(out.parents[1]) not in own.content + plain.content


def test_the_card_is_written_again_with_the_report(acclimate, out):
    before = (out / "best" / "README.md").read_text()
    (out / "best" / "README.md").unlink()
    assert acclimate("report", out, folder=out).returncode == 0
    assert (out / "best" / "README.md").read_text() == before


@pytest.mark.usefixtures("one_process")
def test_a_single_fine_tuning_writes_a_card_whose_code_runs(acclimate, tiny_world, tmp_path, capsys):
    options = ["--out", "made", "--set", "epochs=1", "--set", "min_steps=0"]
    assert acclimate("finetune", tiny_world / "model", tiny_world / "train.jsonl", *options, folder=tmp_path).returncode == 0
    card = ModelCard.load(tmp_path / "made" / "README.md")
    assert "acclimate finetune model train.jsonl --out made --seed 0 --set epochs=1 --set min_steps=0" in card.text
    assert str(tiny_world) not in card.content
    assert re.search("sport|trade|music", what_the_card_prints(tmp_path / "made", capsys))


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
