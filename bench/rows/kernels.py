"""Packed attention against plain attention, sequence by sequence: answers and gradients of every kernel that this device offers.

The exact answer is each sequence alone, in float64, from the very numbers that the kernel is given. An error is the largest difference
within one of the four tensors (answer, and gradients of query, key and value) as a share of the largest value in it, over all rules
(everything seen, a window, causal, both). Tolerances are a few times the rounding of a sum in that dtype (`TOLERANCES`).

The ratio is the time of forward and backward against scaled_dot_product_attention on the same sequences in a padded rectangle with a mask,
in the precision that a study would choose; the rectangle is given to it ready-made.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from acclimate.modeling import attention_kernels as kernels
from acclimate.modeling.attention_kernels import Kernel, Rules
from acclimate.modeling.packing import Packing
from bench.measure import OURS, Bar, Bench, Cell, Kind, Row, interleave, synchronise, versus

HEADS, SIZE = 12, 64  # of BERT-base
RULES = (Rules(), Rules(window=64), Rules(causal=True), Rules(window=64, causal=True))
TOLERANCES = {torch.float32: 1e-4, torch.float16: 4e-3, torch.bfloat16: 3e-2}
PEER = "sdpa, padded rectangle"
CHOSEN = "the kernel that a study takes"


def offered(device: torch.device, dtype: torch.dtype) -> dict[str, Kernel]:
    """The kernels that compute attention in this dtype on this device, by name."""
    found: dict[str, Kernel] = {"loop": kernels.loop, "padded": kernels.padded}
    if device.type == "cpu":
        return {**found, "alike": kernels.alike, "by_length": kernels.by_length}
    if torch.cuda.get_device_capability(device) >= kernels.CAPABILITY:
        if dtype in kernels.HALF and kernels.torch_varlen() is not None:
            found["varlen"] = kernels.varlen
        if dtype in kernels.HALF and kernels.is_there("flash_attn"):
            found["flash"] = kernels.flash
        if kernels.is_there("triton"):
            found["flex"] = kernels.flex
    return found


def stream(device: torch.device, dtype: torch.dtype, lengths: list[int]) -> tuple[Packing, list[Tensor]]:
    """Sequences of these lengths one after the other: their packing, and query, key and value [1, H, T, D]."""
    offsets = torch.tensor(np.concatenate([[0], np.cumsum(lengths)]), device=device)
    positions = torch.cat([torch.arange(length) for length in lengths]).to(device)
    draw = torch.Generator().manual_seed(0)
    qkv = [torch.randn(1, HEADS, sum(lengths), SIZE, generator=draw).to(device, dtype).requires_grad_() for _ in range(3)]
    return Packing(tuple(lengths), offsets, positions), qkv


def exact(query: Tensor, key: Tensor, value: Tensor, packing: Packing, rules: Rules) -> Tensor:
    """Each sequence alone, its mask written out; [1, T, H, D]."""
    parts = []
    for q, k, v in zip(*(torch.split(tensor, list(packing.lengths), dim=2) for tensor in (query, key, value)), strict=True):
        place = torch.arange(q.shape[2], device=q.device)
        mask = rules.narrowed(torch.ones(len(place), len(place), dtype=torch.bool, device=q.device), place[:, None], place)
        parts.append(scaled_dot_product_attention(q, k, v, mask, scale=rules.scale).transpose(1, 2))
    return torch.cat(parts, dim=1)


def error(kernel: Kernel, packing: Packing, qkv: list[Tensor], rules: Rules) -> float:
    """The largest error of the kernel's answer and gradients, each as a share of the largest value of its tensor."""
    found = _answer_and_gradients(kernel, qkv, packing, rules)
    truth = _answer_and_gradients(exact, [tensor.detach().double().requires_grad_() for tensor in qkv], packing, rules)
    shares = [(one.detach().double() - other.detach()).abs().max() / other.abs().max() for one, other in zip(found, truth, strict=True)]
    return float(torch.stack(shares).detach().max())  # a NaN stays one, and meets no bar


