"""Masked language modelling (Devlin et al. 2019): the batch of a step with its masks, and the loss.

Masks are dynamic (RoBERTa): drawn anew for every step from (seed, step). The held-out masks are fixed, so losses before and after, and of
different recipes on the same corpus, are measured on the same positions.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from acclimate.data.batches import Batch, assemble, evaluation_batches
from acclimate.data.in_turn import Stepwise
from acclimate.data.masking import mask_tokens
from acclimate.data.tokens import TokenStore, mask_token, special_ids, special_tokens, word_starts
from acclimate.data.windows import Windows
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.vocabulary_loss import summed_cross_entropy
from acclimate.randomness import generator

MASK_GROUP = 8192  # tokens of held-out text that are masked together
HELDOUT_RATE = 0.15  # always, whatever rate is trained with, so that losses can be compared


@dataclass(frozen=True)
class Vocabulary:
    """What masking must know of a tokenizer."""

    size: int
    mask_id: int
    special: NDArray[np.bool_]  # [V] never masked
    word_start: NDArray[np.bool_] | None  # [V] begins a word; for whole-word masks: None masks pieces
    prefix: tuple[int, ...]  # before every sequence, e.g. [CLS]
    suffix: tuple[int, ...]  # after it, e.g. [SEP]
    spans: bool = False  # masks runs of whole words

    @classmethod
    def of(cls, tokenizer: Tokenizer, whole_word: bool, spans: bool = False) -> Self:
        """That of a tokenizer; where words begin only for `whole_word` or `spans`, since not every vocabulary tells.

        Raises:
            ModelError: the vocabulary has no mask token.
            SettingsError: whole words were asked for, and the vocabulary does not mark where they begin.
        """
        mask_id, _ = mask_token(tokenizer, "be pretrained with masks")
        size, starts = tokenizer.get_vocab_size(with_added_tokens=True), word_starts(tokenizer) if whole_word or spans else None
        return cls(size, mask_id, special_tokens(tokenizer), starts, *special_ids(tokenizer), spans=spans)


@dataclass(frozen=True)
class MaskedText:
    """The objective: masked batches of windows of a token store."""

    store: TokenStore
    windows: Windows
    order: Stepwise
    vocabulary: Vocabulary
    rate: float
    seed: int
    last_rate: float | None = None
    """What the rate comes to, in equal steps, at the last of `steps` steps (Yang et al. 2023); None: it stays."""
    steps: int = 1

    def rate_at(self, step: int) -> float:
        """The share of the tokens that are masked in a step."""
        if self.last_rate is None:
            return self.rate
        return self.rate + (self.last_rate - self.rate) * min(1.0, step / max(1, self.steps - 1))

    def batch(self, step: int) -> Batch:
        """The masked global batch of a step."""
        rng = generator(self.seed, "mask", step)
        return masked(self.store, self.windows, self.order.batch(step), self.vocabulary, self.rate_at(step), rng)

    def count(self, batch: Batch) -> float:
        """Masked tokens in the batch."""
        return float(len(batch.targets["target_ids"]))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """Summed cross-entropy at the masked positions, in nats."""
        return summed_loss(model, batch)


def masked(
    store: TokenStore, windows: Windows, indices: NDArray[np.int64], vocabulary: Vocabulary, rate: float, rng: np.random.Generator
) -> Batch:
    """The windows `indices` as one flat batch with masks drawn from `rng`."""
    return mask_tokens(
        assemble(store, windows, indices, vocabulary.prefix, vocabulary.suffix),
        rate=rate,
        vocabulary_size=vocabulary.size,
        mask_id=vocabulary.mask_id,
        special=vocabulary.special,
        rng=rng,
        word_start=vocabulary.word_start,
        spans=vocabulary.spans,
    )


def heldout_batches(store: TokenStore, windows: Windows, vocabulary: Vocabulary, max_tokens: int) -> list[Batch]:
    """All windows, length-sorted, with masks of pieces that are the same in every run, for whatever masks were trained with."""
    pieces = replace(vocabulary, word_start=None, spans=False)
    special = len(vocabulary.prefix) + len(vocabulary.suffix)
    # Masks are drawn in groups of one fixed size and cut afterwards: how much memory a machine has must not move them.
    groups = evaluation_batches(windows.length + special, max(MASK_GROUP, int(windows.length.max(initial=0)) + special))
    batches = [masked(store, windows, group, pieces, HELDOUT_RATE, generator("held-out mask", i)) for i, group in enumerate(groups)]
    return [micro for batch in batches for micro in batch.micro(max_tokens)]


def summed_loss(model: nn.Module, batch: TensorBatch) -> Tensor:
    """Summed cross-entropy in nats of `model(batch)` [M, V] against the masked tokens [M]."""
    logits_MV = model(batch)
    return summed_cross_entropy(logits_MV.float(), batch.targets["target_ids"])
