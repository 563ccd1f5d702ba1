"""A forward pass whose tokens are all unknown asks for nothing: it adds nothing, and every parameter still has its gradient."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from acclimate.modeling.execution import Packed
from acclimate.modeling.families import SUPPORTED
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.mlm import summed_loss


@pytest.mark.parametrize("name", SUPPORTED)
def test_a_pass_without_masked_tokens_gives_no_loss_and_the_gradients_that_peers_wait_for(name, tiny, flat):
    asking = flat((5, 9, 3), True)
    nothing = {"target_index": np.zeros(0, np.int64), "target_ids": np.zeros(0, np.int64)}
    with_gradient = []
    for batch in (asking, replace(asking, targets=nothing)):
        model = tiny(name, "mlm")
        loss = summed_loss(Packed(model), to_tensors(batch, torch.device("cpu")))
        loss.backward()
        with_gradient.append({key for key, parameter in model.named_parameters() if parameter.grad is not None})
    assert float(loss.detach()) == 0.0
    assert with_gradient[0] == with_gradient[1]
    assert all(not parameter.grad.any() for parameter in model.parameters() if parameter.grad is not None)
