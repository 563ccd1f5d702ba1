"""The learning rate at a step, as a pure function: nothing to save, nothing to resume."""

import math
from typing import Literal

Shape = Literal["linear", "cosine", "constant"]


def rate(step: int, steps: int, warmup: float, shape: Shape) -> float:
    """The share of the peak learning rate at `step` (0-based) of `steps`.

    It rises linearly over the first `warmup` share of the steps, then falls to zero (`linear`, `cosine`) or stays (`constant`).
    """
    warmup_steps = math.ceil(warmup * steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    match shape:
        case "linear":
            return 1.0 - done
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
        case "constant":
            return 1.0
