"""Models are timed in turn, and are afterwards what they were."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from acclimate.data.batches import Batch
from acclimate.evaluation import speed
from acclimate.modeling.execution import Packed
from acclimate.training.devices import Devices

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 16}


def batch_of(tokens):
    targets = {"target_index": np.array([1]), "target_ids": np.array([3])}
    return Batch(np.full(tokens, 2), np.arange(tokens), np.array([0, tokens]), None, targets)


def test_models_take_turns_and_keep_their_weights():
    models = {name: Packed(BertForMaskedLM(BertConfig(vocab_size=size, **SIZES))) for name, size in (("before", 20), ("after", 10))}
    before = {name: [parameter.clone() for parameter in model.parameters()] for name, model in models.items()}
    turns = []
    for name, model in models.items():
        model.register_forward_pre_hook(lambda *_, name=name: turns.append(name))
    found = speed.training_seconds(models, {"before": [batch_of(5)], "after": [batch_of(7)]}, Devices())
    assert turns == ["before", "after"] * (1 + speed.ROUNDS)
    assert all(seconds > 0 for seconds in found.values())
    for name, model in models.items():
        assert all(torch.equal(one, two) for one, two in zip(before[name], model.parameters(), strict=True))
        assert all(parameter.grad is None for parameter in model.parameters())


def test_long_rounds_are_cut_short_after_the_second(monkeypatch):
    monkeypatch.setattr(speed, "ENOUGH_SECONDS", 0.0)
    seconds = iter([9.0, 9.0, 1.0, 4.0, 3.0, 8.0])
    monkeypatch.setattr(speed, "_pass", lambda *_: next(seconds))
    found = speed.training_seconds({"before": None, "after": None}, {"before": [], "after": []}, None)
    assert found == {"before": pytest.approx(2.0), "after": pytest.approx(6.0)}
