"""Cross-entropy over a large vocabulary in the memory of its logits alone, or of a part of them.

Logits of some hundred masked tokens over 30,000 words are the largest tensor of a step. Torch keeps their log-softmax beside them, and a
gradient of the same size beside both; here the gradient is computed at once, in the place of the logits, which nobody reads again.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from acclimate.modeling.products import times

CHUNK = 1 << 24  # logits that are there at once, 64 MB of float32


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


def summed_soft_cross_entropy(logits_MV: Tensor, words_MK: Tensor, shares_MK: Tensor) -> Tensor:
    """The sum over M of -sum_k share_k log softmax(logits)[word_k], nats; shares sum to 1, words may be named twice. The logits are
    overwritten."""
    loss: Tensor = _SummedSoft.apply(logits_MV, words_MK, shares_MK)  # type: ignore[no-untyped-call]
    return loss


class _SummedSoft(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, words: Tensor, shares: Tensor) -> Tensor:
        picked = (logits.gather(1, words) * shares).sum(1, keepdim=True)
        highest = logits.amax(1, keepdim=True)
        sums = logits.sub_(highest).exp_().sum(1, keepdim=True)
        if ctx.needs_input_grad[0]:
            logits.div_(sums).scatter_add_(1, words, -shares.to(logits.dtype))
            ctx.gradient = logits.detach()
        return (highest + sums.log() - picked).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        gradient: Tensor = ctx.gradient
        del ctx.gradient
        return gradient.mul_(outer), None, None


class Asked(NamedTuple):
    """What the words of a vocabulary come to for M vectors."""

    loss: Tensor
    """The sum of -log softmax(logits)[target], nats."""
    right: Tensor
    """How many targets have the highest logit."""


def asked_of_words(states_MD: Tensor, words_VD: Tensor, bias_V: Tensor, target_M: Tensor, chunk: int = CHUNK) -> Asked:
    """The summed cross-entropy of the logits `states @ words.T + bias`, of which no more than `chunk` exist at a time.

    The gradient is computed on the way, as above, part by part; half precision is for the products alone.
    """
    loss, right = _OfWords.apply(states_MD, words_VD, bias_V, target_M, chunk)  # type: ignore[no-untyped-call]
    return Asked(loss, right)


@torch.no_grad()
def nats_of_words(states_MD: Tensor, words_VD: Tensor, bias_V: Tensor, target_M: Tensor, chunk: int = CHUNK) -> Tensor:
    """[M, 2] float64 of each target: -log softmax(logits)[target] in nats, and whether it has the highest logit; in parts, as above."""
    found = [torch.zeros(0, 2, device=states_MD.device, dtype=torch.float64)]
    step = max(1, chunk // len(words_VD))
    for part in (slice(begin, begin + step) for begin in range(0, len(target_M), step)):
        logits = torch.nn.functional.linear(states_MD[part], words_VD).float().add_(bias_V)
        picked = logits.gather(1, target_M[part][:, None])[:, 0]
        right = picked == logits.amax(1)
        found.append(torch.stack([(logits.logsumexp(1) - picked).double(), right.double()], dim=1))
    return torch.cat(found)


@torch.no_grad()
def log_probabilities_of(
    states_MD: Tensor, words_VD: Tensor, bias_V: Tensor, asked_K: Tensor, chunk: int = CHUNK
) -> Tensor:  # fmt: skip
    """[M, K] float64 log softmax(logits) of the words `asked` [K], for each of M vectors; in parts, as above."""
    found = [torch.zeros(0, len(asked_K), device=states_MD.device, dtype=torch.float64)]
    step = max(1, chunk // len(words_VD))
    for part in (slice(begin, begin + step) for begin in range(0, len(states_MD), step)):
        logits = torch.nn.functional.linear(states_MD[part], words_VD).float().add_(bias_V)
        found.append((logits[:, asked_K] - logits.logsumexp(1, keepdim=True)).double())
    return torch.cat(found)


class _OfWords(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, words: Tensor, bias: Tensor, target: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
        kind = states.device.type
        half = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else words.dtype
        asked_states, asked_words, asked_bias = ctx.needs_input_grad[:3]
        total, right = torch.zeros((), device=states.device, dtype=words.dtype), torch.zeros((), device=states.device, dtype=torch.int64)
        to_states = torch.empty_like(states) if asked_states else None
        to_words, to_bias = (torch.zeros_like(each) if asked else None for each, asked in ((words, asked_words), (bias, asked_bias)))
        with torch.autocast(kind, enabled=False):
            rounded = words.to(half)
            step = max(1, chunk // len(words))
            for part in (slice(begin, begin + step) for begin in range(0, len(target), step)):
                rows, column = states[part].to(half), target[part][:, None]
                logits = times(rows, rounded.T).to(words.dtype).add_(bias)
                picked = logits.gather(1, column)
                highest = logits.amax(1, keepdim=True)
                right += (picked == highest).sum()
                sums = logits.sub_(highest).exp_().sum(1, keepdim=True)
                total += (highest + sums.log() - picked).sum()
                if asked_states or asked_words or asked_bias:
                    logits.div_(sums).scatter_add_(1, column, logits.new_full((1, 1), -1.0).expand_as(picked))
                    slope = logits.to(half)
                    if to_bias is not None:
                        to_bias += logits.sum(0)
                    if to_states is not None:
                        to_states[part] = times(slope, rounded).to(states.dtype)
                    if to_words is not None and half == to_words.dtype:
                        to_words.addmm_(slope.T, rows)  # a product of its own would be as large as all embeddings
                    elif to_words is not None:
                        to_words += slope.T @ rows
                    del slope
                del logits  # else they are there until the next part has its own
        ctx.gradients = (to_states, to_words, to_bias)
        ctx.mark_non_differentiable(right)
        return total, right

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        gradients = ctx.gradients
        del ctx.gradients
        return (*(each if each is None else each.mul_(outer) for each in gradients), None, None)
