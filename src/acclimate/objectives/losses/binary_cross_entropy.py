"""Binary cross-entropy of L labels, each a question of its own, the examples of each label with its weight."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.tasks.split import Split


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """-log sigmoid(logit) of a label that a text has, times its weight; -log sigmoid(-logit) of one that it has not. The mean over labels.

    As BCEWithLogitsLoss of PyTorch with its `pos_weight`, which transformers takes for `multi_label_classification`.
    """

    weights: NDArray[np.float64]  # [L] of the examples of each label

    takes: ClassVar[str] = "set"
    together: ClassVar[bool] = False

    def targets(self, split: Split, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """Which labels [B, L], and the weight of each answer [B, L]."""
        labels = np.asarray(split.gold, dtype=bool)[rows]
        # Weights travel with the batch: fetched in the loss, they would make a GPU wait for the host in every step.
        return {"labels": labels.astype(np.float32), "weights": np.where(labels, self.weights, 1.0).astype(np.float32)}

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """Texts, whatever their weights."""
        return float(len(targets["labels"]))

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed weighted cross-entropy, nats, of logits [B, L]: of each text the mean over labels."""
        losses_BL = torch.nn.functional.binary_cross_entropy_with_logits(
            outputs.float(), targets["labels"], targets["weights"], reduction="none"
        )
        return losses_BL.mean(dim=1).sum()
