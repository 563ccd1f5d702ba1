"""Training the rows of new entries alone: everything else is frozen, and so are the other rows of the same tensors; how far they moved."""

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


def how_far(before_ND: Tensor, after_ND: Tensor) -> dict[str, Any]:
    """What a training did to N rows: `new_rows` (N), `rows_moved` (length of the way, in lengths of the row as it was) and `rows_cosine`
    (between the row as it was and as it is), both in the mean.
    """
    moved_N = (after_ND - before_ND).norm(dim=1) / before_ND.norm(dim=1).clamp_min(1e-12)
    cosine_N = torch.nn.functional.cosine_similarity(before_ND, after_ND, dim=1)
    return {"new_rows": len(before_ND), "rows_moved": float(moved_N.mean()), "rows_cosine": float(cosine_N.mean())}
