"""The ways to compute attention within the sequences of one flat stream, and which one is taken where.

All take `query`, `key`, `value` [1, H, T, D] and give [1, T, H, D]; only `loop` and `padded` run everywhere.
"""

import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

from acclimate.modeling.dropout import attend, serves
from acclimate.modeling.packing import Packing

# What the flash kernels take; above 192 their backward pass runs on some cards only.
WIDEST_HEAD, HEAD_STEP = 192, 8
NARROWEST_FLEX_HEAD = 16
MOST_BEHIND = 1 << 14  # keys that are copied at once where sequences stand behind the same tokens
CAPABILITY = (8, 0)  # Ampere: the first cards with bfloat16 units and flash kernels
HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Rules:
    """Which tokens see each other within a sequence, and how scores become weights."""

    dropout: float = 0.0
    scale: float | None = None
    window: int | None = None  # a token sees those less than this many positions away
    causal: bool = False
    cheap: bool = False  # dropout from cheap draws, where there are such

    def mask(self, length: int, device: torch.device) -> Tensor | None:
        """[L, L] true where a token may look; None where `is_causal` says it all."""
        if self.window is None or length <= self.window:
            return None
        place = torch.arange(length, device=device)
        return self.narrowed(torch.ones(length, length, dtype=torch.bool, device=device), place[:, None], place)

    def narrowed(self, allowed: Tensor, query: Tensor, key: Tensor) -> Tensor:
        """Those of the allowed pairs of places in one sequence that these rules leave."""
        if self.causal:
            allowed = allowed & (query >= key)
        return allowed if self.window is None else allowed & ((query - key).abs() < self.window)

    @property
    def sides(self) -> tuple[int, int]:
        """How far a token sees to the left and to the right, in flash attention's terms: -1 is without end."""
        reach = -1 if self.window is None else self.window - 1
        return reach, 0 if self.causal else reach


Kernel = Callable[[Tensor, Tensor, Tensor, Packing, Rules], Tensor]


def loop(query: Tensor, key: Tensor, value: Tensor, packing: Packing, rules: Rules) -> Tensor:
    """One call for each run of equally long sequences: best where starting a call costs next to nothing."""
    heads, size = query.shape[1], query.shape[3]
    # squeeze and split, not indices and slices: the gradient of these would be whole streams of zeros.
    cuts = [count * length for count, length in packing.runs]
    parts = []
    for (count, length), *qkv in zip(
        packing.runs, *(torch.split(tensor.squeeze(0), cuts, dim=1) for tensor in (query, key, value)), strict=True
    ):
        # [H, n * L, D] -> [n, H, L, D]
        q, k, v = (tensor.reshape(heads, count, length, size).transpose(0, 1) for tensor in qkv)
        parts.append(rectangular(q, k, v, rules).transpose(1, 2).reshape(count * length, heads, size))
    return torch.cat(parts)[None]


