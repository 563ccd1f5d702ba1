"""Causal language modelling: every token of a text is predicted from those before it (Radford et al. 2019).

A text begins behind a token that says so, and each document is ended by one, so every token of the text, and that it is over, is asked for
once. What the vocabulary cannot read is asked for nowhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.data.batches import TARGET_INDEX, Batch, assemble, evaluation_batches
from acclimate.data.in_turn import Stepwise
from acclimate.data.tokens import TokenStore, special_ids
from acclimate.data.unknown import unknown_id
from acclimate.data.windows import Windows, sliding
from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.looking_back import look_back
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.every_token import DOCUMENT
from acclimate.objectives.vocabulary_loss import Asked, asked_of_words, log_probabilities_of, nats_of_words

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Borders:
    """The tokens around a text, for a model that reads from left to right."""

    begin: int
    """Stands before every window, so that its first token is predicted from something."""
    end: int
    """Stands behind every document."""
    unknown: int | None = None
    """What no text holds and so is never predicted; None where the vocabulary can write everything."""

    @classmethod
    def of(cls, folder: ModelFolder) -> Self:
        """Those of a model: what its tokenizer puts around texts, else what its config.json calls begin and end; one serves as both.

        Raises:
            ModelError: there is neither.
        """
        tokenizer, config = folder.tokenizer(), folder.architecture.config
        prefix, suffix = special_ids(tokenizer)
        begin = _first(prefix, config.bos_token_id, tokenizer)
        end = _first(suffix, config.eos_token_id, tokenizer)
        if begin is None and end is None:
            raise ModelError(
                f"{folder.path}: neither tokenizer nor config.json (bos_token_id, eos_token_id) name a token that begins or ends texts"
            )
        either = begin if end is None else end
        assert either is not None
        return cls(either if begin is None else begin, either if end is None else end, unknown_id(tokenizer))


def _first(around: tuple[int, ...], said: int | list[int] | None, tokenizer: "Tokenizer") -> int | None:
    # Several ends are alike: the first is the one of plain text.
    numbers = said if isinstance(said, list) else [] if said is None else [said]
    known = [number for number in (*around[:1], *numbers) if tokenizer.id_to_token(number) is not None]
    return known[0] if known else None


class NextTokens(nn.Module):
    """A model asked for the next token of every token in a flat batch; logits are there for some rows at a time, never for all.

    An encoder looks back alone for as long as it is in here (`look_back`).
    """

    def __init__(self, packed: Packed) -> None:
        """`packed` runs a model with its head for words.

        Raises:
            SettingsError: a decoder's head does more than a product with the words, or an encoder cannot look back alone.
        """
        super().__init__()
        self.packed = packed
        if getattr(packed.model.config, "final_logit_softcapping", None):
            raise SettingsError(f"{packed.family.model_type}: final_logit_softcapping bends the logits of words, and is not computed here")
        if not packed.family.decoder:
            look_back(packed)

    def forward(self, batch: TensorBatch) -> Tensor:
        """The summed cross-entropy of a batch, a scalar, nats."""
        return self.asked(batch).loss

    def asked(self, batch: TensorBatch) -> Asked:
        """Loss, and how many next tokens would be guessed right."""
        return asked_of_words(self._states(batch), *self._words, batch.targets["target_ids"])

    def nats(self, batch: TensorBatch) -> Tensor:
        """[M, 2] nats of each token that is asked for, and whether it is the most probable one."""
        return nats_of_words(self._states(batch), *self._words, batch.targets["target_ids"])

    def log_probabilities(self, batch: TensorBatch, asked_K: Tensor) -> Tensor:
        """[M, K] log-probabilities of the tokens `asked` [K] as the next one at each of the batch's targets."""
        return log_probabilities_of(self._states(batch), *self._words, asked_K)

    def _states(self, batch: TensorBatch) -> Tensor:
        if not self.packed.family.decoder:
            return self.packed(batch)  # type: ignore[no-any-return]
        return self.packed.states(batch)[batch.targets[TARGET_INDEX]]

    @property
    def _words(self) -> tuple[Tensor, Tensor]:
        head = self.packed.model.get_output_embeddings()  # type: ignore[no-untyped-call]
        weight: Tensor = head.weight.float()  # itself, but where it is frozen in half precision: then wide for as long as it is asked
        return weight, weight.new_zeros(len(weight)) if head.bias is None else head.bias


@dataclass(frozen=True)
class FollowingText:
    """The objective: windows of a token store, every token from those before it."""

    store: TokenStore
    windows: Windows
    order: Stepwise
    borders: Borders

    def batch(self, step: int) -> Batch:
        """The global batch of a step."""
        return following(self.store, self.windows, self.order.batch(step), self.borders)

    def count(self, batch: Batch) -> float:
        """Tokens that are asked for."""
        return float(len(batch.targets["target_ids"]))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """Summed cross-entropy in nats; `model` is a `NextTokens`."""
        summed: Tensor = model(batch)
        return summed


def following(store: TokenStore, windows: Windows, indices: NDArray[np.integer], borders: Borders) -> Batch:
    """The windows `indices` [B] behind their begin; targets at each position but a window's last: the token after it."""
    batch = assemble(store, windows, indices, (borders.begin,), ())
    after = np.append(batch.input_ids[1:], borders.begin)
    asked = np.ones(batch.tokens, dtype=np.bool_)
    asked[batch.offsets[1:] - 1] = False
    if borders.unknown is not None:
        asked &= after != borders.unknown
    index = np.flatnonzero(asked)
    return replace(batch, targets={TARGET_INDEX: index, "target_ids": after[index]})


def heldout_windows(store: TokenStore, windows: Windows, borders: Borders, max_tokens: int) -> list[Batch]:
    """All windows, sorted by length, in passes of at most `max_tokens`."""
    groups = evaluation_batches(windows.length + 1, max_tokens)
    return [following(store, windows, group, borders) for group in groups]


@dataclass(frozen=True, eq=False)
class EveryNextToken:
    """Every token of a store of documents, asked for once, from those before it in its window."""

    store: TokenStore
    windows: Windows
    borders: Borders
    document: NDArray[np.int64]
    """[N] of each window."""

    @classmethod
    def of(cls, store: TokenStore, borders: Borders, room: int) -> Self:
        """In windows of at most `room` tokens of text."""
        windows = sliding(store, room)
        return cls(store, windows, borders, np.searchsorted(store.offsets, windows.start, side="right") - 1)

    @property
    def tokens(self) -> int:
        """Of all passes, begins included."""
        return self.windows.tokens + len(self.windows)

    def batches(self, max_tokens: int) -> Iterator[Batch]:
        """All windows in passes of at most `max_tokens`; targets: `target_index`, `target_ids` and `target_document` [M]."""
        for chosen in evaluation_batches(self.windows.length + 1, max_tokens):
            batch = following(self.store, self.windows, chosen, self.borders)
            sequence = np.searchsorted(batch.offsets, batch.targets[TARGET_INDEX], side="right") - 1
            yield replace(batch, targets={**batch.targets, DOCUMENT: self.document[chosen[sequence]]})
