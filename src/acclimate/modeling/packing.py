"""Where the sequences of a flat stream lie: what attention needs to know of a batch, each part computed when it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

from acclimate.modeling.rectangles import Rectangles, rectangles
from acclimate.modeling.tensors import TensorBatch


@dataclass(frozen=True, eq=False)
class Packing:
    """Where the sequences of one flat stream lie."""

    lengths: tuple[int, ...]  # [B]
    offsets: Tensor  # [B+1]
    position_ids: Tensor  # [T] from 0 in each sequence
    cheap_dropout: bool = True  # of attention's weights, where there is a cheap one
    seen: Callable[[Tensor, Tensor, Tensor], None] | None = None  # gets to know the queries, keys and values of each layer
    before: tuple[tuple[Tensor, Tensor], ...] = ()  # of each layer keys and values [1, H, P, D] of tokens before every sequence

    @staticmethod
    def of(
        batch: TensorBatch, cheap_dropout: bool = True, seen: Callable[[Tensor, Tensor, Tensor], None] | None = None,
        before: tuple[tuple[Tensor, Tensor], ...] = (),
    ) -> "Packing":  # fmt: skip
        """The packing of a batch."""
        return Packing(batch.lengths, batch.offsets, batch.position_ids, cheap_dropout, seen, before)

    @cached_property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """(number of sequences, their length) of each run of equally long neighbours."""
        return tuple((len(list(same)), length) for length, same in groupby(self.lengths))

    @cached_property
    def rectangles(self) -> Rectangles:
        """The sequences by length, for attention on a CPU."""
        return rectangles(self.lengths)

    @cached_property
    def longest(self) -> int:
        """The longest sequence."""
        return max(self.lengths)

    @cached_property
    def ends(self) -> Tensor:
        """[B+1] int32, the offsets as flash attention wants them."""
        return self.offsets.int()

    @cached_property
    def sequence(self) -> Tensor:
        """[T] the number of each token's sequence."""
        lengths = self.offsets.diff()
        numbers = torch.arange(len(self.lengths), device=lengths.device)
        # With the size given, the host need not wait for the device to learn it.
        return torch.repeat_interleave(numbers, lengths, output_size=len(self.position_ids))

    @cached_property
    def cells(self) -> Tensor:
        """[T] each token's cell in the padded rectangle [B * longest]."""
        return self.sequence * self.longest + self.position_ids

    @cached_property
    def real(self) -> Tensor:
        """[B, longest] which cells of the padded rectangle hold a token."""
        return torch.arange(self.longest, device=self.offsets.device) < self.offsets.diff()[:, None]

    @cached_property
    def block_masks(self) -> dict[tuple[int | None, bool], BlockMask]:
        """FlexAttention's masks by window and causality, filled as they are needed."""
        return {}
