"""Asking a masked language model for every token of a text once: a pseudo-log-likelihood (Salazar et al. 2020), about a seventh at a time.

The tokens of a window are dealt into groups, and each group is masked once while the others can be seen: as many are masked together as
models are pretrained with, in a seventh of the passes that one token at a time would take. Which tokens are one group follows from the
tokens of the window alone, so it is the same in every run, for every model of one vocabulary, and whatever texts stand beside.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.batches import Batch, assemble, evaluation_batches
from acclimate.data.masking import GROUPS, dealt
from acclimate.data.ragged import IntArray, ranges
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows, sliding
from acclimate.objectives.mlm import Vocabulary

NOT_ASKED = -1
DOCUMENT = "target_document"


@dataclass(frozen=True, eq=False)
class EveryToken:
    """The tokens of a store, cut into windows and dealt into groups."""

    store: TokenStore
    windows: Windows
    vocabulary: Vocabulary
    group: NDArray[np.int8]
    """[total] the group of each token of the store; `NOT_ASKED` of those that are never masked."""
    document: IntArray
    """[N] of each window."""

    @classmethod
    def of(cls, store: TokenStore, vocabulary: Vocabulary, room: int) -> Self:
        """Every token of the store in windows of at most `room` tokens; unknown and special ones are not asked for."""
        windows = sliding(store, room)
        group = np.full(store.total, NOT_ASKED, dtype=np.int8)
        known = ~vocabulary.special[store.tokens] if store.total else np.zeros(0, dtype=np.bool_)
        for start, length in zip(windows.start.tolist(), windows.length.tolist(), strict=True):
            places = start + np.flatnonzero(known[start : start + length])
            group[places] = dealt(store.tokens[start : start + length], len(places))
        document = np.searchsorted(store.offsets, windows.start, side="right") - 1
        return cls(store, windows, vocabulary, group, document)

    def batches(self, max_tokens: int) -> Iterator[Batch]:
        """Each group of each window masked once, in passes of at most `max_tokens`.

        Targets: `target_index`, `target_ids` and `target_document` [M].
        """
        window, group = self._passes()
        special = len(self.vocabulary.prefix) + len(self.vocabulary.suffix)
        for chosen in evaluation_batches(self.windows.length[window] + special, max_tokens):
            yield self._masked(window[chosen], group[chosen])

    @property
    def tokens(self) -> int:
        """Of all passes, special ones included."""
        window, _ = self._passes()
        return int(self.windows.length[window].sum()) + len(window) * (len(self.vocabulary.prefix) + len(self.vocabulary.suffix))

    def _passes(self) -> tuple[IntArray, IntArray]:
        """The windows [P] and groups [P] of all passes."""
        length = self.windows.length.astype(np.int64)
        of_window = self.group[ranges(self.windows.start, length)]
        window = np.repeat(np.arange(len(self.windows)), length)
        used = np.unique((window * GROUPS + of_window)[of_window != NOT_ASKED])
        return used // GROUPS, used % GROUPS

    def _masked(self, window: IntArray, group: IntArray) -> Batch:
        prefix, suffix = self.vocabulary.prefix, self.vocabulary.suffix
        batch = assemble(self.store, self.windows, window, prefix, suffix)
        length = self.windows.length[window].astype(np.int64)
        places = ranges(batch.offsets[:-1] + len(prefix), length)  # of the text in the batch
        asked = self.group[ranges(self.windows.start[window], length)] == np.repeat(group, length)
        index, ids = places[asked], batch.input_ids.copy()
        document = np.repeat(self.document[window], length)[asked]
        ids[index] = self.vocabulary.mask_id
        return replace(batch, input_ids=ids, targets={"target_index": index, "target_ids": batch.input_ids[index], DOCUMENT: document})
