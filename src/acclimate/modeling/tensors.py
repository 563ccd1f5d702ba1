"""The torch twin of a flat batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
    hidden: Tensor | None = None
    """[T, D] what frozen layers give, or [B, D] where one row a sequence is enough."""

    def pooled(self) -> "TensorBatch":
        """The stream of each sequence's first token alone, as sequences of length one."""
        first = self.offsets[:-1]
        return replace(
            self,
            input_ids=self.input_ids[first],
            position_ids=self.position_ids[first],
            offsets=torch.arange(len(self.lengths) + 1, device=first.device),
            lengths=(1,) * len(self.lengths),
            token_type_ids=None if self.token_type_ids is None else self.token_type_ids[first],
        )


def to_tensors(batch: Batch, device: torch.device | str) -> TensorBatch:
    """Copy a batch to a device, without waiting for the copy on a GPU."""
    device = torch.device(device)
    return TensorBatch(
        input_ids=_moved(batch.input_ids, device),
        position_ids=_moved(batch.position_ids, device),
        offsets=_moved(batch.offsets, device),
        lengths=tuple(batch.lengths.tolist()),
        token_type_ids=None if batch.token_type_ids is None else _moved(batch.token_type_ids, device),
        targets=target_tensors(batch, device),
        hidden=None if batch.hidden is None else _moved(batch.hidden, device),
    )


def target_tensors(batch: Batch, device: torch.device) -> dict[str, Tensor]:
    """What is to be predicted alone, copied in the same way."""
    return {name: _moved(values, device) for name, values in batch.targets.items()}


def _moved(array: object, device: torch.device) -> Tensor:
    tensor = torch.as_tensor(array)
    # From pinned memory a copy runs beside the computation; from elsewhere the host would wait for it.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
