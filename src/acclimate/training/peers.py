"""Checkpoints of processes that train together: the main one reads them, and the others have from it what it has read.

What is in their own folders does not count. These may lie on other machines, which have older checkpoints or none.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from acclimate.training.checkpoint import Checkpoints, TrainState, put_moments, put_weights
from acclimate.training.devices import Devices


def load(checkpoints: Checkpoints, model: nn.Module, optimizer: Optimizer, devices: Devices) -> TrainState | None:
    """Put the last whole state into model and optimizer, the same in all processes; None where there is none.

    Raises:
        UnreadableError: the machine cannot read a file, which is no damage.
    """
    read = checkpoints.read(model) if devices.is_main else None
    state = devices.told(None if read is None else read.state)
    if state is not None:
        put_weights(model, _handed({} if read is None else read.weights, devices))
        put_moments(optimizer, _handed({} if read is None else read.moments, devices))
    return state


def load_best(checkpoints: Checkpoints, model: nn.Module, devices: Devices) -> None:
    """Put the best weights into the model, the same in all processes.

    Raises:
        Damaged: they are not what was written; the same command makes them again.
    """
    put_weights(model, _handed(checkpoints.read_best(model) if devices.is_main else {}, devices))


def _handed(found: Mapping[str, Tensor], devices: Devices) -> Iterator[tuple[str, Tensor]]:
    """The tensors that the main process has found, in all of them, one after the other."""
    if devices.world == 1:
        yield from found.items()
        return
    kinds = devices.told({name: (value.shape, value.dtype) for name, value in found.items()})
    for name, (shape, dtype) in kinds.items():
        value = devices.handed(found[name] if devices.is_main else torch.empty(shape, dtype=dtype))
        yield name, found[name] if devices.is_main else value  # the main process has no use for a second copy
