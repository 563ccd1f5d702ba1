"""Cross-entropy over a large vocabulary in the memory of its logits alone.

Logits of some hundred masked tokens over 30,000 words are the largest tensor of a step. Torch keeps their log-softmax beside them, and a
gradient of the same size beside both; here the gradient is computed at once, in the place of the logits, which nobody reads again.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def summed_cross_entropy(logits_MV: Tensor, target_M: Tensor) -> Tensor:
    """The sum over M of -log softmax(logits)[target], in nats. The logits are overwritten."""
    loss: Tensor = _Summed.apply(logits_MV, target_M)  # type: ignore[no-untyped-call]
    return loss


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        column = target[:, None]
        picked = logits.gather(1, column)
        highest = logits.amax(1, keepdim=True)
        # Written in place: should an operation before have kept its output, the logits, autograd sees that and stops.
        sums = logits.sub_(highest).exp_().sum(1, keepdim=True)
        if ctx.needs_input_grad[0]:
            logits.div_(sums).scatter_add_(1, column, logits.new_full((1, 1), -1.0).expand_as(picked))
            ctx.gradient = logits.detach()
        return (highest + sums.log() - picked).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None]:
        gradient: Tensor = ctx.gradient
        del ctx.gradient
        return gradient.mul_(outer), None
