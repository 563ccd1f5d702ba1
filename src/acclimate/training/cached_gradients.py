"""Gradients of a loss whose items see each other, in the memory of a part of the batch (GradCache: Gao et al. 2021).

Such a loss, of in-batch negatives say, is no sum over parts of a batch. But all it needs of the model are its outputs, a row a sequence,
and these are small. So every part runs forward and only its outputs are kept; then comes the loss of all outputs, over all processes, and
its gradient with respect to them; then every part runs once more, and backward from its rows of that gradient. By the chain rule this is
the gradient of one large batch, whatever the size of the parts. It costs one forward pass more, but for the part that was made last: its
graph is still there, so a batch that fits into one part costs nothing more.

A part draws the same dropout both times, so the gradient is exactly that of the loss that is told. What is drawn belongs to the part, as
everywhere in the loop: parts of another size draw other numbers.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.errors import TrainingError
from acclimate.modeling.tensors import TensorBatch, target_tensors, to_tensors
from acclimate.training.devices import Devices
from acclimate.training.memory import is_out_of_memory


@runtime_checkable
class Together(Protocol):
    """What an objective has beside the rest (`Objective` in `training/loop.py`) where the items of a batch may see each other."""

    @property
    def together(self) -> bool:
        """Whether they do."""

    def outputs(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """What the loss needs of each sequence of a part: [B, ...], in the order of the part."""

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss of a whole batch, a scalar; a function of these two alone, which draws nothing."""


def together(objective: object) -> Together | None:
    """The objective, if its items see each other."""
    return objective if isinstance(objective, Together) and objective.together else None


def accumulate(
    objective: Together,
    model: nn.Module,
    parts: list[Batch],
    batch: Batch,
    count: float,
    devices: Devices,
    draws: Callable[[int], AbstractContextManager[None]],
    title: str,
) -> Tensor:
    """Add the gradients of the loss of `batch`, divided by `count`, to the model's; the summed loss, told by the first process for all.

    `parts` are those of this process's share of the batch (`Batch.shard`); any that follow, to go along with other processes, count for
    nothing, as does one of any sequence where it has no share. Within the block `draws(n)` torch draws what belongs to the n-th of them.
    Errors begin with `title`.

    Raises:
        TrainingError: memory does not hold the loss of the whole batch, so smaller parts would not help.
    """
    last = len(parts) - 1

    def forward(number: int, exchanged: bool) -> Tensor:
        with devices.synchronised(model, exchanged), draws(number), devices.autocast():
            outputs = objective.outputs(model, to_tensors(parts[number], devices.device))
        assert len(outputs) == parts[number].sequences, "a row a sequence"
        return outputs

    # With a graph, which is let go of at once: without one torch takes other kernels here and there, and those draw other numbers.
    found = [forward(number, exchanged=False).detach() for number in range(last)]
    outputs = forward(last, exchanged=last == 0)
    here = torch.cat([*found, outputs.detach()])

    mine = slice(devices.rank, None, devices.world)
    own = here[: len(range(batch.sequences)[mine])]
    # Peers' gradients are averaged, hence `world`.
    summed, gradient = _at_outputs(objective, devices.gathered(own, batch.sequences), batch, devices.world / count, title)
    of_here = torch.zeros_like(here)
    of_here[: len(own)] = gradient[mine]
    rows = torch.split(of_here, [part.sequences for part in parts])
    for number in range(last, -1, -1):
        if number < last:
            outputs = forward(number, exchanged=number == 0)
        with devices.synchronised(model, number == 0):
            devices.backward((outputs * rows[number]).sum())
    return summed if devices.is_main else torch.zeros_like(summed)


def _at_outputs(objective: Together, outputs: Tensor, batch: Batch, scale: float, title: str) -> tuple[Tensor, Tensor]:
    """The summed loss of the outputs of a whole batch, and the gradient of `scale` times it with respect to them.

    Outside of autocast: similarities of all pairs in half precision would lose what a low temperature magnifies.
    """
    outputs.requires_grad_()
    try:
        summed = objective.summed(outputs, target_tensors(batch, outputs.device))
        (gradient,) = torch.autograd.grad(summed * scale, outputs)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"{title}: out of memory in a loss over all {batch.sequences} texts of a batch, which see each other — lower batch_size"
        ) from error
    return summed.detach(), gradient
