"""The demo's study stands on its own: real articles, split without overlap, from whatever base one names."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.errors import ModelError, SettingsError
from acclimate.study import demo as demo_module
from acclimate.study.demo import SIZES, write_demo
from acclimate.study.language.study import load_study

pytestmark = pytest.mark.measured(0)


def texts(folder, split):
    return [json.loads(line)["text"] for line in (folder / "data" / f"{split}.jsonl").read_text().splitlines()]


@pytest.fixture
def demo(bbc_folder, tmp_path):
    return lambda base=None: write_demo(tmp_path / "demo", base)


def test_no_article_stands_in_two_parts(demo):
    folder = demo().parent
    parts = {split: texts(folder, split) for split in (*SIZES, "unlabelled")}
    assert {split: len(parts[split]) for split in SIZES} == SIZES
    everything = [text for found in parts.values() for text in found]
    assert len(everything) == len(set(everything)) > 2000
    assert load_study(folder / "study.yaml").base == "minilm"
    assert f"{len(parts['unlabelled']):,} more articles" in (folder / "study.yaml").read_text()


def test_it_starts_from_the_base_one_names(demo, tiny_world):
    assert load_study(demo(str(tiny_world / "model"))).base == str(tiny_world / "model")


def test_a_demo_with_another_base_is_not_mistaken_for_this_one(demo, tiny_world):
    file = demo()
    assert demo() == demo("minilm") == file
    with pytest.raises(SettingsError, match="is a demo that starts from minilm; choose another --out"):
        demo(str(tiny_world / "model"))


def test_a_base_that_is_refused_leaves_nothing_behind(demo, tmp_path):
    with pytest.raises(ModelError, match=f"there is no folder {Path.cwd() / 'nothing'}"):
        demo("./nothing")
    assert not (tmp_path / "demo").exists()


@pytest.mark.measured(0)
def test_a_real_study_of_real_articles_from_a_real_model(demo, monkeypatch):
    monkeypatch.setitem(SIZES, "test", 60)
    articles = demo_module._articles()[::4]
    monkeypatch.setattr(demo_module, "_articles", lambda: articles)
    file = demo("acclimate-tiny")
    text = file.read_text()
    # The smaller the model, the larger the rate; only what learns vectors takes all of its steps.
    for before, after in {
        "seeds: 5": "seeds: 1",
        "lr: 0.0002": "lr: 0.002",
        "min_steps: 60, epochs: 12": "min_steps: 10, epochs: 1",
        "base: tfidf": "base: { tfidf: { strengths: [1], ngrams: 1 } }",
    }.items():
        assert before in text
        text = text.replace(before, after)
    file.write_text(text)
    result = CliRunner().invoke(app, ["study", str(file), "--engine", "inline"])
    assert result.exit_code == 0, result.output
    rows = pq.read_table(file.parent / "results/study/results.parquet").to_pylist()
    scores = {row["recipe"]: row["test_accuracy"] for row in rows}
    assert scores.keys() == {"head only", "tfidf", "static", "fine-tune", "contrastive"}
    assert scores["tfidf"] > 0.5  # five sections: chance is a fifth
    assert scores["contrastive"] > max(0.3, scores["head only"])
