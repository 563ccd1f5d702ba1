"""Denoising sentence vectors (TSDAE: Wang et al. 2021): most words of a text are deleted, and its vector alone must give all of it back.

The decoder sees nothing of the text but the vector, so all that the text says has to be in there. It is thrown away afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from acclimate.data.batches import TARGET_INDEX, Batch, assemble, evaluation_batches
from acclimate.data.deleted_words import WHOLE, kept_tokens, marked_words, without
from acclimate.data.in_turn import Stepwise
from acclimate.data.ragged import offsets_of, ranges
from acclimate.data.tokens import TokenStore, special_ids
from acclimate.data.windows import Windows
from acclimate.modeling.embedder import Embedder
from acclimate.modeling.packing import Packing
from acclimate.modeling.tensors import TensorBatch
from acclimate.modeling.text_decoder import TextDecoder
from acclimate.objectives.vocabulary_loss import Asked, asked_of_words
from acclimate.randomness import generator

GROUP = 8192  # tokens of held-out text whose words are deleted together


@dataclass(frozen=True)
class Deletion:
    """Which words of a text are deleted, in one vocabulary."""

    share: float
    word_start: NDArray[np.bool_]  # [V] begins a word
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Tokenizer, share: float) -> Self:
        """That of a tokenizer.

        Raises:
            SettingsError: the vocabulary does not mark where words begin.
        """
        return cls(share, marked_words(tokenizer), *special_ids(tokenizer))

    def batch(self, store: TokenStore, windows: Windows, indices: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """The texts `indices` [B] without the words that are deleted, and in the targets what they are."""
        whole = assemble(store, windows, indices, self.prefix, self.suffix)
        lengths = windows.length[indices].astype(np.int64)
        ids = whole.input_ids[ranges(whole.offsets[:-1] + len(self.prefix), lengths)]
        kept = kept_tokens(ids, offsets_of(lengths), self.word_start, self.share, rng)
        return without(whole, len(self.prefix), len(self.suffix), kept)


@dataclass(frozen=True)
class GivenBack:
    """The objective: texts without most of their words, which are to be given back whole."""

    store: TokenStore
    windows: Windows
    order: Stepwise
    deletion: Deletion
    seed: int

    def batch(self, step: int) -> Batch:
        """The global batch of a step, with words deleted anew."""
        return self.deletion.batch(self.store, self.windows, self.order.batch(step), generator(self.seed, "delete", step))

    def count(self, batch: Batch) -> float:
        """Tokens of the whole texts."""
        return float(len(batch.targets[WHOLE]))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """Summed cross-entropy over the tokens of the whole texts, in nats."""
        summed: Tensor = model(batch)
        return summed


def heldout_texts(store: TokenStore, windows: Windows, deletion: Deletion, max_tokens: int) -> list[Batch]:
    """All windows, sorted by their lengths, with the same words deleted in every run."""

    def batches() -> Iterator[Batch]:
        # Drawn in groups of one fixed size and cut afterwards: how much memory a machine has must not move them.
        special = len(deletion.prefix) + len(deletion.suffix)
        groups = evaluation_batches(windows.length + special, max(GROUP, int(windows.length.max(initial=0)) + special))
        for number, group in enumerate(groups):
            yield from deletion.batch(store, windows, group, generator("held-out deletion", number)).micro(max_tokens)

    return list(batches())


class Denoiser(nn.Module):
    """An encoder of texts, and the decoder that gives them back from their vectors."""

    def __init__(self, embedder: Embedder, decoder: TextDecoder) -> None:
        super().__init__()
        self.embedder = embedder
        self.decoder = decoder

    def forward(self, batch: TensorBatch) -> Tensor:
        """The summed loss of a batch, a scalar, nats."""
        return self.asked(batch).loss

    def asked(self, batch: TensorBatch) -> Asked:
        """Loss, and how many tokens would be guessed right, where each is asked for after those before it."""
        first, ids = batch.targets[TARGET_INDEX], batch.targets[WHOLE]
        words: nn.Parameter = self.embedder.encoder.model.get_input_embeddings().weight  # type: ignore[assignment]
        packing = whole_texts(first, batch.offsets)
        states = self.decoder(ids, packing, self.embedder(batch), words)
        return asked_of_words(states, words, self.decoder.bias, ids)


def whole_texts(first: Tensor, offsets: Tensor) -> Packing:
    """Where the whole texts lie in their stream; `first` [M] are the positions of their tokens in the batch, whose `offsets` are [B+1]."""
    begins = torch.searchsorted(first, offsets)
    lengths = begins.diff()
    positions = torch.arange(len(first), device=first.device) - torch.repeat_interleave(begins[:-1], lengths, output_size=len(first))
    return Packing(tuple(lengths.tolist()), begins, positions)
