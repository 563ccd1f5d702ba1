import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from acclimate.modeling import dropout as dropout_module
from acclimate.modeling.attention_kernels import Rules, rectangular
from acclimate.modeling.dropout import CheapDropout, cheapen
from acclimate.modeling.execution import Packed
from acclimate.modeling.tensors import to_tensors

pytestmark = pytest.mark.measured(0)


def drawn(p, shape=(400, 501), seed=0):
    torch.manual_seed(seed)
    return CheapDropout(p)(torch.ones(shape))


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_as_many_are_dropped_as_asked_for_and_the_mean_stays(p):
    out = drawn(p)
    error = (p * (1 - p) / out.numel()) ** 0.5  # standard error of the share
    assert abs(float((out == 0).double().mean()) - p) < 5 * error
    assert abs(float(out.double().mean()) - 1) < 5 * error / (1 - p)
    # No row, column or place within a word is favoured.
    for share in ((out == 0).double().mean(0), (out == 0).double().mean(1), (out.view(-1, 4) == 0).double().mean(0)):
        assert (share - p).abs().max() < 6 * (p * (1 - p) / (out.numel() / len(share))) ** 0.5


def test_the_same_seed_gives_the_same_mask_and_calls_differ_independently():
    assert torch.equal(drawn(0.3), drawn(0.3))
    torch.manual_seed(0)
    module, ones = CheapDropout(0.3), torch.ones(300, 300)
    one, two = (module(ones) == 0).double(), (module(ones) == 0).double()
    correlation = torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1]
    assert abs(float(correlation)) < 5 / 300
    neighbours = torch.corrcoef(torch.stack([one.flatten()[1:], one.flatten()[:-1]]))[0, 1]
    assert abs(float(neighbours)) < 5 / 300


def test_the_gradient_is_the_mask_times_the_scale():
    values = torch.randn(7, 9, requires_grad=True)
    out = CheapDropout(0.4)(values)
    weights = torch.randn(7, 9).T.contiguous().T  # not contiguous
    (gradient,) = torch.autograd.grad((out * weights).sum(), values)
    dropped = round(0.4 * 65536)
    expected = (out != 0) * (65536 / (65536 - dropped))
    torch.testing.assert_close(gradient, expected * weights)
    torch.testing.assert_close(out, expected * values)


def test_it_behaves_as_torch_does_otherwise():
    values = torch.randn(50, 50)
    assert CheapDropout(0.5).eval()(values) is values
    assert torch.equal(CheapDropout(0.0)(values), values)
    assert not CheapDropout(1.0)(values).any()
    assert CheapDropout(0.5)(values.bfloat16()).dtype == torch.bfloat16
    assert CheapDropout(0.5)(torch.empty(0, 3)).shape == (0, 3)
    changed = values.clone()
    assert CheapDropout(0.5, inplace=True)(changed) is changed
    assert (changed == 0).any()
    with pytest.raises(ValueError, match="probability"):
        CheapDropout(1.5)


def test_every_dropout_of_a_model_is_replaced_and_nothing_else(tiny):
    model = tiny("bert", "classifier", dropout=0.1).eval()
    before, count = copy.deepcopy(model.state_dict()), sum(type(module) is nn.Dropout for module in model.modules())
    cheapen(model)
    found = [module for module in model.modules() if isinstance(module, CheapDropout)]
    assert len(found) == count > 3
    assert all(module.p == 0.1 and not module.training for module in found)
    assert before.keys() == model.state_dict().keys()
    assert not any(type(module) is nn.Dropout for module in model.modules())


def qkv(seed=0, dtype=torch.float64, length=5):
    torch.manual_seed(seed)
    return [torch.randn(3, 2, length, 2, dtype=dtype, requires_grad=True) for _ in range(3)]


def seeded(*tensors, rules, real=None):
    torch.manual_seed(5)
    return rectangular(*tensors, rules, real)


RULES = [Rules(0.2), Rules(0.2, window=3), Rules(0.2, causal=True), Rules(0.2, 0.7, window=4, causal=True)]
REAL = torch.arange(5) < torch.tensor([5, 3, 1])[:, None]


@pytest.fixture(params=RULES)
def attention(request, monkeypatch):
    """Attention under one set of rules, of two of six heads at a time."""
    monkeypatch.setattr(dropout_module, "BLOCK", 60)
    return partial(seeded, rules=request.param)


def test_attention_and_its_gradients_are_right(attention):
    assert torch.equal(attention(*qkv()), attention(*qkv()))
    assert torch.autograd.gradcheck(attention, qkv())


def test_padding_takes_no_part_in_attention(attention):
    def of_real_tokens(*tensors):
        return attention(*tensors, real=REAL).transpose(1, 2)[REAL]

    tensors = qkv()
    assert torch.autograd.gradcheck(of_real_tokens, tensors)
    other = [torch.where(REAL[:, None, :, None], tensor, 99.0) for tensor in tensors]
    torch.testing.assert_close(of_real_tokens(*other), of_real_tokens(*tensors))


@pytest.mark.parametrize("block", [1, 1 << 18])
@pytest.mark.parametrize("real", [None, REAL], ids=["whole", "padded"])
def test_how_many_heads_are_worked_on_at_a_time_changes_neither_attention_nor_gradients(attention, block, real, monkeypatch):
    def both():
        tensors = qkv()
        out = attention(*tensors, real=real)
        if real is not None:
            out = out.transpose(1, 2)[real]
        return out, *torch.autograd.grad(out.square().sum(), tensors)

    before = both()
    monkeypatch.setattr(dropout_module, "BLOCK", block)
    for one, other in zip(before, both(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("rules", [Rules(0.3), Rules(0.3, window=3), Rules(0.3, causal=True)])
def test_attention_is_on_average_what_it_is_without_dropout(rules):
    tensors = [tensor.detach() for tensor in qkv(dtype=torch.float32)]
    draws = torch.stack([rectangular(*tensors, rules) for _ in range(1500)])
    expected = rectangular(*tensors, Rules(0.0, rules.scale, rules.window, rules.causal))
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - expected).abs() <= 5 * error + 1e-6).all()
    # As much noise as torch's own dropout brings.
    if rules == Rules(0.3):
        torchs = torch.stack([scaled_dot_product_attention(*tensors, dropout_p=0.3) for _ in range(1500)])
        assert abs(float(draws.var(0).mean() / torchs.var(0).mean()) - 1) < 0.1


def test_without_dropout_torchs_own_attention_is_used(monkeypatch):
    monkeypatch.delattr("acclimate.modeling.attention_kernels.attend")
    rectangular(*qkv(), Rules())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rectangular(*(tensor.bfloat16() for tensor in qkv()), Rules(0.1))


@pytest.mark.parametrize("name", ["bert", "modernbert", "mpnet"])
def test_a_seed_decides_a_models_training_step(name, tiny, flat):
    model, batch = Packed(tiny(name, "classifier", dropout=0.2)).train(), to_tensors(flat((5, 9, 9), False), "cpu")

    def step(seed):
        torch.manual_seed(seed)
        model.zero_grad()
        logits = model(batch)
        logits.sum().backward()
        return logits.detach(), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    one, same, other = step(1), step(1), step(2)
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1], same[1])
    assert not torch.equal(one[0], other[0])
