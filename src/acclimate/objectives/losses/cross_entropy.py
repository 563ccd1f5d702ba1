"""Cross-entropy of one label among L, each class with its weight."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.tasks.split import Split


@dataclass(frozen=True)
class CrossEntropy:
    """-log softmax(logits)[label], weighted."""

    weights: NDArray[np.float64]  # [L] of each class

    takes: ClassVar[str] = "class"
    together: ClassVar[bool] = False

    def targets(self, split: Split, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """The classes [B] and their weights [B]."""
        classes = np.asarray(split.gold)[rows]
        # Weights travel with the batch: fetched in the loss, they would make a GPU wait for the host in every step.
        return {"labels": classes, "weights": self.weights[classes].astype(np.float32)}

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """The summed class weights of the batch's examples (their number when nothing is weighted)."""
        return float(targets["weights"].sum(dtype=np.float64))

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed weighted cross-entropy, nats, of logits [B, L]."""
        losses_B = torch.nn.functional.cross_entropy(outputs.float(), targets["labels"], reduction="none")
        return (losses_B * targets["weights"]).sum()
