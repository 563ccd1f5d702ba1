"""`acclimate attention`: what it writes, and how it says no."""

import json
import os
import re
import shutil

import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertForSequenceClassification

SENTENCE = "the team and the coach"


@pytest.fixture(scope="module")
def tuned(tiny_world, tmp_path_factory):
    """Beside texts, a classifier as transformers saves it, and what a plain baseline's folder says of itself."""
    folder = tmp_path_factory.mktemp("tuned")
    shutil.copytree(tiny_world / "model", folder / "model")
    shutil.copyfile(tiny_world / "dev.jsonl", folder / "dev.jsonl")
    names = dict(enumerate(("music", "sport", "trade")))
    torch.manual_seed(1)
    model = BertForSequenceClassification.from_pretrained(tiny_world / "model", id2label=names, num_labels=3)
    for parameter in model.parameters():  # as far from the base as a training would have led
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder / "model")
    (folder / "words").mkdir()
    (folder / "words/config.json").write_text(json.dumps({"model_type": "acclimate-tfidf"}))
    return folder


def test_a_page_and_a_picture_of_the_asked_head(acclimate, tuned, tiny_world):
    words = ("attention", tiny_world / "model", "model", SENTENCE, "--texts", tiny_world / "dev.jsonl", "--layer", 2, "--head", 1)
    ran = acclimate(*words, "--out", "page.html", "--svg", "map.svg", "--attributions", folder=tuned)
    assert ran.returncode == 0, ran.stderr
    assert "moved most" in ran.stdout
    assert "Measured over 40 texts" in ran.stdout
    assert "What each token adds to the logit of" in ran.stdout
    assert "Attention is not explanation" in ran.stdout
    assert "is no folder of a trained classifier" in ran.stdout
    page = (tuned / "page.html").read_text()
    assert page.count('<figure class="map">') == 2
    assert "layer 2, head 1" in page
    picture = (tuned / "map.svg").read_text()
    assert picture.count("layer 2, head 1") == 2
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page + picture)
    assert acclimate(*words, "--svg", "map.svg", folder=tuned).returncode == 0  # our own may be written again
    assert not (tuned / "attention.html").exists()


def test_json_alone_is_the_facts(acclimate, tuned):
    ran = acclimate("attention", "model", SENTENCE, "--json", folder=tuned)
    facts = json.loads(ran.stdout)
    assert facts["models"][0]["tokens"] == ["[CLS]", "the", "team", "and", "the", "coach", "[SEP]"]
    assert facts["moved"] is None


def test_a_pair_is_read_as_the_tokenizer_puts_two_texts_together(acclimate, tuned):
    words = Tokenizer.from_file(str(tuned / "model" / "tokenizer.json"))
    ran = acclimate("attention", "model", SENTENCE, "--second", "a goal", "--json", folder=tuned)
    facts = json.loads(ran.stdout)
    assert facts["models"][0]["tokens"] == words.encode(SENTENCE, "a goal").tokens
    assert facts["text"] == f"{SENTENCE}\na goal"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("words", SENTENCE), "words: is a model of the kind tfidf, which has no attention"),
        (("static", SENTENCE), "static: is a model of the kind static, which has no attention"),
        (("model", SENTENCE, "--layer", "3"), "--layer 3: model has 2 layers, counted from 1"),
        (("model", SENTENCE, "--head", "0"), "--head 0: model has 2 heads in a layer, counted from 1"),
        (("model", "the " * 70), "72 tokens with model, and 64 are shown at most"),
        (("model", "model"), "the sentence should stand"),
        (("model", os.fsdecode(b"caf\xe9")), "the sentence is not valid text: it holds bytes that are no UTF-8"),
        (("model", "model", SENTENCE), "model: named twice"),
        (("model", SENTENCE, "--for", "sport"), "say --attributions, too"),
        (("model", SENTENCE, "--second", " "), "--second: is empty"),
        (("model", SENTENCE, "--second", SENTENCE, "--attributions"), "--second: attributions are those of classifiers of single texts"),
        (("model", SENTENCE, "--attributions", "--for", "spot"), "did you mean 'sport'?"),
        (("acclimate-tiny", SENTENCE, "--attributions"), "none is the folder of a trained classifier"),
        (("model", SENTENCE, "--out", "dev.jsonl"), "is no report of acclimate"),
        (("model", SENTENCE, "--svg", "dev.jsonl"), "is no map of acclimate"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(acclimate, tuned, words, message):
    ran = acclimate("attention", *words, folder=tuned)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
