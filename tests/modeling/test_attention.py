import sys
import types

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoConfig, AutoModel

from acclimate.modeling import attention_kernels as kernels
from acclimate.modeling.attention_kernels import Rules
from acclimate.modeling.execution import Packed
from acclimate.modeling.packed import attach
from acclimate.modeling.packing import Packing
from acclimate.modeling.tensors import to_tensors

LENGTHS = (5, 5, 17, 1, 130, 30, 9, 140)
HEADS, SIZE = 2, 16
RULES = [Rules(), Rules(window=4), Rules(causal=True), Rules(window=4, causal=True), Rules(scale=0.3, window=1000)]


def stream(seed=0, device="cpu", dtype=torch.float32, size=SIZE):
    offsets = torch.tensor(np.concatenate([[0], np.cumsum(LENGTHS)]), device=device)
    positions = torch.cat([torch.arange(length) for length in LENGTHS]).to(device)
    generator = torch.Generator().manual_seed(seed)
    qkv = [torch.randn(1, HEADS, sum(LENGTHS), size, generator=generator).to(device, dtype).requires_grad_() for _ in range(3)]
    return Packing(LENGTHS, offsets, positions), qkv


def one_by_one(query, key, value, packing, rules):
    """Each sequence alone, with the mask written out."""
    parts = []
    for begin, end in zip(packing.offsets[:-1].tolist(), packing.offsets[1:].tolist(), strict=True):
        place = torch.arange(end - begin, device=query.device)
        apart = place[:, None] - place
        mask = torch.ones_like(apart, dtype=torch.bool)
        if rules.window is not None:
            mask &= apart.abs() < rules.window
        if rules.causal:
            mask &= apart >= 0
        q, k, v = (tensor[:, :, begin:end] for tensor in (query, key, value))
        parts.append(scaled_dot_product_attention(q, k, v, mask, scale=rules.scale).transpose(1, 2))
    return torch.cat(parts, dim=1)


def answers_and_gradients(kernel, qkv, packing, rules):
    out = kernel(*qkv, packing, rules)
    weights = torch.linspace(-1, 1, out.numel(), device=out.device).view(out.shape)
    return [out, *torch.autograd.grad((out.float() * weights).sum(), qkv)]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("kernel", [kernels.loop, kernels.alike, kernels.by_length, kernels.padded])
