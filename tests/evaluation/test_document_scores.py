"""What documents cost a masked language model is what plain transformers says of the same masks."""

import random

import numpy as np
import pytest
import torch
from tests.study.conftest import WORDS, sentence, tiny_model
from transformers import BertForMaskedLM

from acclimate.data.masking import GROUPS, dealt
from acclimate.evaluation.document_scores import document_sums
from acclimate.evaluation.evaluate_text import evaluate_text
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.imported_base import random_base
from acclimate.modeling.source import resolve_base
from acclimate.training.devices import Devices

LENGTH = 16  # tokens of a window: some texts have several


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("scored")
    tiny_model(root / "base")
    random_base(resolve_base(str(root / "base"), root), root / "model", 0)
    return root / "model"


@pytest.fixture(scope="module")
def texts():
    rng = random.Random(0)
    several = [f"{sentence(topic, rng)} {sentence(topic, rng)} {sentence(topic, rng)}" for topic in WORDS for _ in range(2)]
    return (*several, "the match", "song", "a \u4e2d\u6587 song of zzz", "\u4e2d\u6587", several[0])


def sums(folder, texts, tokens=8192):
    model = BertForMaskedLM.from_pretrained(folder)
    return document_sums(Packed(model), texts, ModelFolder(folder).tokenizer(), LENGTH, tokens, Devices("float32"))


def plain(folder, text):
    """Nats, tokens and found ones, one sequence at a time."""
    model, tokenizer = BertForMaskedLM.from_pretrained(folder).eval(), ModelFolder(folder).tokenizer()
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    nats = tokens = right = 0
    for start in range(0, len(ids), LENGTH - 2):
        window = ids[start : start + LENGTH - 2]
        known = [place for place, token in enumerate(window) if token > 4]
        group = dealt(np.array(window), len(known))
        for number in range(GROUPS):
            asked = [place for place, its in zip(known, group, strict=True) if its == number]
            masked = [4 if place in asked else token for place, token in enumerate(window)]
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([[2, *masked, 3]])).logits[0].double().log_softmax(-1)
            for place in asked:
                nats -= float(logits[place + 1, window[place]])
                right += int(logits[place + 1].argmax() == window[place])
            tokens += len(asked)
    return nats, tokens, right


def test_every_known_token_is_asked_once_and_costs_what_plain_transformers_says(folder, texts):
    found = sums(folder, texts)
    expected = np.array([plain(folder, text) for text in texts])
    assert np.allclose(found[:, :3], expected, rtol=1e-5, atol=1e-5)
    known = [sum(token > 4 for token in ModelFolder(folder).tokenizer().encode(text, add_special_tokens=False).ids) for text in texts]
    assert found[:, 1].tolist() == known
    assert found[:, 3].tolist() == [len(text.encode()) for text in texts]
    assert found[:, 4].tolist() == [0.0] * 8 + [len("\u4e2d\u6587".encode()) + 3, len("\u4e2d\u6587".encode()), 0.0]


def test_what_a_document_costs_depends_on_nothing_beside_it(folder, texts):
    whole = sums(folder, texts)
    assert np.allclose(whole, sums(folder, texts, tokens=40), rtol=1e-5)
    assert np.allclose(whole[::-1], sums(folder, texts[::-1]), rtol=1e-5)
    assert np.allclose(whole[:1], sums(folder, texts[:1]), rtol=1e-5)
    assert np.allclose(whole[0], whole[-1])


def test_groups_are_as_even_as_can_be_and_follow_the_tokens_alone():
    tokens = np.arange(30)
    assert sorted(np.bincount(dealt(tokens, 30), minlength=GROUPS).tolist()) == [4, 4, 4, 4, 4, 5, 5]
    assert dealt(tokens.astype(np.uint16), 30).tolist() == dealt(tokens, 30).tolist()
    assert dealt(tokens + 1, 30).tolist() != dealt(tokens, 30).tolist()
    assert sorted(dealt(tokens[:3], 3).tolist()) == [0, 1, 2]


def test_a_masked_model_is_evaluated_on_the_texts_of_a_file(folder, texts, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(texts[:8]) + "\n", encoding="utf-8")
    said = []
    scores = evaluate_text(folder, str(tmp_path / "texts.txt"), {"documents": "line"}, said.append, None)
    found = document_sums(
        Packed(BertForMaskedLM.from_pretrained(folder)), texts[:8], ModelFolder(folder).tokenizer(), 64, 8192, Devices("float32")
    )
    assert scores["documents"] == 8
    assert scores["bits_per_byte"] == pytest.approx(found[:, 0].sum() / np.log(2) / found[:, 3].sum(), rel=1e-5)
    assert scores["loss"] == pytest.approx(found[:, 0].sum() / found[:, 1].sum(), rel=1e-5)
    assert scores["accuracy"] == pytest.approx(found[:, 2].sum() / found[:, 1].sum(), rel=1e-5)
    assert said[0].startswith("evaluated on 8 documents of")
