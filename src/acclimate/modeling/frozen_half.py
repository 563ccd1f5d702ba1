"""Frozen matrices that stay in half precision in memory, as their base has them on disk, beside adapters that are trained in float32.

What is computed with them is float32: each is widened for the product at hand, forward and backward, and no wide copy outlives it. So
results are those of a model in float32, in half of its memory.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers.pytorch_utils import Conv1D

from acclimate.errors import ModelError
from acclimate.modeling.products import FEWEST, QuickLinear, product, serves

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HALVES = (torch.bfloat16, torch.float16)


class Room:
    """Where the layers of a model widen their weights, one after the other."""

    def __init__(self) -> None:
        self._room = torch.empty(0)

    def wide(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """The weight in this precision, until the next one is."""
        if weight.device.type != "cpu":  # where torch keeps the memory that it has; here to ask for it anew takes ten times as long
            return weight.to(dtype)
        if self._room.dtype != dtype or len(self._room) < weight.numel():
            self._room = torch.empty(weight.numel(), dtype=dtype)
        return self._room[: weight.numel()].view(weight.shape).copy_(weight)


class HalfLinear(nn.Linear):
    """`nn.Linear` whose frozen weight [out, in] is in half precision."""

    room: Room
    quick = False
    """Whether products may be oneDNN's (`quicken`)."""

    def forward(self, input: Tensor) -> Tensor:
        """[..., out] of [..., in]."""
        return _product(input, self.weight, self.bias, _How(self.room, self.out_features, transposed=True, quick=self.quick))


class HalfConv1D(Conv1D):
    """The same of GPT-2's layers, whose weight is [in, out]."""

    room: Room

    def forward(self, x: Tensor) -> Tensor:
        """[..., out] of [..., in]."""
        return _product(x, self.weight, self.bias, _How(self.room, self.nf, transposed=False, quick=False))


class HalfEmbedding(nn.Embedding):
    """`nn.Embedding` whose frozen rows are in half precision."""

    def forward(self, input: Tensor) -> Tensor:
        """[..., D] float32 of ids."""
        return super().forward(input).float()


KEPT: Mapping[type[nn.Module], type[nn.Module]] = {
    nn.Linear: HalfLinear,
    QuickLinear: HalfLinear,
    Conv1D: HalfConv1D,
    nn.Embedding: HalfEmbedding,
}
"""Of these exact classes alone: others (Gemma's scaled embeddings) compute with their weights in ways of their own."""


def fill_frozen(model: "PreTrainedModel", tensors: Iterable[tuple[str, Tensor]]) -> list[str]:
    """Fill a model, whose weights nobody drew, with `tensors` by their names; says which of its own are still missing.

    Matrices that come in half precision stay so where their module can compute with them, and are not trained. All else becomes float32.

    Raises:
        ModelError: a tensor has another shape than the model's.
    """
    own = {name: tensor for name, tensor in model.state_dict().items() if name not in model.all_tied_weights_keys}
    missing = set(own)
    with torch.no_grad():
        for name, tensor in tensors:
            if name not in own:
                continue
            if own[name].shape != tensor.shape:
                raise ModelError(f"the weights do not fit config.json: {name} is {list(tensor.shape)}, and not {list(own[name].shape)}")
            missing.discard(name)
            path, _, leaf = name.rpartition(".")
            module = model.get_submodule(path)
            if leaf == "weight" and tensor.dtype in HALVES and type(module) in KEPT:
                module.weight = nn.Parameter(tensor.clone(), requires_grad=False)
            else:
                own[name].copy_(tensor)
    own.clear()
    model.tie_weights()
    room = Room()
    for module in model.modules():
        weight = module._parameters.get("weight")
        if weight is not None and weight.dtype in HALVES:
            module.__class__ = KEPT[type(module)]
            module.room = room  # type: ignore[assignment]
    return sorted(missing)


@contextmanager
def as_float32(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Within the block weights in half precision look like float32 to whoever makes something as precise beside them.

    Nobody may look at their numbers there.
    """
    kept = [(module, cast("nn.Parameter", module.weight)) for module in modules if cast("Tensor", module.weight).dtype in HALVES]
    for module, weight in kept:
        module.weight = nn.Parameter(torch.zeros((), device=weight.device).expand(weight.shape), requires_grad=False)
        vars(module.weight).update(vars(weight))  # how it is to be rounded, where it is to be (`four_bits.py`)
    try:
        yield
    finally:
        for module, weight in kept:
            module.weight = weight


class _How(NamedTuple):
    room: Room
    outputs: int
    transposed: bool  # the weight is [out, in]
    quick: bool

    def wide(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """[in, out]."""
        found = self.room.wide(weight, dtype)
        return found.T if self.transposed else found


def _product(input: Tensor, weight: Tensor, bias: Tensor | None, how: _How) -> Tensor:
    kind = input.device.type
    computed = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else input.dtype
    rows_NK = input.reshape(-1, input.shape[-1]).to(computed)
    how = how._replace(quick=how.quick and serves(input) and len(rows_NK) >= FEWEST)
    with torch.autocast(kind, enabled=False):
        found: Tensor = _Widened.apply(rows_NK, weight, bias, how)  # type: ignore[no-untyped-call]
    return found.view(*input.shape[:-1], how.outputs)


class _Widened(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None, how: _How) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.how = how
        wide_KM, bias = how.wide(weight, rows.dtype), None if bias is None else bias.to(rows.dtype)
        if how.quick:
            return product(rows.contiguous(), wide_KM, bias)
        return rows @ wide_KM if bias is None else torch.addmm(bias, rows, wide_KM)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        wide_MK = ctx.how.wide(weight, gradient.dtype).T
        return product(gradient, wide_MK) if ctx.how.quick else gradient @ wide_MK, None, None, None