def behind(query: Tensor, key: Tensor, value: Tensor, packing: Packing, rules: Rules, before: tuple[Tensor, Tensor]) -> Tensor:
    """As `loop`, of sequences that all stand behind the same P tokens, whose keys and values are `before` [1, H, P, D]; no dropout."""
    heads, size, length_before = query.shape[1], query.shape[3], before[0].shape[2]
    cuts = [count * length for count, length in packing.runs]
    parts = []
    for (count, length), *qkv in zip(
        packing.runs, *(torch.split(tensor.squeeze(0), cuts, dim=1) for tensor in (query, key, value)), strict=True
    ):
        q, *own = (tensor.reshape(heads, count, length, size).transpose(0, 1) for tensor in qkv)
        place = torch.arange(length_before + length, device=query.device)
        allowed = torch.ones(length, length_before + length, dtype=torch.bool, device=query.device)
        mask = rules.narrowed(allowed, place[length_before:, None], place)
        # What stands before is there once; some sequences at a time have it beside their own.
        step = max(1, MOST_BEHIND // (length_before + length))
        for some in (slice(begin, begin + step) for begin in range(0, count, step)):
            k, v = (torch.cat([each.expand(len(mine[some]), -1, -1, -1), mine[some]], 2) for each, mine in zip(before, own, strict=True))
            out = scaled_dot_product_attention(q[some], k, v, mask, scale=rules.scale)
            parts.append(out.transpose(1, 2).reshape(-1, heads, size))
    return torch.cat(parts)[None]


def alike(query: Tensor, key: Tensor, value: Tensor, packing: Packing, rules: Rules) -> Tensor:
    """One call for all sequences of like length, in a padded rectangle: best for many short ones on a CPU."""
    heads, size = query.shape[1], query.shape[3]
    plan = packing.rectangles
    cells = [part.count * part.length for part in plan.parts]
    # [1, H, T, D] -> [T, H * D], which is how it lies in memory where nothing has touched it; -> [C, H * D], rectangle after rectangle
    gathered = (tensor.squeeze(0).transpose(0, 1).reshape(-1, heads * size).index_select(0, plan.cells) for tensor in (query, key, value))
    outs = []
    for part, *qkv in zip(plan.parts, *(torch.split(tensor, cells) for tensor in gathered), strict=True):
        q, k, v = (tensor.view(part.count, part.length, heads, size).transpose(1, 2) for tensor in qkv)
        outs.append(rectangular(q, k, v, rules, part.real).transpose(1, 2).reshape(-1, heads * size))
    return torch.cat(outs).index_select(0, plan.places).view(1, -1, heads, size)


def by_length(query: Tensor, key: Tensor, value: Tensor, packing: Packing, rules: Rules) -> Tensor:
    """`alike` where it at least halves the calls, else `loop`, which copies less. For a CPU: half precision is computed in float32.

    Torch's attention takes five times as long backwards in bfloat16, even on processors whose bfloat16 products are fast.
    """
    kernel = alike if 2 * len(packing.rectangles.parts) <= len(packing.runs) else loop
    q, k, v = (tensor.float() if tensor.dtype in HALF else tensor for tensor in (query, key, value))
    with torch.autocast("cpu", enabled=False):
        return kernel(q, k, v, packing, rules).to(query.dtype)


def rectangular(query: Tensor, key: Tensor, value: Tensor, rules: Rules, real: Tensor | None = None) -> Tensor:
    """Attention over [B, H, L, D]; `real` [B, L] is true where there is a token, padding being on the right.

    What padded queries get is anything but NaN.
    """
    length = query.shape[2]
    mask = rules.mask(length, query.device)
    causal = rules.causal and mask is None
    cheap = rules.cheap and rules.dropout > 0 and length == key.shape[2] and serves(query, rules.dropout)
    if causal and cheap:
        mask = torch.ones(length, length, dtype=torch.bool).tril()
    if real is not None and not causal:  # a causal query never looks to its right, where padding is
        # Padded queries look anywhere, so that no row is empty.
        mask = real[:, None, None, :] if mask is None else (mask & real[:, None, None, :]) | ~real[:, None, :, None]
    if cheap:  # it would throw torch off its fast path
        return attend(query, key, value, None if mask is None else ~mask, rules.dropout, rules.scale)
    return scaled_dot_product_attention(query, key, value, mask, rules.dropout, is_causal=causal, scale=rules.scale)


def padded(query: Tensor, key: Tensor, value: Tensor, packing: Packing, rules: Rules) -> Tensor:
    """One padded rectangle. Kernels on a GPU are short and their launches are not, so this beats a loop there."""
    sequences, longest = len(packing.lengths), packing.longest
    heads, size = query.shape[1], query.shape[3]

    def rectangle(tensor: Tensor) -> Tensor:
        flat_THD = tensor.squeeze(0).transpose(0, 1)
        return flat_THD.new_zeros(sequences * longest, heads, size).index_copy(0, packing.cells, flat_THD).view(
            sequences, longest, heads, size
        ).transpose(1, 2)  # fmt: skip

    allowed = rules.mask(longest, query.device)
    mask: Tensor | None = None
    # Keys are masked, and padded queries see real keys too, so no row is empty and no NaN arises.
    if allowed is not None:
        mask = (packing.real[:, None, None, :] & allowed) | ~packing.real[:, None, :, None]
    elif len(packing.runs) > 1 and not rules.causal:  # padding is on the right, where no causal query looks
        mask = packing.real[:, None, None, :]
    causal = rules.causal and mask is None
    out_BHLD = scaled_dot_product_attention(
        rectangle(query), rectangle(key), rectangle(value), mask, rules.dropout, is_causal=causal, scale=rules.scale
    )
    return out_BHLD.transpose(1, 2).reshape(sequences * longest, heads, size)[packing.cells][None]


def varlen(query: Tensor, key: Tensor, value: Tensor, packing: Packing, rules: Rules) -> Tensor:
    """Torch's own flash attention over a stream; no dropout."""
    function = torch_varlen()
    assert function is not None
    q, k, v = _streams(query, key, value)
    ends, longest = packing.ends, packing.longest
    out_THD: Tensor = function(q, k, v, ends, ends, longest, longest, scale=rules.scale, window_size=rules.sides)
    return out_THD[None]


def flash(query: Tensor, key: Tensor, value: Tensor, packing: Packing, rules: Rules) -> Tensor:
    """Flash attention from the package `flash_attn`, which knows dropout."""
    from flash_attn import flash_attn_varlen_func  # type: ignore[import-not-found, unused-ignore]

    q, k, v = _streams(query, key, value)
    ends, longest = packing.ends, packing.longest
    out_THD: Tensor = flash_attn_varlen_func(
        q, k, v, ends, ends, longest, longest, dropout_p=rules.dropout, softmax_scale=rules.scale, causal=rules.causal,
        window_size=rules.sides, deterministic=torch.are_deterministic_algorithms_enabled(),
    )  # fmt: skip
    return out_THD[None]


def flex(query: Tensor, key: Tensor, value: Tensor, packing: Packing, rules: Rules) -> Tensor:
    """FlexAttention with the sequences' borders as a block mask; no dropout. Compiled on a GPU only."""
    attend, blocks = _flex_functions(compiled=query.is_cuda)
    kind = (rules.window, rules.causal)
    if kind not in packing.block_masks:  # once a batch for all layers alike
        packing.block_masks[kind] = _block_mask(blocks, packing, rules)
    q, k, v = (tensor.to(compute_dtype(query)) for tensor in (query, key, value))
    out_1HTD: Tensor = attend(q, k, v, block_mask=packing.block_masks[kind], scale=rules.scale)
    return out_1HTD.transpose(1, 2)


def _block_mask(blocks: Callable[..., BlockMask], packing: Packing, rules: Rules) -> BlockMask:
    sequence = packing.sequence

    def seen(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        # Within one sequence places in the stream are as far apart as positions.
        return rules.narrowed(sequence[query] == sequence[key], query, key)

    total = len(packing.position_ids)
    return blocks(seen, None, None, total, total, device=packing.position_ids.device)


def _streams(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    # [1, H, T, D] -> [T, H, D]
    dtype = compute_dtype(query)
    return tuple(tensor.squeeze(0).transpose(0, 1).to(dtype) for tensor in (query, key, value))


def compute_dtype(query: Tensor) -> torch.dtype:
    """The dtype that autocast gives to attention. These kernels are unknown to it, so they are handed it ready-made."""
    kind = query.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype


class BackEnd(NamedTuple):
    """A way to compute attention, its name for a log, and why no faster one was taken (empty where there is none)."""

    name: str
    kernel: Kernel
    reason: str = ""


def choose(device: torch.device, dtype: torch.dtype, head_size: int, dropout: bool) -> BackEnd:
    """The back-end for attention of this kind; `dropout` where some is drawn in it (never in evaluation)."""
    # The memory of this function is keyed by the card too, since machines may hold different ones.
    return _choose(None if device.type != "cuda" else _capability(device), device.type, dtype, head_size, dropout)


@cache
def _choose(capability: tuple[int, int] | None, kind: str, dtype: torch.dtype, head_size: int, dropout: bool) -> BackEnd:
    if kind == "cpu":
        return BackEnd("sequences of like length together", by_length)
    if capability is None or torch.version.hip is not None:
        return BackEnd("padded", padded, "kernels without padding are tried on NVIDIA cards only")
    if capability < CAPABILITY:
        return BackEnd(
            "padded", padded, f"kernels without padding need compute capability 8.0, and this is {'.'.join(map(str, capability))}"
        )
    if dtype not in HALF:
        return BackEnd("padded", padded, f"kernels without padding take half precision, and this is {str(dtype).removeprefix('torch.')}")
    fits_flash = head_size % HEAD_STEP == 0 and head_size <= WIDEST_HEAD
    if fits_flash and not dropout and torch_varlen() is not None:
        return BackEnd("variable-length flash attention (torch)", varlen)
    if fits_flash and is_there("flash_attn"):
        return BackEnd("flash-attn", flash)
    if dropout:
        why = "the package flash_attn is not installed" if fits_flash else f"flash_attn takes no heads of size {head_size}"
        return BackEnd("padded", padded, f"attention dropout, and {why}")
    why = "this torch has no varlen_attn with a window" if fits_flash else f"flash attention takes no heads of size {head_size}"
    if head_size >= NARROWEST_FLEX_HEAD and is_there("triton"):
        return BackEnd("FlexAttention", flex, why)
    return BackEnd("padded", padded, f"{why}, and FlexAttention needs heads of 16 and triton")


@cache
def _capability(device: torch.device) -> tuple[int, int]:
    return torch.cuda.get_device_capability(device)


@cache
def torch_varlen() -> Callable[..., Any] | None:
    """Torch's variable-length attention, where there is one that takes a window and a scale."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn if {"scale", "window_size"} <= inspect.signature(varlen_attn).parameters.keys() else None


@cache
def _flex_functions(compiled: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    attend: Any = flex_attention  # its overloads are nothing to torch.compile's type
    return (torch.compile(attend), torch.compile(create_block_mask)) if compiled else (attend, create_block_mask)


def is_there(package: str) -> bool:
    """Whether a package that brings kernels is installed."""
    return importlib.util.find_spec(package) is not None