def test_kernels_for_everywhere_equal_each_sequence_alone(kernel, rules):
    packing, qkv = stream()
    expected = answers_and_gradients(one_by_one, qkv, packing, rules)
    torch.testing.assert_close(answers_and_gradients(kernel, qkv, packing, rules), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("rules", [Rules(), Rules(window=4, causal=True)])
def test_on_a_cpu_half_precision_is_computed_in_float32(rules, dtype):
    packing, qkv = stream(dtype=dtype)
    whole = [tensor.detach().float().requires_grad_() for tensor in qkv]
    expected = answers_and_gradients(one_by_one, whole, packing, rules)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = answers_and_gradients(kernels.by_length, qkv, packing, rules)
    assert {tensor.dtype for tensor in found} == {dtype}
    # Results are rounded once, to half of bfloat16's last bit; gradients begin with a rounded one, whose errors add up.
    rounding = 2**-8 if dtype == torch.bfloat16 else 1e-6
    torch.testing.assert_close(found[0].float(), expected[0], rtol=rounding, atol=1e-5)
    for one, other in zip(found[1:], expected[1:], strict=True):
        assert (one.float() - other).abs().max() <= 2 * rounding * other.abs().max()


@pytest.mark.measured(1)
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("rules", RULES)
def test_the_block_mask_keeps_to_documents_window_and_causality(rules):
    packing, qkv = stream()
    qkv = [tensor.detach() for tensor in qkv]  # FlexAttention has no gradients on a CPU
    torch.testing.assert_close(kernels.flex(*qkv, packing, rules), one_by_one(*qkv, packing, rules), rtol=1e-4, atol=1e-5)
    mask = packing.block_masks[rules.window, rules.causal]
    kernels.flex(*qkv, packing, rules)
    assert packing.block_masks[rules.window, rules.causal] is mask


def by_loop(packing, seen):
    """A stand-in with flash attention's arguments, which it notes down."""

    def function(q, k, v, ends_q, ends_k, longest_q, longest_k, **settings):
        seen.append({"ends": (ends_q, ends_k), "longest": (longest_q, longest_k), "dtype": {q.dtype, k.dtype, v.dtype}, **settings})
        left, right = settings["window_size"]
        assert right in (0, left)
        rules = Rules(scale=settings.get("scale", settings.get("softmax_scale")), window=left + 1 if left >= 0 else None, causal=right == 0)
        return kernels.loop(*(tensor.transpose(0, 1)[None] for tensor in (q, k, v)), packing, rules)[0]

    return function


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("kernel", [kernels.varlen, kernels.flash])
def test_flash_kernels_are_called_with_these_arguments(kernel, rules, monkeypatch):
    packing, qkv = stream()
    seen = []
    monkeypatch.setattr(kernels, "torch_varlen", lambda: by_loop(packing, seen))
    monkeypatch.setitem(sys.modules, "flash_attn", types.SimpleNamespace(flash_attn_varlen_func=by_loop(packing, seen)))
    expected = answers_and_gradients(one_by_one, qkv, packing, rules)
    torch.testing.assert_close(answers_and_gradients(kernel, qkv, packing, rules), expected, rtol=1e-4, atol=1e-5)
    [call] = seen
    assert call["ends"][0] is call["ends"][1] is packing.ends
    assert (packing.ends.dtype, packing.ends.tolist()) == (torch.int32, packing.offsets.tolist())
    assert call["longest"] == (140, 140)
    reach = -1 if rules.window is None else rules.window - 1
    assert call["window_size"] == (reach, 0 if rules.causal else reach)
    assert call["scale" if kernel is kernels.varlen else "softmax_scale"] == rules.scale
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert kernel(*qkv, packing, rules).dtype == torch.bfloat16
    assert seen[-1]["dtype"] == {torch.bfloat16}


@pytest.mark.parametrize(
    ("situation", "name", "reason"),
    [
        ({}, "variable-length flash attention (torch)", ""),
        ({"dropout": True}, "padded", "flash_attn is not installed"),
        ({"dropout": True, "there": {"flash_attn"}}, "flash-attn", ""),
        ({"varlen": False, "there": {"flash_attn", "triton"}}, "flash-attn", ""),
        ({"varlen": False, "there": {"triton"}}, "FlexAttention", "no varlen_attn"),
        ({"head_size": 20, "there": {"flash_attn", "triton"}}, "FlexAttention", "heads of size 20"),
        ({"head_size": 256, "dropout": True, "there": {"flash_attn"}}, "padded", "heads of size 256"),
        ({"head_size": 12, "there": {"triton"}}, "padded", "heads of 16"),
        ({"dtype": torch.float32}, "padded", "float32"),
        ({"capability": (7, 5)}, "padded", "this is 7.5"),
        ({"capability": None}, "padded", "NVIDIA"),
    ],
)
def test_the_choice_and_its_reason(situation, name, reason, monkeypatch):
    given = {"capability": (9, 0), "dtype": torch.bfloat16, "head_size": 64, "dropout": False, "varlen": True, "there": set()} | situation
    monkeypatch.setattr(kernels, "torch_varlen", lambda: by_loop if given["varlen"] else None)
    monkeypatch.setattr(kernels, "is_there", lambda package: package in given["there"])
    found = kernels._choose.__wrapped__(given["capability"], "cuda", given["dtype"], given["head_size"], given["dropout"])
    assert found.name == name
    assert reason in found.reason
    assert bool(reason) == bool(found.reason)


def test_the_varlen_attention_of_this_torch_takes_a_window_or_is_left_alone():
    function = kernels.torch_varlen()
    assert function is None or callable(function)


def test_a_packed_model_names_what_computes_its_attention(tiny):
    assert Packed(tiny("bert", "mlm")).attention.name == "sequences of like length together"
    assert Packed(tiny("distilbert", "mlm")).attention.name == "sequences of like length together"
    assert Packed(tiny("mpnet", "mlm")).attention is None


DECODERS = {
    "gpt2": {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 160, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0},
    "llama": {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 24},
    "mistral": {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 24,
                "sliding_window": 6},
}  # fmt: skip


def decoder(name):
    torch.manual_seed(0)
    config = AutoConfig.for_model(name, vocab_size=60, bos_token_id=1, eos_token_id=2, initializer_range=0.3, **DECODERS[name])
    return AutoModel.from_config(config)


@pytest.mark.parametrize("path", [kernels.loop, kernels.alike, kernels.padded])
@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_sees_no_other_sequence_and_nothing_ahead(name, path, flat, monkeypatch):
    monkeypatch.setattr(kernels, "_choose", lambda *_: kernels.BackEnd("", path))
    model = decoder(name).eval()
    model.set_attn_implementation("eager")
    batch = to_tensors(flat(LENGTHS, False), "cpu")
    alone = [model(input_ids=ids[None]).last_hidden_state[0] for ids in batch.input_ids.split(batch.lengths)]
    attach(model)
    positions = batch.position_ids[None]
    found = model(input_ids=batch.input_ids[None], position_ids=positions, packing=Packing.of(batch), use_cache=False).last_hidden_state[0]
    expected = torch.cat(alone)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    # Without a packing it answers as before: one text, padded texts, and text after a cache.
    ids = batch.input_ids[-60:][None]
    whole = model(input_ids=ids).last_hidden_state
    masked = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    torch.testing.assert_close(masked, whole, rtol=1e-4, atol=1e-4)
    first = model(input_ids=ids[:, :40], use_cache=True)
    rest = model(input_ids=ids[:, 40:], past_key_values=first.past_key_values).last_hidden_state
    torch.testing.assert_close(torch.cat([first.last_hidden_state, rest], dim=1), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("name", ["varlen", "flash", "flex", "padded"])
def test_kernels_on_a_gpu_equal_the_loop(name, rules):
    if torch.cuda.get_device_capability() < kernels.CAPABILITY:
        pytest.skip("needs compute capability 8.0")
    if name == "varlen" and kernels.torch_varlen() is None:
        pytest.skip("this torch has no varlen_attn with a window")
    if name == "flash":
        pytest.importorskip("flash_attn")
    packing, qkv = stream(device="cuda", dtype=torch.bfloat16, size=64)
    exact = [tensor.detach().float().requires_grad_() for tensor in qkv]
    found = answers_and_gradients(getattr(kernels, name), qkv, packing, rules)
    for one, wanted in zip(found, answers_and_gradients(one_by_one, exact, packing, rules), strict=True):
        assert (one.float() - wanted).abs().max() <= 2e-2 * wanted.abs().max()


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["bert", "modernbert"])
def test_a_packed_step_on_a_gpu_never_waits_for_the_device(name, tiny, flat):
    model = Packed(tiny(name, "mlm", hidden_size=32)).cuda()
    batch = to_tensors(flat((5, 5, 17, 1, 30), True), "cuda")
    with torch.autocast("cuda", dtype=torch.bfloat16):
        model(batch).float().sum().backward()  # compiles and allocates
        torch.cuda.set_sync_debug_mode("error")
        try:
            model(batch).float().sum().backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")
