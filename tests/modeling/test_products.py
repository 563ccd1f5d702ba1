"""Products by oneDNN are those of torch, forward and backward, wherever they are taken."""

import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from acclimate.modeling import products
from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.products import QuickLinear, quicken, times


@pytest.fixture
def by_onednn(monkeypatch):
    """As on a processor where it is the faster one; counts the products that it makes."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("needs a torch with oneDNN")
    made, product = [], products.product
    monkeypatch.setattr(products, "by_onednn", lambda: True)
    monkeypatch.setattr(products, "product", lambda *given: made.append(1) or product(*given))
    return made


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(20, 24), (1, 40, 24), (3, 7, 24)])
def test_value_and_gradients_are_those_of_torch(by_onednn, bias, shape):
    torch.manual_seed(0)
    layer = nn.Linear(24, 33, bias=bias)
    quicken(nn.Sequential(layer))
    assert type(layer) is QuickLinear
    # Not contiguous, and a gradient that is one number, said of every place.
    ours = torch.randn(*shape[:-1], 48)[..., ::2].requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    out = layer(ours)
    out.mul_(1.0)  # as some models write over it
    found = torch.autograd.grad(out.sum() + (out[..., 0] ** 2).sum(), [ours, *layer.parameters()])
    expected = linear(theirs, layer.weight, layer.bias)
    wanted = torch.autograd.grad(expected.sum() + (expected[..., 0] ** 2).sum(), [theirs, *layer.parameters()])
    assert len(by_onednn) == 3
    torch.testing.assert_close([out, *found], [expected, *wanted], rtol=1e-5, atol=1e-5)


def test_a_sum_alone_has_a_gradient_too_and_frozen_weights_have_none(by_onednn):
    layer = nn.Linear(8, 5)
    quicken(layer)
    layer.weight.requires_grad_(False)
    read = torch.randn(30, 8, requires_grad=True)
    layer(read).sum().backward()
    torch.testing.assert_close(read.grad, layer.weight.sum(0).expand(30, 8))
    assert layer.weight.grad is None
    assert layer.bias.grad.tolist() == [30.0] * 5
    assert len(by_onednn) == 2


def test_few_rows_other_precisions_and_autocast_are_left_to_torch(by_onednn):
    layer = nn.Linear(8, 5)
    quicken(layer)
    layer(torch.randn(3, 8))
    layer(torch.randn(0, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(torch.randn(30, 8)).dtype == torch.bfloat16
    layer.double()(torch.randn(30, 8, dtype=torch.float64))
    left = torch.randn(2, 8)
    torch.testing.assert_close(times(left, layer.weight.float().T), left @ layer.weight.float().T)
    assert not by_onednn


def test_models_take_them_where_the_switch_is_on(by_onednn, tiny):
    for on in (True, False):
        model = Packed(tiny("bert", "mlm"), FastPaths(onednn=on)).model
        kinds = {type(module) for module in model.modules() if isinstance(module, nn.Linear)}
        assert kinds == {QuickLinear if on else nn.Linear}
