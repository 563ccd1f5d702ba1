"""Windows: the pieces of documents, in tokens, that become sequences."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acclimate.data.tokens import TokenStore
from acclimate.errors import SettingsError


@dataclass(frozen=True, eq=False)
class Windows:
    """`N` stretches of a token store, without special tokens."""

    start: npt.NDArray[np.int64]
    """[N] first token, counted in the store."""
    length: npt.NDArray[np.int32]
    """[N] tokens."""
    cut_tokens: int
    """Tokens beyond the first window of their document."""
    dropped_tokens: int
    """Those of them that stand in no window and are never seen."""

    def __len__(self) -> int:
        return len(self.start)

    @property
    def tokens(self) -> int:
        """Tokens in all windows, without special tokens."""
        return int(self.length.sum(dtype=np.int64))


def sliding(store: TokenStore, room: int) -> Windows:
    """Every token in exactly one window of at most `room` tokens; no window crosses documents, and an empty document has none.

    Raises:
        SettingsError: `room` is not positive.
    """
    return within(store.offsets[:-1], np.diff(store.offsets), room)


def within(begin: npt.NDArray[np.int64], length: npt.NDArray[np.int64], room: int) -> Windows:
    """Every token of `P` stretches of a store in exactly one window of at most `room` tokens; `begin` [P] and `length` [P] in tokens.

    Raises:
        SettingsError: `room` is not positive.
    """
    _check(room)
    count = -(-length // room)
    # Number of the window within its stretch: 0, 1, ..., 0, 1, ...
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    start = np.repeat(begin, count) + room * number
    left = np.repeat(begin + length, count) - start
    return Windows(
        start=start.astype(np.int64),
        length=np.minimum(left, room).astype(np.int32),
        cut_tokens=int(np.maximum(length - room, 0).sum()),
        dropped_tokens=0,
    )


def first(store: TokenStore, room: int) -> Windows:
    """The first `room` tokens of every document: window i is document i, also where it is empty, so labels stay aligned.

    Raises:
        SettingsError: `room` is not positive.
    """
    _check(room)
    length = np.diff(store.offsets)
    cut = int(np.maximum(length - room, 0).sum())
    return Windows(
        start=np.array(store.offsets[:-1], dtype=np.int64),
        length=np.minimum(length, room).astype(np.int32),
        cut_tokens=cut,
        dropped_tokens=cut,
    )


def _check(room: int) -> None:
    if room < 1:
        raise SettingsError(f"max_length leaves {room} tokens for text beside the special tokens — raise max_length")
