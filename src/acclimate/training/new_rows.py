"""Training the rows of new entries alone: everything else is frozen, and so are the other rows of the same tensors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def only_rows_learn(model: nn.Module, tensors: Sequence[nn.Parameter], first: int) -> Iterator[None]:
    """Within the block nothing learns but the rows from `first` on of `tensors` [V, ...].

    Other rows get a gradient of 0, so that AdamW without weight decay leaves them bitwise as they are.
    """
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.requires_grad_(False)
    hooks = [_masked(tensor, first) for tensor in tensors]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        model.requires_grad_(False)
        for parameter in learned:
            parameter.requires_grad_(True)


def _masked(tensor: nn.Parameter, first: int) -> Any:
    tensor.requires_grad_(True)
    rows = torch.arange(len(tensor), device=tensor.device).view(-1, *[1] * (tensor.ndim - 1)) >= first

    def hook(gradient: Tensor) -> Tensor:
        return gradient * rows

    return tensor.register_hook(hook)  # type: ignore[no-untyped-call]
