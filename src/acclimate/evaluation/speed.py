"""Two models timed side by side on the same text, in turn, so that whatever else the machine does slows both alike."""

import time
from collections.abc import Mapping, Sequence
from statistics import median

import torch
from torch import nn

from acclimate.data.batches import Batch
from acclimate.evaluation.inference import in_parts
from acclimate.objectives.mlm import summed_loss
from acclimate.training.devices import Devices

ROUNDS = 15  # short ones, so that what else the machine does falls on both
ENOUGH_SECONDS = 10.0  # no further round is begun after these, once every model had two


def training_seconds(models: Mapping[str, nn.Module], batches: Mapping[str, Sequence[Batch]], devices: Devices) -> dict[str, float]:
    """Median seconds that each model takes for the forward and backward passes of masked language modelling over its batches.

    Every model reads its own batches: the same text in its own vocabulary. Weights stay as they are. A first round, which is not counted,
    warms up.
    """
    seconds: dict[str, list[float]] = {name: [] for name in models}
    began = time.monotonic()
    for count in range(ROUNDS + 1):
        if count > 2 and time.monotonic() - began > ENOUGH_SECONDS:
            break
        for name, model in models.items():
            taken = _pass(model, batches[name], devices)
            if count:
                seconds[name].append(taken)
    return {name: median(each) for name, each in seconds.items()}


def _pass(model: nn.Module, batches: Sequence[Batch], devices: Devices) -> float:
    model.train()
    began = time.perf_counter()
    for batch in batches:
        for loss in in_parts(lambda tensors: summed_loss(model, tensors), batch, devices):
            loss.backward()  # type: ignore[no-untyped-call]
    if devices.device.type == "cuda":
        torch.cuda.synchronize()
    taken = time.perf_counter() - began
    model.zero_grad(set_to_none=True)
    return taken
