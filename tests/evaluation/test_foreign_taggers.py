"""A model for token classification that somebody else trained answers every word as plain transformers does."""

import numpy as np
import pytest
import torch
from tests.modeling.conftest import build_tiny, make_base
from tokenizers import Tokenizer
from transformers import AutoModelForTokenClassification

from acclimate.data.found_words import found_words
from acclimate.data.ragged import Ragged
from acclimate.evaluation.predictor import load_predictor

TEXTS = ["w1 w7 w3 w9", "w2", "w30 w31 w2 w5 w5"]


@pytest.mark.parametrize("name", ["bert", "modernbert", "deberta-v2"])
def test_words_are_those_given_or_found_and_each_has_its_first_pieces_probabilities(name, tmp_path):
    names = {0: "O", 1: "B-x", 2: "I-x"}
    source = make_base(tmp_path / "model", build_tiny(name, "tagger", id2label=names))
    predictor = load_predictor(source.folder)
    assert predictor.labels == tuple(names.values())
    found = predictor.probabilities(TEXTS)
    words = found_words(TEXTS)
    np.testing.assert_array_equal(predictor.probabilities(TEXTS, words=words), found)
    plain = AutoModelForTokenClassification.from_pretrained(source.folder, attn_implementation="eager").eval()
    tokenizer = Tokenizer.from_file(str(source.folder / "tokenizer.json"))
    tokenizer.no_padding()
    with torch.no_grad():
        logits = [plain(input_ids=torch.tensor([tokenizer.encode(text).ids])).logits[0, 1:-1] for text in TEXTS]
    np.testing.assert_allclose(found, torch.cat(logits).double().softmax(-1).numpy(), atol=1e-5)


def test_a_word_that_the_model_never_sees_is_outside_or_where_tags_are_plain_all_alike(tmp_path):
    words = Ragged(np.array([[0, 2], [2, 3], [3, 5]]), np.array([0, 3]))  # the second is the space between the others
    for names, unseen in (({0: "B-x", 1: "O", 2: "I-x"}, [0, 1, 0]), ({0: "NOUN", 1: "VERB", 2: "ADJ"}, [1 / 3] * 3)):
        source = make_base(tmp_path / names[0], build_tiny("bert", "tagger", id2label=names))
        assert load_predictor(source.folder).probabilities(["w1 w2"], words=words)[1].tolist() == unseen


def test_words_of_one_piece_are_one_entity_as_in_the_pipeline(tmp_path):
    source = make_base(tmp_path / "model", build_tiny("bert", "tagger", id2label={0: "B-x", 1: "O", 2: "I-x"}))
    predictor = load_predictor(source.folder)
    texts = [f"w{number} w2" for number in range(10, 32)]
    whole = predictor.probabilities(texts, words=Ragged.of([[[0, 3]]] * len(texts)))
    divided = predictor.probabilities(texts, words=Ragged.of([[[0, 1], [1, 2], [2, 3]]] * len(texts))).reshape(len(texts), 3, 3)
    assert (whole[:, 0] > whole[:, 2]).any()  # else there would be nothing to see
    np.testing.assert_allclose(divided[:, 0], whole, atol=1e-12)
    for later in (1, 2):
        np.testing.assert_allclose(divided[:, later, 1], whole[:, 1], atol=1e-12)
        np.testing.assert_allclose(divided[:, later, 2], whole[:, [0, 2]].max(axis=1), atol=1e-12)
        np.testing.assert_allclose(divided[:, later, 0], whole[:, [0, 2]].min(axis=1), atol=1e-12)
