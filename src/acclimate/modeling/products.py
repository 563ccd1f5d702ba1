"""Matrix products by oneDNN, on processors whose AVX-512 the usual library leaves unused.

In float32 on an x86 CPU torch multiplies by MKL, which takes kernels for AVX2 on processors that Intel has not made: half of what they can.
oneDNN, which is a part of torch, too, makes its kernels for what a processor has.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Kernels that are kept, made for one number of rows each. 1,024, its own rule, come to 470 MB where every batch has another number.
KEPT = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}
FEWEST = 16  # rows: of fewer, arranging the weights for the kernel takes as long as the product


class QuickLinear(nn.Linear):
    """`nn.Linear` whose products, of both directions, are oneDNN's where these are the faster ones."""

    def forward(self, input: Tensor) -> Tensor:
        """[..., out] of [..., in]."""
        rows = input.numel() // max(1, self.in_features)
        if rows < FEWEST or not serves(input) or self.weight.dtype != input.dtype:
            return super().forward(input)
        # Rows are made out here: a view that is made within cannot be written over, as some models do.
        flat = input.reshape(-1, self.in_features).contiguous()
        out: Tensor = _Linear.apply(flat, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return out.view(*input.shape[:-1], self.out_features)


def quicken(model: nn.Module) -> None:
    """Let every `nn.Linear` inside a model be a `QuickLinear`. Modules, parameters and their names stay as they are."""
    for module in model.modules() if by_onednn() else ():
        if type(module) is nn.Linear:
            module.__class__ = QuickLinear
        elif hasattr(module, "quick"):  # one of frozen weights in half precision
            module.quick = True  # type: ignore[assignment]


def times(left_NK: Tensor, right_KM: Tensor) -> Tensor:
    """Their product [N, M], by the faster library."""
    return product(left_NK, right_KM) if by_onednn() and serves(left_NK) and len(left_NK) >= FEWEST else left_NK @ right_KM


def serves(tensor: Tensor) -> bool:
    """Whether products of this tensor are in float32 on a CPU: all others are fast in torch itself."""
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


@cache
def by_onednn() -> bool:
    """Whether oneDNN's products are the faster ones here: a rule and no measurement, so that a resume computes as the run before it did."""
    if not torch.backends.mkl.is_available() or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise") or "AVX512" not in torch.backends.cpu.get_cpu_capability():
        return False
    if _vendor() in ("GenuineIntel", ""):
        return False
    for name, most in KEPT.items():  # read when the first kernel is made
        os.environ.setdefault(name, most)
    return True


def _vendor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""  # nothing was measured elsewhere than on Linux
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")), "")


def product(left_NK: Tensor, right_KM: Tensor, bias_M: Tensor | None = None) -> Tensor:
    """[N, M] by oneDNN, of what it `serves`."""
    # The second one is a weight to it, [M, K], which may lie in memory either way; of the first it makes a copy where that is needed.
    found: Tensor = torch.ops.mkldnn._linear_pointwise(left_NK, right_KM.T, bias_M, "none", [], "")
    return found


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # [N, K], contiguous
        ctx.save_for_backward(rows, weight)
        return product(rows, weight.T, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        to_rows, to_weight, to_bias = ctx.needs_input_grad
        return (
            product(gradient, weight) if to_rows else None,
            product(gradient.T, rows) if to_weight else None,
            gradient.sum(0) if to_bias else None,
        )
