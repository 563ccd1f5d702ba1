"""The sequences of one split: windows of a token store between their special tokens, and what frozen layers give for them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from acclimate.data.batches import TARGET_INDEX, Batch, assemble
from acclimate.data.hidden_outputs import Outputs
from acclimate.data.ragged import IntArray, offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows
from acclimate.data.word_pieces import Pieces


@dataclass(frozen=True)
class Sequences:
    """`N` texts as the model reads them; where long ones are read whole, or every word is asked about, `N` windows of texts."""

    store: TokenStore
    windows: Windows
    prefix: tuple[int, ...]
    """Special tokens before every text."""
    suffix: tuple[int, ...]
    """And after it."""
    hidden: Outputs | None = None
    """What frozen layers give for them, where it was computed ahead."""
    pieces: Pieces | None = None
    """Where every word is asked about: which positions stand for which words."""
    document: IntArray | None = None
    """[N] the text that each is a window of, counted from 0, those of a text one after the other; None: sequence i is text i."""

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def frame(self) -> Mapping[str, Any]:
        """What stands around the texts, as JSON, where it is more than the special tokens of the vocabulary."""
        return {}

    @property
    def texts(self) -> int:
        """How many texts they are."""
        return len(self) if self.document is None else len(self.windows_of_text) - 1

    @cached_property
    def windows_of_text(self) -> IntArray:
        """[texts + 1] where texts are read in windows: the first of each, and behind them how many windows there are."""
        assert self.document is not None
        return offsets_of(np.bincount(self.document))

    @property
    def several(self) -> int:
        """How many texts are read in several windows."""
        return 0 if self.document is None else int((np.diff(self.windows_of_text) > 1).sum())

    @property
    def whole(self) -> bool:
        """Whether one answer is asked for each text, whatever the number of its windows."""
        return self.document is not None and self.pieces is None

    @property
    def drawn(self) -> IntArray:
        """[D] what batches are drawn from: the text of every sequence, or of each only once where it is learned as a whole."""
        return np.arange(self.texts) if self.whole else self.text_of

    @property
    def text_of(self) -> IntArray:
        """[N] the text that each sequence is, or is a window of."""
        return np.arange(len(self)) if self.document is None else self.document

    @property
    def lengths(self) -> IntArray:
        """[N] tokens, special ones included."""
        return self.windows.length.astype(np.int64) + len(self.prefix) + len(self.suffix)

    @property
    def cut_tokens(self) -> int:
        """Tokens that are not read."""
        return self.windows.dropped_tokens

    @property
    def cut(self) -> npt.NDArray[np.bool_]:
        """[texts] whether a text is not read to its end."""
        if self.document is not None:
            return np.zeros(self.texts, dtype=np.bool_)
        return np.asarray(np.diff(self.store.offsets) > self.windows.length)

    @property
    def cut_texts(self) -> int:
        """How many texts are not read to their end."""
        return int(self.cut.sum())

    @property
    def tokens(self) -> int:
        """Of all texts, read or not, without special ones."""
        return self.store.total

    @property
    def unknown_share(self) -> float:
        """Of the tokens, those that are unknown to the vocabulary: 0 to 1."""
        return self.store.unknown_share

    def counted(self, split: str) -> dict[str, int]:
        """What is measured of them where they are read in windows, by the name of their split; else nothing."""
        if self.document is None:
            return {}
        without = {} if self.pieces is None else {f"words_without_piece_{split}": self.pieces.without}
        return {f"windows_{split}": len(self), f"overlapping_texts_{split}": self.several, **without}

    def told(self, split: str) -> str:
        """What should be known of them; empty where there is nothing."""
        parts = []
        if self.several:
            longest = int(self.lengths.max())
            parts.append(f"{self.several:,} of {self.texts:,} are longer than {longest} tokens and are read in overlapping windows")
        if self.pieces is not None and self.pieces.without:
            parts.append(f"of {self.pieces.without:,} of {self.pieces.words:,} words this vocabulary makes nothing: no model can read them")
        return f"{split} texts: {'; '.join(parts)}" if parts else ""

    def asked(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """What is asked about in these sequences: themselves, or [M, 2] their pieces (`Pieces.asked`)."""
        return indices if self.pieces is None else self.pieces.asked(self.pieces.of(indices))

    def answering(self) -> "Sequences":
        """The same, asked about the piece alone that answers each word."""
        return self if self.pieces is None else replace(self, pieces=self.pieces.answering())

    def batch(self, indices: npt.NDArray[np.integer], targets: Mapping[str, npt.NDArray[np.generic]] | None = None) -> Batch:
        """The flat batch of these texts; `targets` are already those of what is `asked` in them, row by row."""
        hidden = None if self.hidden is None else self.hidden.rows(indices)
        if self.pieces is not None:
            places = self.pieces.places(indices, offsets_of(self.lengths[indices])[:-1])
            targets = {TARGET_INDEX: places, **(targets or {})}
        return assemble(self.store, self.windows, indices, self.prefix, self.suffix, targets, hidden)
