"""A text's vector is the mean of its last hidden states, as plain transformers gives them."""

import numpy as np
import pytest
import torch
from tests.study.conftest import tiny_model
from transformers import AutoModel

from acclimate.evaluation.mean_states import mean_states
from acclimate.modeling.execution import Packed
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.source import resolve_base
from acclimate.training.devices import Devices

TEXTS = ["the match was a win", "", "market price share bank profit " * 4, "song"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model(folder / "base")
    return folder / "base", import_base(resolve_base("base", folder), folder / "model")


@pytest.mark.parametrize("longest", [64, 8])
def test_mean_states_are_those_of_padded_transformers_on_the_first_tokens(tiny, longest):
    base, folder = tiny
    tokenizer = folder.tokenizer()
    model = Packed(load_mlm(folder, 0)[0])
    passed = []

    def told(*texts_and_tokens):
        passed.append(texts_and_tokens)

    found = mean_states(model, tokenizer, TEXTS, longest, 16, Devices("float32"), told)
    plain = AutoModel.from_pretrained(base).eval()
    for row, text in zip(found, TEXTS, strict=True):
        ids = tokenizer.encode(text, add_special_tokens=True).ids
        ids = ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]
        with torch.no_grad():
            mean = plain(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=2e-3)
    assert sum(texts for texts, _ in passed) == len(TEXTS)
    assert len(passed) > 1
