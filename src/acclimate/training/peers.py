"""Checkpoints of processes that train together: the main one reads them, and the others have from it what it has read.

What is in their own folders does not count. These may lie on other machines, which have older checkpoints or none.
"""

import torch
from torch import nn
from torch.optim import Optimizer

from acclimate.training.checkpoint import Checkpoints, TrainState, moments_of, put_moments, trained_parameters
from acclimate.training.devices import Devices


def load(checkpoints: Checkpoints, model: nn.Module, optimizer: Optimizer, devices: Devices) -> TrainState | None:
    """As `Checkpoints.load`, the same in all processes."""
    read = checkpoints.load(model, optimizer) if devices.is_main else None
    if devices.world == 1:
        return read
    state = devices.told(read)
    if state is not None:
        _hand_weights(model, devices)
        _hand_moments(optimizer, devices)
    return state


def load_best(checkpoints: Checkpoints, model: nn.Module, devices: Devices) -> None:
    """As `Checkpoints.load_best`, the same in all processes."""
    if devices.is_main:
        checkpoints.load_best(model)
    if devices.world > 1:
        _hand_weights(model, devices)


def _hand_weights(model: nn.Module, devices: Devices) -> None:
    with torch.no_grad():
        for parameter in trained_parameters(model).values():
            parameter.copy_(devices.handed(parameter))


def _hand_moments(optimizer: Optimizer, devices: Devices) -> None:
    # An optimizer has none before its first step, nor after its last.
    found = moments_of(optimizer) if devices.is_main else {}
    kinds = devices.told({name: (value.shape, value.dtype) for name, value in found.items()})
    taken = {}
    for name, (shape, dtype) in kinds.items():
        value = devices.handed(found[name] if devices.is_main else torch.empty(shape, dtype=dtype))
        if not devices.is_main:  # which has no use for a second copy
            taken[name] = value
    if taken:
        put_moments(optimizer, taken)
