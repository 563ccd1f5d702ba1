"""Token Distillation (Dobler et al. 2025): input rows of new entries are learned so that a text means to the model what it meant before.

The model reads the same snippet twice: in its old pieces, as it always has, and with the new entries. The squared difference of the last
hidden states is the loss, at every token: at a new entry against the mean of the pieces that it stands for, or in a decoder, as in the
paper, against the last of them, which alone has seen them all. Only the input rows of the new entries learn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.data.batches import TARGET_INDEX, Batch, TokenOrder, assemble
from acclimate.data.ragged import IntArray, ranges
from acclimate.data.tokens import TokenStore
from acclimate.data.vocabularies.larger import Entry
from acclimate.data.windows import Windows
from acclimate.modeling.execution import Packed
from acclimate.modeling.tensors import TensorBatch
from acclimate.randomness import generator

PIECES = "target_pieces"
NONE = -1


def snippets(store: TokenStore, first: int, most: int, length: int, seed: int) -> Windows:
    """Windows of at most `length` tokens around up to `most` occurrences of each id from `first` on, each where it stands in its document.

    Where a word stands in its window is drawn, too. A window that several words chose is read for each.
    """
    found: list[IntArray] = []
    chunk = 1 << 24
    for begin in range(0, store.total, chunk):  # the tokens stay on disk
        found.append(np.flatnonzero(store.tokens[begin : begin + chunk] >= first) + begin)
    places = np.concatenate(found) if found else np.zeros(0, np.int64)
    rng = generator(seed, "snippets")
    places = places[rng.permutation(len(places))]
    words = store.tokens[places].astype(np.int64)
    order = np.argsort(words, kind="stable")
    counts = np.unique(words, return_counts=True)[1]
    kept = np.sort(places[order][ranges(np.cumsum(counts) - counts, np.minimum(counts, most))])
    document = np.searchsorted(store.offsets, kept, side="right") - 1
    low, high = store.offsets[document], store.offsets[document + 1]
    start = np.maximum(low, np.minimum(kept - rng.integers(0, length, len(kept)), high - length))
    return Windows(start, np.minimum(high, start + length) - start, 0, 0)


def fitting(store: TokenStore, windows: Windows, pieces: NDArray[np.int64], room: int) -> Windows:
    """The windows, cut where their text in old pieces would need more than `room` tokens."""
    tokens = store.tokens[ranges(windows.start, windows.length.astype(np.int64))]
    needed = np.cumsum((pieces != NONE).sum(axis=1)[tokens])
    ends = np.cumsum(windows.length.astype(np.int64))
    begins = ends - windows.length
    before = np.where(begins > 0, needed[np.maximum(begins, 1) - 1], 0) if len(needed) else begins
    longest = np.searchsorted(needed, before + room, side="right") - begins
    return Windows(windows.start, np.minimum(windows.length, np.maximum(longest, 1)), 0, 0)


@dataclass(frozen=True)
class DistilledTokens:
    """The objective: snippets in the new vocabulary, with the pieces that each token stands for."""

    store: TokenStore
    windows: Windows
    order: TokenOrder
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pieces: NDArray[np.int64]
    """[V, P] what each id stands for in the old vocabulary, filled up with -1."""

    def batch(self, step: int) -> Batch:
        """The snippets of a step."""
        batch = assemble(self.store, self.windows, self.order.batch(step), self.prefix, self.suffix)
        return replace(batch, targets={TARGET_INDEX: np.arange(batch.tokens), PIECES: self.pieces[batch.input_ids]})

    def count(self, batch: Batch) -> float:
        """Tokens."""
        return float(batch.tokens)

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """Squared differences of hidden states, summed over tokens, in the mean over their D numbers."""
        apart_TD: Tensor = model(batch)
        return apart_TD.float().square().mean(dim=1).sum()


def pieces_table(new: Sequence[Entry], entries: int) -> NDArray[np.int64]:
    """[V, P] the ids that each id stands for, -1 behind them: itself, or the pieces that a new entry takes the place of."""
    table = np.full((entries, max(len(entry.pieces) for entry in new)), NONE, dtype=np.int64)
    table[:, 0] = np.arange(entries)
    for entry in new:
        table[entry.id, : len(entry.pieces)] = entry.pieces
    return table


class BothWays(nn.Module):
    """Reads a batch with its new entries and in the old pieces; gives how far the hidden states are apart [T, D]."""

    def __init__(self, packed: Packed) -> None:
        super().__init__()
        self.packed = packed

    def forward(self, batch: TensorBatch) -> Tensor:
        """At a new entry against its pieces together; gradients flow through the new side alone."""
        pieces_TP = batch.targets[PIECES]
        there_TP = pieces_TP != NONE
        counts_T = there_TP.sum(dim=1)
        with torch.no_grad():
            states = self.packed.states(_in_pieces(batch, pieces_TP[there_TP], counts_T))
            meant_TD = states[counts_T.cumsum(0) - 1] if self.packed.family.decoder else _means(states, counts_T)
        return self.packed.states(replace(batch, targets={})) - meant_TD


def _means(states: Tensor, counts_T: Tensor) -> Tensor:
    owner = torch.repeat_interleave(torch.arange(len(counts_T), device=counts_T.device), counts_T)
    return states.new_zeros(len(counts_T), states.shape[1]).index_add_(0, owner, states) / counts_T[:, None].to(states.dtype)


def _in_pieces(batch: TensorBatch, ids: Tensor, counts_T: Tensor) -> TensorBatch:
    ends = torch.nn.functional.pad(counts_T.cumsum(0), (1, 0))
    offsets = ends[batch.offsets]
    lengths = offsets.diff()
    positions = torch.arange(len(ids), device=ids.device) - torch.repeat_interleave(offsets[:-1], lengths)
    return TensorBatch(input_ids=ids, position_ids=positions, offsets=offsets, lengths=tuple(lengths.tolist()))
