"""Every loss of names on a flat batch and on padded ones: the same number, the same gradients."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.objectives.given import CHOICES, loss_of_names

from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.supervised import Supervised


@pytest.mark.parametrize("takes", ["class", "tags"])
@pytest.mark.parametrize("choice", CHOICES)
def test_padding_changes_no_loss_of_names(choice, takes, tiny, flat):
    batch = flat((5, 9, 3), takes == "tags")
    if takes == "tags":
        asked = len(batch.targets["target_index"])
        found = {"target_labels": np.arange(asked) % 3, "target_weights": np.ones(asked, np.float32)}
        batch = replace(batch, targets={"target_index": batch.targets["target_index"], **found})
    else:
        batch = replace(batch, targets={"labels": np.array([0, 2, 1]), "weights": np.ones(3, np.float32)})
    objective = Supervised(None, None, None, loss_of_names(choice, np.ones(3), takes, [5, 3, 1]))
    seen = []
    for packed in (True, False):
        model = tiny("bert", "tagger" if takes == "tags" else "classifier")
        network = Packed(model, FastPaths(packed=packed))
        assert network.execution == ("packed" if packed else "bucketed")
        loss = objective.loss(network, to_tensors(batch, torch.device("cpu")))
        loss.backward()
        seen.append((loss.detach(), [each.grad for each in model.parameters() if each.grad is not None]))
    torch.testing.assert_close(seen[0][0], seen[1][0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(seen[0][1], seen[1][1], rtol=1e-4, atol=1e-6)