def _answer_and_gradients(kernel: Kernel, qkv: list[Tensor], packing: Packing, rules: Rules) -> list[Tensor]:
    query, key, value = qkv
    out = kernel(query, key, value, packing, rules)
    weights = torch.linspace(-1, 1, out.numel(), device=out.device, dtype=torch.float64).view(out.shape)
    return [out, *torch.autograd.grad((out.double() * weights).sum(), qkv)]


def _kernels(bench: Bench) -> list[Cell]:
    device = bench.devices.device
    rng = np.random.default_rng(0)
    lengths = [1, 1, *rng.integers(2, bench.options.sized(512, 100), bench.options.sized(64, 6)).tolist()]
    cells = []
    for dtype, tolerance in TOLERANCES.items():
        packing, qkv = stream(device, dtype, lengths)
        for name, kernel in offered(device, dtype).items():
            worst = [error(kernel, packing, qkv, rules) for rules in RULES]
            value = float(np.max(worst))
            note = f"{len(lengths)} sequences, {sum(lengths):,} tokens; at most {tolerance:g}"
            cells.append(Cell(_variant(name, dtype), value, "error", min(worst), value, note=note))
    return [*cells, _speed(bench, device, lengths)]


def _speed(bench: Bench, device: torch.device, lengths: list[int]) -> Cell:
    dtype = torch.bfloat16 if bench.precision == "bf16" else torch.float32
    packing, qkv = stream(device, dtype, lengths)
    chosen = kernels.choose(device, dtype, SIZE, dropout=False)
    shape = (len(lengths), HEADS, packing.longest, SIZE)
    rectangle = [torch.randn(shape, device=device, dtype=dtype, requires_grad=True) for _ in range(3)]
    mask = packing.real[:, None, None, :]
    sides: dict[str, Callable[[], Tensor]] = {
        OURS: lambda: chosen.kernel(qkv[0], qkv[1], qkv[2], packing, Rules()),
        PEER: lambda: scaled_dot_product_attention(rectangle[0], rectangle[1], rectangle[2], mask),
    }
    repeats = bench.options.sized(20 if device.type == "cuda" else 3, 1)

    def measure(side: str) -> Callable[[int], float]:
        given = qkv if side == OURS else rectangle

        def once() -> None:
            out = sides[side]()
            torch.autograd.grad(out.sum(), given)

        def seconds(_: int) -> float:
            once()  # kernels are chosen, or compiled
            synchronise()
            begin = time.perf_counter()
            for _ in range(repeats):
                once()
            synchronise()
            return (time.perf_counter() - begin) / repeats

        return seconds

    rounds = interleave({side: measure(side) for side in sides}, bench.options.rounds)
    return versus(CHOSEN, rounds, PEER, "s", note=f"{chosen.name}, {_named(dtype)}, forward and backward")


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _variant(kernel: str, dtype: torch.dtype) -> str:
    return f"{kernel}, {_named(dtype)}: error"


def _bars(kind: Kind) -> dict[str, Bar]:
    everywhere = ("loop", "padded")
    names = (*everywhere, "alike", "by_length") if kind == "cpu" else (*everywhere, "varlen", "flash", "flex")
    bars: dict[str, Bar] = {}
    for dtype, tolerance in TOLERANCES.items():
        bars |= {_variant(name, dtype): Bar(tolerance, "at most", "error", promise=True) for name in names}
        if kind == "gpu" and dtype not in kernels.HALF:  # flash kernels take half precision only
            del bars[_variant("varlen", dtype)], bars[_variant("flash", dtype)]
    return bars


ROWS = (
    Row(
        "kernels",
        "attention of packed sequences: error against float64; forward and backward",
        _kernels,
        {"cpu": _bars("cpu"), "gpu": {**_bars("gpu"), CHOSEN: Bar(2)}},
    ),
)
