"""Cross-entropy of one tag among L for every piece of a word that is asked about, each tag with its weight."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.data.ragged import Ragged
from acclimate.tasks.metrics.spans import OUTSIDE
from acclimate.tasks.split import Split

BEGINS, CONTINUES = "B-", "I-"


@dataclass(frozen=True)
class TokenCrossEntropy:
    """-log softmax(logits)[tag], weighted. A word's later pieces go on with what its first one begins: B-x becomes I-x.

    So a span of pieces has one beginning, as whoever joins them (transformers' pipeline) expects.
    """

    weights: NDArray[np.float64]  # [L] of each tag

    takes: ClassVar[str] = "tags"
    together: ClassVar[bool] = False

    def targets(self, split: Split, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """The tags [M] and their weights [M] of these pieces [M, 2]: the word, counted through the split, and which of its pieces it is."""
        assert isinstance(split.gold, Ragged)
        word, number = rows.T
        tags = learned(split.names)[np.sign(number), split.gold.values[word]]
        return {"target_labels": np.maximum(tags, 0), "target_weights": np.where(tags < 0, 0.0, self.weights[tags]).astype(np.float32)}

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """The summed weights of the batch's pieces (their number when nothing is weighted)."""
        return float(targets["target_weights"].sum(dtype=np.float64))

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed weighted cross-entropy, nats, of logits [M, L]."""
        losses_M = torch.nn.functional.cross_entropy(outputs.float(), targets["target_labels"], reduction="none")
        return (losses_M * targets["target_weights"]).sum()


def learned(names: tuple[str, ...]) -> NDArray[np.int64]:
    """[3, L] what is learned at a word of each tag: by its first piece (0), a later one (1), one before the word (-1, the last row).

    What stands before a word is part of the entity that the word goes on with (I-x), or else outside (O); -1 where there is no such tag.
    """
    number = {name: place for place, name in enumerate(names)}
    if OUTSIDE not in number:  # plain tags, whatever they begin with
        return np.array([range(len(names)), range(len(names)), [-1] * len(names)], dtype=np.int64)
    later = [number.get(CONTINUES + name.removeprefix(BEGINS), number[name]) if name.startswith(BEGINS) else number[name] for name in names]
    before = [number[name] if name.startswith(CONTINUES) else number[OUTSIDE] for name in names]
    return np.array([range(len(names)), later, before], dtype=np.int64)
