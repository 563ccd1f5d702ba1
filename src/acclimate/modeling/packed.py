"""Attention over a flat stream of sequences, added to Hugging Face models from outside through their attention interface.

The stream is one row of T tokens. What a forward pass needs to know of it travels as the keyword argument `packing` down to the attention
function, so two models, or two threads, never see each other's offsets.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from acclimate.modeling.tensors import TensorBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "acclimate_packed"


@dataclass(frozen=True, eq=False)
class Packing:
    """Where the sequences of one flat stream lie."""

    lengths: tuple[int, ...]  # [B]
    offsets: Tensor  # [B+1]
    position_ids: Tensor  # [T] from 0 in each sequence

    @staticmethod
    def of(batch: TensorBatch) -> "Packing":
        """The packing of a batch."""
        return Packing(batch.lengths, batch.offsets, batch.position_ids)

    @cached_property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """(number of sequences, their length) of each run of equally long neighbours."""
        return tuple((len(list(same)), length) for length, same in groupby(self.lengths))

    @cached_property
    def longest(self) -> int:
        """The longest sequence."""
        return max(self.lengths)

    @cached_property
    def cells(self) -> Tensor:
        """[T] each token's cell in the padded rectangle [B * longest]."""
        lengths = self.offsets.diff()
        row = torch.repeat_interleave(torch.arange(len(self.lengths), device=lengths.device), lengths, output_size=len(self.position_ids))
        return row * self.longest + self.position_ids

    @cached_property
    def real(self) -> Tensor:
        """[B, longest] which cells of the padded rectangle hold a token."""
        return torch.arange(self.longest, device=self.offsets.device) < self.offsets.diff()[:, None]


def attach(model: "PreTrainedModel") -> None:
    """Let this model's attention go through `attention`. Without a `packing` the model still answers padded batches as before."""
    # Registering again what is there already changes nothing, so it is done where it is needed and not on import.
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, _mask)
    model.set_attn_implementation(NAME)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    packing: Packing | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention within each sequence of the stream.

    `query`, `key`, `value` [1, H, T, D] with a packing, [B, H, T, D] without; the result is [1, T, H, D] or [B, T, H, D].
    A token sees those less than `sliding_window` positions away (ModernBERT passes its window's half plus one).
    """
    if packing is None:
        mask = _window(query.shape[2], sliding_window, query.device) if attention_mask is None else attention_mask
        return scaled_dot_product_attention(query, key, value, mask, dropout, scale=scaling).transpose(1, 2), None
    if query.device.type == "cpu":
        return _runs(query, key, value, packing, dropout, scaling, sliding_window), None
    return _padded(query, key, value, packing, dropout, scaling, sliding_window), None


def _runs(
    query: Tensor, key: Tensor, value: Tensor, packing: Packing, dropout: float, scaling: float | None, sliding_window: int | None
) -> Tensor:
    heads, size = query.shape[1], query.shape[3]
    # split, not slices: its gradient is one concatenation, where every slice would add a whole stream of zeros.
    cuts = [count * length for count, length in packing.runs]
    parts = []
    for (count, length), *qkv in zip(packing.runs, *(torch.split(tensor[0], cuts, dim=1) for tensor in (query, key, value)), strict=True):
        # [H, n * L, D] -> [n, H, L, D]
        q, k, v = (tensor.reshape(heads, count, length, size).transpose(0, 1) for tensor in qkv)
        out = scaled_dot_product_attention(q, k, v, _window(length, sliding_window, query.device), dropout, scale=scaling)
        parts.append(out.transpose(1, 2).reshape(count * length, heads, size))
    return torch.cat(parts)[None]


def _padded(
    query: Tensor, key: Tensor, value: Tensor, packing: Packing, dropout: float, scaling: float | None, sliding_window: int | None
) -> Tensor:
    # Kernels on a GPU are short and their launches are not: one padded rectangle beats a loop. Only attention is padded.
    sequences, longest = len(packing.lengths), packing.longest
    heads, size = query.shape[1], query.shape[3]

    def rectangle(tensor: Tensor) -> Tensor:
        flat_THD = tensor[0].transpose(0, 1)
        return flat_THD.new_zeros(sequences * longest, heads, size).index_copy(0, packing.cells, flat_THD).view(
            sequences, longest, heads, size
        ).transpose(1, 2)  # fmt: skip

    window = _window(longest, sliding_window, query.device)
    # Keys are masked, and padded queries see real keys too, so no row is empty and no NaN arises.
    mask: Tensor | None = packing.real[:, None, None, :]
    if window is not None:
        mask = (packing.real[:, None, None, :] & window) | ~packing.real[:, None, :, None]
    elif len(packing.runs) == 1:
        mask = None
    out_BHLD = scaled_dot_product_attention(rectangle(query), rectangle(key), rectangle(value), mask, dropout, scale=scaling)
    return out_BHLD.transpose(1, 2).reshape(sequences * longest, heads, size)[packing.cells][None]


def _window(length: int, sliding_window: int | None, device: torch.device) -> Tensor | None:
    # [L, L] true where a token may look; None where the window is wider than the sequence.
    if sliding_window is None or length <= sliding_window:
        return None
    place = torch.arange(length, device=device)
    return (place[:, None] - place).abs() < sliding_window


def _mask(attention_mask: Tensor | None = None, **settings: Any) -> Tensor | None:
    # A flat stream has no padding, and its attention knows where sequences end: a mask [T, T] would only cost memory.
    return None if attention_mask is None else sdpa_mask(attention_mask=attention_mask, **settings)
