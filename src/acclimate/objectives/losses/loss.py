"""What a loss of labelled training is."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from acclimate.tasks.split import Split


class Loss(Protocol):
    """From what is right for some items of a split, and what a model gives for them, to a sum."""

    takes: ClassVar[str]
    """What gold it understands: `class`, one of L names an item (int64 [N]), `set`, several (bool [N, L]), ..."""
    together: ClassVar[bool]
    """Whether the items of a batch see each other (in-batch negatives), so that a batch cannot be worked on in parts."""

    def targets(self, split: Split, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """What travels with a batch of these items, row by row."""

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """What the summed loss of a batch is divided by."""

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss of a micro-batch, a scalar in nats, from the model's outputs [B, ...]."""
