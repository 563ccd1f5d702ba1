"""A model is timed as plain transformers runs it, or as acclimate answers where that cannot; nothing here looks at how long it took."""

import json
import os

import numpy as np
import pytest
import torch
from tests.modeling.conftest import build_tiny, make_base
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from acclimate.data.found_words import found_words
from acclimate.errors import ModelError
from acclimate.evaluation import answer_speed
from acclimate.evaluation.answer_speed import Items
from acclimate.evaluation.padded import PaddedModel
from acclimate.evaluation.predictor import load_predictor
from acclimate.files import read_json, write_json
from acclimate.modeling.folder import ModelFolder

TEXTS = tuple(f"w{number % 30} w7" + " w3" * (number % 9) for number in range(70))


@pytest.fixture
def made(tmp_path):
    """A function that makes a tiny trained model's folder."""

    def make(name="bert", kind="classifier", **config):
        folder = make_base(tmp_path / f"{name}-{kind}", build_tiny(name, kind, id2label={0: "O", 1: "B-x", 2: "I-x"})).folder
        write_json(folder / "config.json", read_json(folder / "config.json") | config)
        return folder

    return make


@pytest.fixture
def asked(monkeypatch):
    """The items of every question that is asked of plain transformers."""
    found = []
    plain = PaddedModel.probabilities
    monkeypatch.setattr(PaddedModel, "probabilities", lambda self, *columns: found.append(columns) or plain(self, *columns))
    return found


@pytest.mark.parametrize("name", ["bert", "roberta", "modernbert", "deberta-v2", "gpt2"])
def test_padded_answers_are_those_of_plain_transformers_for_each_text_alone(name, made):
    folder = made(name)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    with torch.no_grad():
        logits = [model(input_ids=torch.tensor([tokenizer.encode(text).ids])).logits for text in TEXTS[:9]]
    found = PaddedModel(ModelFolder(folder), torch.device("cpu")).probabilities(TEXTS[:9])
    torch.testing.assert_close(found, torch.cat(logits).softmax(-1), atol=1e-5, rtol=0)
    np.testing.assert_allclose(found.numpy(), load_predictor(folder).probabilities(TEXTS[:9]), atol=1e-5)


def test_texts_are_asked_alone_and_by_32_spread_over_all_of_them(made, asked, monkeypatch):
    monkeypatch.setattr(answer_speed, "LIMIT_SECONDS", 1e6)  # however busy the machine is
    speed = answer_speed.answer_speed(made(), Items((TEXTS,)))
    assert (speed.by, speed.texts, speed.batches) == ("transformers", 50, 2)
    assert min(speed.latency_seconds, speed.texts_per_second) > 0
    assert [len(columns[0]) for columns in asked] == [1] * (answer_speed.WARM_UP + 50) + [32] * 3
    alone = [columns[0][0] for columns in asked[answer_speed.WARM_UP : -3]]
    assert (alone[0], alone[-1]) == (TEXTS[0], TEXTS[-1])


def test_fewer_texts_than_a_batch_holds_fill_it_and_a_slow_model_is_asked_less(made, asked, monkeypatch):
    monkeypatch.setattr(answer_speed, "LIMIT_SECONDS", 0.0)
    speed = answer_speed.answer_speed(made(), Items((TEXTS[:7], TEXTS[7:14])))
    assert (speed.texts, speed.batches) == (answer_speed.LEAST, 1)
    assert [len(columns[1]) for columns in asked] == [1] * (answer_speed.WARM_UP + answer_speed.LEAST) + [32]


@pytest.mark.measured(1)
@pytest.mark.parametrize(("kind", "more", "by"), [("tagger", {}, "transformers"), ("classifier", {"acclimate_pool": "mean"}, "acclimate")])
def test_taggers_run_plainly_and_windows_of_long_texts_do_not(kind, more, by, made):
    items = Items((TEXTS[:40],), found_words(TEXTS[:40]) if kind == "tagger" else None)
    assert answer_speed.answer_speed(made(kind=kind, **more), items).by == by


def test_a_tagger_gives_every_token_a_tag_whatever_stands_beside_it(made):
    folder = made(kind="tagger")
    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = tokenizer.encode(TEXTS[0]).ids
    with torch.no_grad():
        wanted = model(input_ids=torch.tensor([ids])).logits.softmax(-1)
    found = PaddedModel(ModelFolder(folder), torch.device("cpu")).probabilities([TEXTS[0], TEXTS[8]])
    torch.testing.assert_close(found[:1, : len(ids)], wanted, atol=1e-5, rtol=0)


def test_what_answers_no_text_or_is_damaged_says_so(made):
    with pytest.raises(ModelError, match="no trained classifier"):
        answer_speed.answer_speed(made(kind="mlm"), Items((TEXTS,)))
    damaged = made() / "model.safetensors"
    os.truncate(damaged, damaged.stat().st_size // 2)
    with pytest.raises(ModelError, match=r"the model cannot be read .* it is damaged, copy it again"):
        answer_speed.answer_speed(damaged.parent, Items((TEXTS,)))


def test_a_busy_machine_is_told():
    assert answer_speed.doubt(0.05) == ""
    assert "busy with other work (62 % of its processors)" in answer_speed.doubt(0.62)


def test_the_verb_prints_sizes_and_speeds_of_several_folders(made, acclimate, tmp_path):
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    models = [made(), made("roberta")]
    (models[0] / "README.md").write_text("a card is no part of a model")
    words = ("speed", *models, "--data", tmp_path / "texts.jsonl")
    found = json.loads(acclimate(*words, "--json").stdout)
    for model in models:
        told = found[str(model)]
        assert told["disk_bytes"] == sum(file.stat().st_size for file in model.iterdir() if file.name != "README.md")
        assert min(told["parameters"], told["latency_seconds"], told["texts_per_second"]) > 0
    shown = acclimate(*words).stdout
    assert "answered by" in shown
    assert shown.count("transformers") == 2
