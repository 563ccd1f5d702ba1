"""`pretrain` after `extend`: the rows of new entries learn alone for a share of the steps, or nothing else does."""

import pytest
import torch
from tests.study.conftest import sentence, tiny_model

from acclimate.errors import SettingsError
from acclimate.modeling.folder import ModelFolder
from acclimate.stages.new_rows import watch_new_rows
from acclimate.stages.planned import Sizes
from acclimate.stages.pretrain import Pretrain
from acclimate.study.run import Options
from acclimate.study.single import run_stage

pytestmark = pytest.mark.measured(0)

ROWS = "bert.embeddings.word_embeddings.weight"


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A folder with a corpus, a tiny model, and the same with two new words."""
    import random

    folder = tmp_path_factory.mktemp("rows")
    tiny_model(folder / "model")
    path = folder / "model" / "tokenizer.json"
    path.write_text(path.read_text().replace('"record"', '"##es"'))
    rng = random.Random(0)
    lines = [f"{sentence('sport', rng)} matches and coaches".replace("record", "song") for _ in range(80)]
    (folder / "domain.txt").write_text("\n".join(lines) + "\n")
    run(folder, "model", "extended", "extend", {"words": ["matches", "coaches"], "init": "mean"})
    return folder


def run(folder, base, out, stage, settings):
    options = Options(folder / out, folder / "store", engine="inline", say=lambda _: None)
    return run_stage(str(folder / base), stage, settings, {"domain": str(folder / "domain.txt")}, 0, options).measured


FEW = {"batch_tokens": 128, "epochs": 2, "head_warmup": 0, "patience": None}


def test_with_a_share_of_one_nothing_but_the_new_rows_learns(extended):
    measured = run(extended, "extended", "alone", "pretrain", {**FEW, "new_rows_first": 1.0, "lr": 0.01})
    before, after = (ModelFolder(extended / name).tensors() for name in ("extended", "alone"))
    new = len(before[ROWS]) - 2
    assert torch.equal(after[ROWS][:new], before[ROWS][:new])
    assert not torch.equal(after[ROWS][new:], before[ROWS][new:])
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items() if name != ROWS)
    assert measured["metrics"]["steps"] > 1
    rows = before[ROWS][new:], after[ROWS][new:]
    moved = [(two - one).norm() / one.norm() for one, two in zip(*rows, strict=True)]
    told = measured["metrics"]
    assert told["new_rows"] == 2
    assert told["rows_moved"] == pytest.approx(float(sum(moved)) / 2, rel=1e-4)
    assert told["rows_cosine"] == pytest.approx(float(torch.cosine_similarity(*rows).mean()), rel=1e-4)


def test_with_less_the_rest_learns_afterwards(extended):
    whole = run(extended, "extended", "whole", "pretrain", FEW)["metrics"]
    half = run(extended, "extended", "half", "pretrain", {**FEW, "new_rows_first": 0.5})["metrics"]
    assert half["steps"] == whole["steps"] - round(whole["steps"] / 2)
    assert (half["tokens"], half["epochs"]) == (whole["tokens"], whole["epochs"])  # the second part goes on where the first ended
    before, after = (ModelFolder(extended / name).tensors() for name in ("extended", "half"))
    assert not torch.equal(after["bert.encoder.layer.0.output.dense.weight"], before["bert.encoder.layer.0.output.dense.weight"])


def test_without_new_rows_it_is_refused_when_it_is_planned(extended):
    with pytest.raises(SettingsError, match="new_rows_first: no `extend` stands before it"):
        run(extended, "model", "refused", "pretrain", {**FEW, "new_rows_first": 0.5})
    assert not (extended / "refused").exists()


def test_without_new_rows_none_is_said_to_have_moved(extended):
    folder = ModelFolder(extended / "extended")
    folder.config.pop("acclimate_new_from")
    assert watch_new_rows(None, folder)() == {}


def test_what_is_silent_is_not_in_the_key():
    assert "new_rows_first" not in Pretrain().keyed()
    assert Pretrain(new_rows_first=0.5).keyed() != Pretrain().keyed()


def test_the_plan_knows_from_which_id_on_entries_are_new():
    given = Sizes(config={"model_type": "bert", "vocab_size": 100}, embeddings=1000)
    assert given.of_entries(120).config == {"model_type": "bert", "vocab_size": 120, "acclimate_new_from": 100}
    assert given.of_entries(120).of_entries(50).config == {"model_type": "bert", "vocab_size": 50}
