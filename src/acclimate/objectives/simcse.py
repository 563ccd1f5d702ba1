"""Contrast without labels (SimCSE: Gao et al. 2021): each text twice, under different dropout, and the others of a batch are negatives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.data.batches import Batch, assemble
from acclimate.data.in_turn import Stepwise
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows
from acclimate.modeling.tensors import TensorBatch
from acclimate.randomness import generator

GROUP = 64  # held-out texts that are told apart, as many as stand in a batch of the paper
TEXT = "text"
"""Among the targets of a batch, a row a view: equal where the texts are, token by token."""


@dataclass(frozen=True)
class TwoViews:
    """The objective: each text twice, and one view must find the other among those of all texts of the batch, by cosines.

    The negatives of a text are the others of its batch that are not the same text once more.
    """

    store: TokenStore
    windows: Windows
    order: Stepwise
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    temperature: float

    together = True

    def batch(self, step: int) -> Batch:
        """The global batch of a step, the two views of a text side by side: equal tokens, which dropout makes different vectors of."""
        return two_of_each(self.store, self.windows, self.order.batch(step), self.prefix, self.suffix)

    def count(self, batch: Batch) -> float:
        """Texts; none where all are the same, for then there is nothing to tell apart."""
        texts = batch.targets[TEXT]
        return len(texts) / 2 if len(texts) and (texts != texts[0]).any() else 0.0

    def outputs(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The vectors of the views [2B, E], of length 1."""
        vectors: Tensor = model(batch)
        return vectors

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss of a batch, nats."""
        likeness, itself = self.likeness(outputs, targets)
        return nn.functional.cross_entropy(likeness, itself, reduction="sum")

    def likeness(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """[B, B] logits of every first view with every second one, and [B] which is the right one."""
        likeness_BB = outputs[0::2] @ outputs[1::2].T / self.temperature
        text, itself = targets[TEXT][0::2], torch.arange(len(likeness_BB), device=outputs.device)
        again = (text[:, None] == text) & (itself[:, None] != itself)
        return likeness_BB.masked_fill(again, -torch.inf), itself

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """The summed loss, nats."""
        return self.summed(self.outputs(model, batch), batch.targets)

    def heldout(self, windows: Windows) -> list[Batch]:
        """The batches of held-out text, each of as many texts, the same ones in every run; what is left over is asked with the last."""
        permuted = generator("held-out views").permutation(len(windows))
        parts = np.array_split(permuted, max(1, len(windows) // GROUP))
        return list(self._batches(windows, parts))

    def _batches(self, windows: Windows, parts: list[NDArray[np.int64]]) -> Iterator[Batch]:
        for part in parts:
            batch = two_of_each(self.store, windows, part, self.prefix, self.suffix)
            if self.count(batch):
                yield batch


def two_of_each(
    store: TokenStore, windows: Windows, indices: NDArray[np.int64], prefix: tuple[int, ...], suffix: tuple[int, ...]
) -> Batch:  # fmt: skip
    """The texts `indices` [B], each twice in a row [2B]."""
    stretches = zip(windows.start[indices].tolist(), windows.length[indices].tolist(), strict=True)
    digests = [xxhash.xxh3_64_intdigest(store.tokens[begin : begin + length].tobytes()) for begin, length in stretches]
    text = np.array(digests, dtype=np.uint64).view(np.int64)  # torch compares no unsigned ones
    return assemble(store, windows, np.repeat(indices, 2), prefix, suffix, {TEXT: np.repeat(text, 2)})
