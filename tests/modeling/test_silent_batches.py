"""A forward pass that asks for nothing (all tokens unknown, no word) adds nothing, and every parameter still has its gradient."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.modeling.conftest import KINDS
from tests.objectives.given import loss_of_names

from acclimate.modeling.execution import Packed
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.mlm import summed_loss
from acclimate.objectives.supervised import Supervised


@pytest.mark.parametrize("kind", ["mlm", "tagger"])
@pytest.mark.parametrize("name", KINDS)
def test_a_pass_that_asks_for_no_position_gives_no_loss_and_the_gradients_that_peers_wait_for(name, kind, tiny, flat):
    asking = flat((5, 9, 3), True)
    asking = replace(asking, targets={**asking.targets, "target_weights": np.ones(len(asking.targets["target_index"]), np.float32)})
    nothing = {key: each[:0] for key, each in asking.targets.items()}
    loss_of = summed_loss if kind == "mlm" else Supervised(None, None, None, loss_of_names("cross_entropy", np.ones(3), "tags")).loss
    with_gradient = []
    for batch in (asking, replace(asking, targets=nothing)):
        model = tiny(name, kind)
        loss = loss_of(Packed(model), to_tensors(batch, torch.device("cpu")))
        loss.backward()
        with_gradient.append({key for key, parameter in model.named_parameters() if parameter.grad is not None})
    assert float(loss.detach()) == 0.0
    assert with_gradient[0] == with_gradient[1]
    assert all(not parameter.grad.any() for parameter in model.parameters() if parameter.grad is not None)
