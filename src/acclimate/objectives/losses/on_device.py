"""Numbers of the names, where the logits are."""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=16)
def on_device(values_L: tuple[float, ...], device: torch.device) -> Tensor:
    """[L] float32, copied once: copied in every step they would make a GPU wait for the host."""
    return torch.tensor(values_L, dtype=torch.float32, device=device)
