"""Losses on their way from the device to the host.

On a GPU the host runs many steps ahead. Looking at a loss at once would make it wait for the device in every step, so a copy is started
and looked at when it has come.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Point:
    """One step's place on the learning curve."""

    step: int  # 1-based
    lr: float
    tokens: int  # seen so far, this step's among them


class Losses:
    """First in, first out."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._coming: deque[tuple[Point, Tensor, Any]] = deque()

    def send(self, point: Point, loss: Tensor, norm: Tensor) -> None:
        """Start the copy of a step's mean loss and gradient norm, both scalars."""
        both = torch.stack([loss.double(), norm.double()])
        if self._device.type != "cuda":
            self._coming.append((point, both, None))
            return
        copy = both.to("cpu", non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        self._coming.append((point, copy, event))

    def arrived(self, wait: bool = False) -> Iterator[tuple[Point, float, float]]:
        """(point, loss, norm) of every step whose copy is there; `wait` for all that were sent."""
        while self._coming:
            point, both, event = self._coming[0]
            if event is not None:
                if wait:
                    event.synchronize()
                elif not event.query():
                    return
            self._coming.popleft()
            loss, norm = both.tolist()
            yield point, loss, norm
