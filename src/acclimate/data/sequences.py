"""The sequences of one split: windows of a token store between their special tokens, and what frozen layers give for them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acclimate.data.batches import Batch, assemble
from acclimate.data.hidden_outputs import Outputs
from acclimate.data.ragged import IntArray
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows


@dataclass(frozen=True)
class Sequences:
    """`N` texts as the model reads them."""

    store: TokenStore
    windows: Windows
    prefix: tuple[int, ...]
    """Special tokens before every text."""
    suffix: tuple[int, ...]
    """And after it."""
    hidden: Outputs | None = None
    """What frozen layers give for them, where it was computed ahead."""

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def lengths(self) -> IntArray:
        """[N] tokens, special ones included."""
        return self.windows.length.astype(np.int64) + len(self.prefix) + len(self.suffix)

    @property
    def cut_tokens(self) -> int:
        """Tokens that are not read."""
        return self.windows.cut_tokens

    @property
    def unknown_share(self) -> float:
        """Of the tokens, those that are unknown to the vocabulary: 0 to 1."""
        return self.store.unknown_share

    def batch(self, indices: npt.NDArray[np.integer], targets: Mapping[str, npt.NDArray[np.generic]] | None = None) -> Batch:
        """The flat batch of these texts; `targets` are already theirs, row by row."""
        hidden = None if self.hidden is None else self.hidden.rows(indices)
        return assemble(self.store, self.windows, indices, self.prefix, self.suffix, targets, hidden)
