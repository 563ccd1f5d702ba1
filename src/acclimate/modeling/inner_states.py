"""What a model computes on the way to its logits, caught while it runs: states between its layers, and what its last attention compares."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from acclimate.modeling.execution import Packed, buckets
from acclimate.modeling.layers import layers_of
from acclimate.modeling.tensors import TensorBatch

Call = Callable[[TensorBatch], Tensor]
"""A packed model, or what stands around it on several devices."""


class Compared(NamedTuple):
    """What an attention compares, its heads side by side."""

    queries: Tensor
    """[T, D]."""
    keys: Tensor
    values: Tensor


def _called(packed: Packed, call: Call) -> Packed:
    # Where a model is divided among processes, what is called is a copy of its modules.
    return call if isinstance(call, Packed) else packed


def first_states(packed: Packed, layers: Sequence[int], call: Call, batch: TensorBatch) -> tuple[Tensor, Tensor]:
    """What the model gives for a batch, and [B, K, D] the states of each sequence's first token after these K layers, counted from 0."""
    caught: dict[int, list[Tensor]] = {layer: [] for layer in layers}
    is_packed = packed.execution == "packed"

    def first(states: Tensor) -> Tensor:
        return states[0, batch.offsets[:-1]] if is_packed else states[:, 0]

    blocks = layers_of(_called(packed, call).model.base_model)
    with _hooks({blocks[layer]: caught[layer] for layer in layers}, first):
        outputs = call(batch)
    states_BKD = torch.stack([torch.cat(caught[layer]) for layer in layers], dim=1)
    if is_packed:
        return outputs, states_BKD
    # Padded sequences come bucket by bucket.
    order = torch.tensor([row for bucket in buckets(batch.lengths) for row in bucket], device=states_BKD.device)
    return outputs, states_BKD[order.argsort()]


@contextmanager
def _hooks(caught: dict[nn.Module, list[Tensor]], first: Callable[[Tensor], Tensor]) -> Iterator[None]:
    def hook(module: nn.Module, _inputs: Any, output: Any) -> None:
        caught[module].append(first(output if isinstance(output, Tensor) else output[0]))

    handles = [module.register_forward_hook(hook) for module in caught]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def last_attention_of(packed: Packed, call: Call, batch: TensorBatch) -> tuple[Tensor, Compared]:
    """What a packed model gives for a batch, and what its last layer's attention compares."""
    caught: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=1)
    called = _called(packed, call)
    called.seen = lambda *compared: caught.append(compared)
    try:
        outputs = call(batch)
    finally:
        called.seen = None
    # [1, H, T, D / H] each.
    queries, keys, values = (each[0].transpose(0, 1).flatten(1) for each in caught.pop())
    return outputs, Compared(queries, keys, values)
