"""The torch twin of a flat batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from acclimate.data.batches import Batch


@dataclass(frozen=True, eq=False)
class TensorBatch:
    """A flat stream of `T` tokens in `B` sequences on one device (see `acclimate.data.batches`)."""

    input_ids: Tensor
    """[T] int64."""
    position_ids: Tensor
    """[T] int64, from 0 in each sequence."""
    offsets: Tensor
    """[B+1] int64, where each sequence begins."""
    lengths: tuple[int, ...]
    """[B] tokens of each sequence; on the host, so that planning a forward pass never waits for the device."""
    token_type_ids: Tensor | None = None
    """[T] int64, or None for single texts."""
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    """By name; `target_index` [M] points into T."""


def to_tensors(batch: Batch, device: torch.device | str) -> TensorBatch:
    """Copy a batch to a device."""
    device = torch.device(device)

    def moved(array: object) -> Tensor:
        # Pinned memory would need a copy of its own; these are a few kilobytes.
        return torch.as_tensor(array).to(device, non_blocking=True)

    return TensorBatch(
        input_ids=moved(batch.input_ids),
        position_ids=moved(batch.position_ids),
        offsets=moved(batch.offsets),
        lengths=tuple(batch.lengths.tolist()),
        token_type_ids=None if batch.token_type_ids is None else moved(batch.token_type_ids),
        targets={name: moved(values) for name, values in batch.targets.items()},
    )
