"""A model whose lowest layers are frozen, in two parts: what these layers give is the same in every epoch, so it need be computed once.

Both parts share their tensors with the whole model, so training the upper part trains the model. The frozen part always runs without
dropout: only so is what it gives the same each time (frameworks that keep dropout there draw anew in each epoch).
"""

from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from acclimate.errors import SettingsError
from acclimate.modeling.execution import Packed, hidden_states_through, last_attention
from acclimate.modeling.families import family_of
from acclimate.modeling.layers import layers_of
from acclimate.modeling.tensors import TensorBatch


class Divided(nn.Module):
    """A packed model that runs its frozen layers without gradients, or not at all where a batch brings what they give.

    `depth` layers are frozen, and the embeddings. `one_row` says that one row a text is enough: all layers are frozen, and the head sees
    the first position alone.
    """

    def __init__(self, packed: Packed, depth: int, kept_as: torch.dtype = torch.float32) -> None:
        """`kept_as` is the precision of what the frozen layers give, on disk or not: where it is computed again, it is rounded alike."""
        super().__init__()
        self._kept_as = kept_as
        self.depth = depth
        self._packed = (packed,)  # in a tuple: its parameters are not this module's
        self._below = (_lower(packed.model.base_model, depth),)
        upper, self._given = _upper(packed.model, depth)
        self.above = Packed(upper, packed.fast)
        all_layers = depth == len(layers_of(packed.model.base_model))
        self.one_row = all_layers and not packed.by_position and not packed.pools_mean

    @property
    def whole(self) -> Packed:
        """The undivided model."""
        return self._packed[0]

    def forward(self, batch: TensorBatch) -> Tensor:
        """Logits as of the whole model; `batch.hidden` is what `hidden` gave for it, or None."""
        return self._from_given(batch, lambda: self.above(batch.pooled() if self.one_row else batch))

    def states(self, batch: TensorBatch) -> Tensor:
        """The last hidden states [T, D] of every token, as of the whole model."""
        return self._from_given(batch, lambda: self.above.states(batch))

    def _from_given(self, batch: TensorBatch, run: Callable[[], Tensor]) -> Tensor:
        hidden = self.hidden(batch) if batch.hidden is None else batch.hidden
        self._given.hidden = hidden[None].to(self._given.dtype)
        try:
            return run()
        finally:
            self._given.hidden = None

    @torch.no_grad()
    def hidden(self, batch: TensorBatch) -> Tensor:
        """What the frozen layers give: [T, D], or [B, D] where one row a text is enough.

        Raises:
            SettingsError: half precision does not hold it.
        """
        rows = self._lower_part(batch)
        kept = rows.to(self._kept_as)
        if self._kept_as == torch.float16 and not bool(kept.isfinite().all()):
            raise SettingsError("frozen_precision: float16 does not hold what the frozen layers of this model give; use float32")
        return kept

    def _lower_part(self, batch: TensorBatch) -> Tensor:
        (below,), first = self._below, batch.offsets[:-1]
        if not self.one_row:
            return self.whole.body(below, batch)[0]
        chosen_after = last_attention(below) if self.whole.fast.sparse_last_layer else None
        if chosen_after is None:
            return self.whole.body(below, batch)[0, first]
        with hidden_states_through(chosen_after, lambda hidden_1TD: hidden_1TD[:, first]):
            return self.whole.body(below, batch)[0]


def divided(packed: Packed, kept_as: torch.dtype = torch.float32) -> Divided | None:
    """The model in two parts; None where nothing is frozen, or where the architecture cannot be divided."""
    depth = _frozen_depth(packed)
    return Divided(packed, depth, kept_as) if depth else None


def _frozen_depth(packed: Packed) -> int:
    base: Any = packed.model.base_model
    # The padded path has no flat stream between layers.
    if packed.execution != "packed" or not packed.family.divisible or not all(_still(module) for module in _below(base).values()):
        return 0
    depth = 0
    for layer in layers_of(base):
        if not _still(layer):
            break
        depth += 1
    return depth


def _still(module: Any) -> bool:
    return not any(parameter.requires_grad for parameter in module.parameters())


def _lower(base: Any, depth: int) -> nn.Module:
    lower = _sharing(base)
    del layers_of(lower)[depth:]
    family = family_of(base.config)
    if family.pooler:
        setattr(lower, family.pooler, None)
    if family.last_norm:
        setattr(lower, family.last_norm, nn.Identity())
    return lower.eval()  # type: ignore[no-any-return]


def _upper(model: Any, depth: int) -> tuple[Any, "_Given"]:
    upper = _sharing(model)
    base = upper.base_model
    family, below = family_of(base.config), _below(base)
    given = _Given(next(iter(below.values())))
    for name in below:
        setattr(base, name, nn.Identity())
    setattr(base, family.below[0], given)
    layers = layers_of(base)
    for place in range(depth):
        layers[place] = _Skipped(layers[place], family.asked_of_layers)
    return upper, given


def _below(base: Any) -> dict[str, nn.Module]:
    # What projects the embeddings is there only where their width is another than the layers'.
    return {name: module for name in family_of(base.config).below if (module := getattr(base, name, None)) is not None}


def _sharing(module: Any) -> Any:
    # A copy of the modules, not of their tensors.
    return deepcopy(module, {id(tensor): tensor for tensor in chain(module.parameters(), module.buffers())})


class _Given(nn.Module):
    """Stands in the place of the embeddings, and gives what the frozen layers gave."""

    hidden: Tensor | None

    def __init__(self, embeddings: nn.Module) -> None:
        super().__init__()
        self.dtype = next(embeddings.parameters()).dtype
        self.hidden = None

    def forward(self, *_: Any, **__: Any) -> Tensor:
        assert self.hidden is not None
        return self.hidden


class _Skipped(nn.Module):
    """Stands in the place of a frozen layer whose work is done."""

    def __init__(self, layer: nn.Module, asked: tuple[str, ...]) -> None:
        super().__init__()
        for name in asked:
            setattr(self, name, getattr(layer, name))

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden_states
