"""Sequences of two texts: what stands around and between them, and how both are cut to fit (as transformers' `longest_first`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from acclimate.data.batches import Batch, woven
from acclimate.data.ragged import IntArray, offsets_of
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import PROBE, TokenStore, plain
from acclimate.data.windows import Windows
from acclimate.errors import ModelError, SettingsError

OTHER_PROBE = "and another"


class PairMarks(NamedTuple):
    """The special tokens of a pair, e.g. `[CLS]`, `[SEP]` and `[SEP]`, and the segment of each part."""

    prefix: tuple[int, ...]
    middle: tuple[int, ...]
    suffix: tuple[int, ...]
    segments: tuple[int, ...]
    """Of every token of prefix, first text (as one), middle, second text (as one) and suffix."""

    @property
    def special(self) -> int:
        """How many special tokens a pair has."""
        return len(self.prefix) + len(self.middle) + len(self.suffix)


def pair_marks(tokenizer: Tokenizer) -> PairMarks:
    """What a tokenizer's own post-processor puts around and between two texts.

    Raises:
        ModelError: it puts nothing between them, or special tokens cannot be told from the texts.
    """
    tokenizer = plain(tokenizer)
    one, two = (tokenizer.encode(text, add_special_tokens=False).ids for text in (PROBE, OTHER_PROBE))
    whole = tokenizer.encode(PROBE, OTHER_PROBE)
    first = _find(one, whole.ids, 0) if one and two else None
    second = None if first is None else _find(two, whole.ids, first + len(one))
    if first is None or second is None:
        raise ModelError(
            f"the tokenizer makes {whole.ids} of the pair {PROBE!r}, {OTHER_PROBE!r}, and {one} and {two} of these alone: where special "
            "tokens belong cannot be told — choose a base whose tokenizer puts them around and between the texts"
        )
    ends = (first, first + len(one), second, second + len(two))
    if ends[1] == ends[2]:
        raise ModelError(
            "the tokenizer puts nothing between the two texts of a pair, so that a model could not tell where the second begins — choose a "
            "base whose tokenizer.json has a template for pairs"
        )
    prefix, middle, suffix = whole.ids[: ends[0]], whole.ids[ends[1] : ends[2]], whole.ids[ends[3] :]
    types = whole.type_ids
    segments = (*types[: ends[0]], types[ends[0]], *types[ends[1] : ends[2]], types[ends[2]], *types[ends[3] :])
    return PairMarks(tuple(prefix), tuple(middle), tuple(suffix), segments)


def longest_first(first: npt.NDArray[np.integer], second: npt.NDArray[np.integer], room: int) -> tuple[IntArray, IntArray]:
    """How many tokens [N] of each text stay, so that both together have at most `room`: the longer one is cut down to the other first.

    Where both are too long, each gets a half, of an odd room the longer one the token more (of equally long ones the second).

    Raises:
        SettingsError: there is not a token's room for each text.
    """
    if room < 2:
        raise SettingsError(f"max_length leaves {max(room, 0)} tokens for two texts beside the special tokens — raise max_length")
    first, second = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    short, long = np.minimum(first, second), np.maximum(first, second)
    kept_long = np.where(short > room, short, np.maximum(short, room - short))
    halves = short + kept_long > room
    kept_short, kept_long = np.where(halves, room // 2, short), np.where(halves, room - room // 2, kept_long)
    fits = first + second <= room
    kept_short, kept_long = np.where(fits, short, kept_short), np.where(fits, long, kept_long)
    swapped = first > second
    return np.where(swapped, kept_long, kept_short), np.where(swapped, kept_short, kept_long)


@dataclass(frozen=True, kw_only=True)
class PairSequences(Sequences):
    """`N` pairs as the model reads them: `store`, `windows`, `prefix` and `suffix` are those of the first text and of the whole."""

    other: TokenStore
    """The second texts."""
    other_windows: Windows
    middle: tuple[int, ...]
    """Special tokens between the texts."""
    segments: tuple[int, ...]
    """As in `PairMarks`."""

    @property
    def lengths(self) -> IntArray:
        """[N] tokens, special ones included."""
        return super().lengths + self.other_windows.length + len(self.middle)

    @property
    def cut_tokens(self) -> int:
        """Tokens of both texts that are not read."""
        return super().cut_tokens + self.other_windows.cut_tokens

    @property
    def cut(self) -> npt.NDArray[np.bool_]:
        """[N] whether a pair has a text that is not read to its end."""
        read = ((self.store, self.windows), (self.other, self.other_windows))
        return np.asarray(np.logical_or(*(np.diff(store.offsets) > windows.length for store, windows in read)))

    @property
    def tokens(self) -> int:
        """Of both texts of all pairs, read or not, without special ones."""
        return self.store.total + self.other.total

    @property
    def unknown_share(self) -> float:
        """Of the tokens of both texts, those that are unknown to the vocabulary: 0 to 1."""
        unknown, total = (self.store.unknown + self.other.unknown, self.store.total + self.other.total)
        return min(1.0, unknown / max(1, total, unknown))

    def batch(self, indices: npt.NDArray[np.integer], targets: Mapping[str, npt.NDArray[np.generic]] | None = None) -> Batch:
        """The flat batch of these pairs; `targets` are already theirs, row by row."""
        rows = np.asarray(indices, dtype=np.int64)
        first, second = (self.store, self.windows), (self.other, self.other_windows)
        # Every special token is a part, and so is each text.
        ids, _, lengths_BP = woven((*self.prefix, first, *self.middle, second, *self.suffix), rows)
        offsets = offsets_of(lengths_BP.sum(axis=1))
        types = np.repeat(np.tile(np.asarray(self.segments, dtype=np.int64), len(rows)), lengths_BP.ravel())
        position_ids = np.arange(len(ids)) - np.repeat(offsets[:-1], np.diff(offsets))
        hidden = None if self.hidden is None else self.hidden.rows(rows)
        return Batch(ids, position_ids, offsets, types, dict(targets or {}), hidden)


def pair_sequences(first: TokenStore, second: TokenStore, tokenizer: Tokenizer, length: int) -> PairSequences:
    """The pairs of two stores, document by document, each of at most `length` tokens.

    Raises:
        ModelError: the tokenizer cannot tell two texts apart.
        SettingsError: `length` leaves no room for two texts.
    """
    marks = pair_marks(tokenizer)
    whole = np.diff(first.offsets), np.diff(second.offsets)
    kept = longest_first(*whole, length - marks.special)
    windows = [beginnings(*each) for each in zip((first, second), whole, kept, strict=True)]
    return PairSequences(
        first, windows[0], marks.prefix, marks.suffix,
        other=second, other_windows=windows[1], middle=marks.middle, segments=marks.segments,
    )  # fmt: skip


def beginnings(store: TokenStore, whole: IntArray, kept: IntArray) -> Windows:
    """Of each document of a store, which has `whole` [N] tokens, the first `kept` [N]."""
    cut = int((whole - kept).sum())
    return Windows(np.array(store.offsets[:-1], dtype=np.int64), kept.astype(np.int32), cut, cut)


def _find(part: list[int], whole: list[int], begin: int) -> int | None:
    return next((at for at in range(begin, len(whole) - len(part) + 1) if whole[at : at + len(part)] == part), None)
