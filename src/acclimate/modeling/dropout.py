"""Dropout that costs little on a CPU, where torch draws one number per element, one after the other, and keeps masks of floats.

Here an element's fate hangs on 16 bits of a random word, and its mask takes one byte. The words come from torch's generator, so a seed
decides them as it does torch's own dropout (with other draws). Probabilities are rounded to 1/65536; what is kept is scaled by the exact
rounded rate, so the mean is right.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

STEPS = 1 << 16
BLOCK = 1 << 18  # scores worked on at a time, one MB of float32: they stay in the processor's cache


class CheapDropout(nn.Dropout):
    """`nn.Dropout` with cheap draws on a CPU, and torch's own elsewhere, in half precision or in place."""

    def forward(self, input: Tensor) -> Tensor:
        """Dropped and scaled while training, the input itself otherwise."""
        if not self.training or self.inplace or not serves(input, self.p):
            return super().forward(input)
        return _Dropped.apply(input, self.p)  # type: ignore[no-any-return, no-untyped-call]


def cheapen(model: nn.Module) -> None:
    """Put a `CheapDropout` in the place of every `nn.Dropout` inside a model. Parameters and their names stay as they are."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, CheapDropout(child.p, child.inplace).train(child.training))


def serves(tensor: Tensor, p: float) -> bool:
    """Whether cheap draws are made for this tensor: NumPy does the work, and it knows no bfloat16."""
    return tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64) and 0 < _dropped_steps(p) < STEPS


def attend(query: Tensor, key: Tensor, value: Tensor, hidden: Tensor | None, p: float, scale: float | None) -> Tensor:
    """Attention [B, H, L, D] with dropout of its weights.

    `hidden`, [L, L] or [B, 1, 1 or L, L], is true where a token must not look.
    """
    rows, heads, length, size = query.shape
    if hidden is not None and hidden.ndim == 4:
        hidden = hidden.squeeze(1).repeat_interleave(heads, 0)  # a row for each head, as in the flat tensors
    flat = (tensor.reshape(rows * heads, length, size) for tensor in (query, key, value))
    out: Tensor = _Attention.apply(*flat, hidden, p, size**-0.5 if scale is None else scale)  # type: ignore[no-untyped-call]
    return out.view(rows, heads, length, size)


def _dropped_steps(p: float) -> int:
    return round(p * STEPS)


def _draw(shape: tuple[int, ...], p: float) -> tuple[Any, float]:
    # A mask of the kept, and what they are multiplied by. The full range of int64 is 64 random bits, enough for four elements.
    size, dropped = math.prod(shape), _dropped_steps(p)
    words = torch.empty(-(-size // 4), dtype=torch.int64).random_(-(2**63), None)
    return (words.numpy().view(np.uint16)[:size] >= dropped).reshape(shape), STEPS / (STEPS - dropped)


def _times(values: Tensor, keep: Any) -> Tensor:
    # NumPy multiplies floats by truth values several times faster than torch.
    return torch.from_numpy(np.multiply(values.detach().contiguous().numpy(), keep))


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, p: float) -> Tensor:
        keep, ctx.scale = _draw(tuple(values.shape), p)
        ctx.save_for_backward(torch.from_numpy(keep))
        return _times(values, keep).mul_(ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return _times(gradient, keep.numpy()).mul_(ctx.scale), None


class _Attention(torch.autograd.Function):
    # A few heads at a time, whose scores stay in the cache. They are computed again going back: only their masks are kept.
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, hidden: Tensor | None, p: float, scale: float
    ) -> Tensor:  # [N, L, D] each
        count, length, _ = query.shape
        keep, ctx.kept_scale = _draw((count, length, length), p)
        ctx.scale = scale
        out = torch.empty_like(value)
        for part in _parts(count, length):
            weights = _weights(query[part], key[part], _of(hidden, part), scale)
            torch.bmm(_times(weights, keep[part]), value[part], out=out[part])
        out.mul_(ctx.kept_scale)
        ctx.save_for_backward(query, key, value, hidden, out, torch.from_numpy(keep))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, hidden, out, keep = ctx.saved_tensors
        keep = keep.numpy()
        scaled = gradient * ctx.kept_scale
        # What softmax's gradient takes away from every score of a row.
        row_sums = (gradient * out).sum(-1, keepdim=True)
        to_query, to_key, to_value = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
        for part in _parts(*query.shape[:2]):
            weights = _weights(query[part], key[part], _of(hidden, part), ctx.scale)
            kept = _times(weights, keep[part])
            torch.bmm(kept.transpose(1, 2), scaled[part], out=to_value[part])
            to_scores = torch.bmm(scaled[part], value[part].transpose(1, 2)).mul_(kept).addcmul_(weights, row_sums[part], value=-1)
            torch.bmm(to_scores, key[part], out=to_query[part])
            torch.bmm(to_scores.transpose(1, 2), query[part], out=to_key[part])
        return to_query.mul_(ctx.scale), to_key.mul_(ctx.scale), to_value, None, None, None


def _parts(count: int, length: int) -> list[slice]:
    step = max(1, BLOCK // length**2)
    return [slice(begin, begin + step) for begin in range(0, count, step)]


def _of(hidden: Tensor | None, part: slice) -> Tensor | None:
    return hidden if hidden is None or hidden.ndim == 2 else hidden[part]


def _weights(query: Tensor, key: Tensor, hidden: Tensor | None, scale: float) -> Tensor:
    # beta=0 leaves the first tensor unread.
    scores = torch.baddbmm(query.new_empty(()), query, key.transpose(1, 2), beta=0, alpha=scale)
    return torch.softmax(scores if hidden is None else scores.masked_fill_(hidden, -torch.inf), -1)
