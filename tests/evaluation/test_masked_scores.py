"""Loss and accuracy at masked tokens are those of the plain computation, however the batches are cut."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from acclimate.data.batches import Batch
from acclimate.evaluation.inference import MaskedScores, masked_scores, pooled
from acclimate.training.devices import Devices

VOCABULARY = 7


class Table(nn.Module):
    """The logits of a masked token are a row of a table, by its id."""

    def __init__(self):
        super().__init__()
        self.rows = nn.Parameter(torch.randn(VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(0)))

    def forward(self, batch):
        return self.rows[batch.input_ids[batch.targets["target_index"]]]


def batch(seed, tokens=20):
    rng = np.random.default_rng(seed)
    index = np.sort(rng.choice(tokens, 6, replace=False))
    targets = {"target_index": index, "target_ids": rng.integers(0, VOCABULARY, 6)}
    positions = np.concatenate([np.arange(tokens // 2), np.arange(tokens - tokens // 2)])
    return Batch(rng.integers(0, VOCABULARY, tokens), positions, np.array([0, tokens // 2, tokens]), targets=targets)


def test_loss_and_accuracy_are_those_of_the_plain_computation():
    model, devices = Table(), Devices("float32")
    batches = [batch(seed) for seed in range(3)]
    found = masked_scores(model, [part for each in batches for part in each.micro(10)], devices)
    ids = torch.from_numpy(np.concatenate([each.input_ids[each.targets["target_index"]] for each in batches]))
    wanted = torch.from_numpy(np.concatenate([each.targets["target_ids"] for each in batches]))
    logits = model.rows.detach()[ids]
    assert found.loss == pytest.approx(float(cross_entropy(logits, wanted)), rel=1e-6)
    assert found.accuracy == float((logits.argmax(-1) == wanted).double().mean())
    assert found.tokens == 18


def test_texts_together_count_every_masked_token_the_same():
    together = pooled([MaskedScores(1.0, 0.5, 30), MaskedScores(math.nan, math.nan, 0), MaskedScores(2.0, 1.0, 10)])
    assert together == MaskedScores(1.25, 0.625, 40)
    assert math.isnan(pooled([]).loss)
