"""Windows: the pieces of documents, in tokens, that become sequences."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acclimate.data.ragged import IntArray
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


@dataclass(frozen=True, eq=False)
class Overlapping:
    """Windows of which each token has one that answers for it: that in which it has most text on both sides."""

    windows: Windows
    document: IntArray
    """[N] whose window it is."""
    first: IntArray
    """[N] the first token that it answers for, counted in the store."""
    answered: IntArray
    """[N] how many it answers for: those of all windows of a document are its tokens, one after the other."""


def usual_stride(length: int) -> int:
    """By how many tokens windows of `length` overlap where nothing is said: a quarter."""
    return length // 4


def overlapping(offsets: IntArray, room: int, stride: int, spread: bool = True, causal: bool = False) -> Overlapping:
    """As few windows of `room` tokens as hold each document of a store, neighbours sharing `stride` tokens at least; `offsets` [D+1].

    They are `spread` evenly, so that all windows of a document are whole: the last does not begin late with little before its tokens. Else
    each begins `room - stride` tokens after the one before it, as `return_overflowing_tokens` of transformers has them, and the last is
    what is left: more than `stride` tokens. A document that one window holds has one, also where it is empty.

    A token is answered in the window in which it stands furthest from both ends; where a model is `causal`, which sees nothing of what
    follows, in the first that holds it, which shows most of what stands before.

    Raises:
        SettingsError: `room` is not positive, or `stride` leaves nothing of it.
    """
    _check(room)
    if stride >= room:
        raise SettingsError(f"stride: windows of {room} tokens cannot overlap by {stride} — lower stride, or raise max_length")
    lengths = np.diff(offsets)
    beyond = np.maximum(lengths - room, 0)
    count = 1 + -(-beyond // (room - stride))
    document = np.repeat(np.arange(len(lengths)), count)
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    begin = number * beyond[document] // np.maximum(count - 1, 1)[document] if spread else number * (room - stride)
    length = np.minimum(lengths[document] - begin, room)
    # Two neighbours part in the middle of what they share; the first and the last window reach to the ends of their document.
    behind = begin[:-1] + length[:-1]
    middle = behind if causal else (begin[1:] + behind) // 2
    first = np.where(number == 0, 0, np.concatenate([[0], middle])) if len(begin) else begin
    last = number == count[document] - 1
    end = np.where(last, lengths[document], np.concatenate([first[1:], [0]])) if len(begin) else begin
    start = offsets[:-1][document] + begin
    windows = Windows(start.astype(np.int64), length.astype(np.int32), cut_tokens=int(beyond.sum()), dropped_tokens=0)
    return Overlapping(windows, document, offsets[:-1][document] + first, end - first)


def _check(room: int) -> None:
    if room < 1:
        raise SettingsError(f"max_length leaves {room} tokens for text beside the special tokens — raise max_length")
