"""How alike a student is to its teacher inside: first tokens between layers (Sun et al. 2019), or relations of tokens (Wang et al. 2021).

What the teacher has there travels with a batch as its `hidden`, computed ahead.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, normalize

from acclimate.modeling.execution import Packed
from acclimate.modeling.inner_states import Call, first_states, last_attention_of
from acclimate.modeling.rectangles import rectangles
from acclimate.modeling.tensors import TensorBatch

PARTS = 3  # queries, keys, values


class Inside(Protocol):
    """Something inside of a student that is to be like its teacher's."""

    def apart(self, student: Call, batch: TensorBatch) -> tuple[Tensor, Tensor]:
        """What the student gives for a batch, and how far it is from its teacher [B] in each sequence."""


@dataclass(frozen=True)
class Layers:
    """The states of the first token after some layers, by their directions: the mean over K layers of |s/|s| - t/|t||^2, from 0 to 4."""

    packed: Packed
    layers: tuple[int, ...]
    """[K] of the student, counted from 0; `hidden` [B, K * D] holds those of the teacher that stand for them."""

    def apart(self, student: Call, batch: TensorBatch) -> tuple[Tensor, Tensor]:
        """What the student gives, and how far it is [B]."""
        outputs, states_BKD = first_states(self.packed, self.layers, student, batch)
        assert batch.hidden is not None
        wanted_BKD = batch.hidden.view(states_BKD.shape)
        return outputs, (normalize(states_BKD.float(), dim=-1) - normalize(wanted_BKD, dim=-1)).square().sum(-1).mean(-1)


@dataclass(frozen=True)
class Relations:
    """How the tokens of a sequence stand to each other in the last attention, by its queries, by its keys and by its values: the sum of the
    three KL(teacher || student) of softmax(x x^T / sqrt(d)), means over tokens and over heads, whose number is the same in both.

    The models may be of any width.
    """

    packed: Packed
    heads: int
    """Into which what is compared is divided."""

    def apart(self, student: Call, batch: TensorBatch) -> tuple[Tensor, Tensor]:
        """What the student gives, and how far it is [B]; `hidden` [T, 3 * D] holds the teacher's queries, keys and values."""
        outputs, own = last_attention_of(self.packed, student, batch)
        assert batch.hidden is not None
        theirs, device = batch.hidden.chunk(PARTS, dim=-1), batch.hidden.device
        found = []
        shape, done = rectangles(batch.lengths), 0
        order = torch.tensor(sorted(range(len(batch.lengths)), key=lambda number: -batch.lengths[number]), device=device)
        for part in shape.parts:
            size = part.count * part.length
            cells = shape.cells[done : done + size].to(device)
            real_BL = torch.ones(part.count, part.length, dtype=torch.bool) if part.real is None else part.real
            real_BL = real_BL.to(device)
            pairs = (
                (mine[cells].view(*real_BL.shape, -1), other[cells].view(*real_BL.shape, -1))
                for mine, other in zip(own, theirs, strict=True)
            )
            each = [self._apart(mine_BLD, other_BLD, real_BL) for mine_BLD, other_BLD in pairs]
            found.append(torch.stack(each).sum(0))
            done += size
        return outputs, torch.cat(found)[order.argsort()]

    def _apart(self, own_BLD: Tensor, theirs_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """[B] KL of the relations of one of the three."""
        own_BHLL, theirs_BHLL = (self._relations(x, real_BL) for x in (own_BLD, theirs_BLD))
        apart_BHL = kl_div(own_BHLL, theirs_BHLL, reduction="none", log_target=True).masked_fill(~real_BL[:, None, None], 0.0).sum(-1)
        of_tokens_BL = apart_BHL.mean(1).masked_fill(~real_BL, 0.0)
        return of_tokens_BL.sum(-1) / real_BL.sum(-1)

    def _relations(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        x_BHLd = x_BLD.float().view(*real_BL.shape, self.heads, -1).transpose(1, 2)
        scores = x_BHLd @ x_BHLd.transpose(-1, -2) / x_BHLd.shape[-1] ** 0.5
        # Not -inf: of padding every difference would be not a number.
        return log_softmax(scores.masked_fill(~real_BL[:, None, None], torch.finfo(scores.dtype).min), dim=-1)
