"""Flat, padding-free batches, and which sequences stand in the batch of a step.

    T tokens, B sequences, M target positions

    input_ids      [T]    all sequences one after the other
    position_ids   [T]    restart in each sequence
    token_type_ids [T]    for pairs, else None
    offsets        [B+1]  where each sequence begins; attention never crosses them
    hidden         [T, D] what frozen layers give, or [B, D] where one row a sequence is enough, else None
    targets               name -> array; a name that begins with `target_` has a row a target position, any other a row a sequence

The batch of a step is a pure function of (seed, step): there is no loader state to save, and resuming is starting at step n.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from acclimate.data.ragged import IntArray, offsets_of, ranges
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows
from acclimate.errors import DataError, SettingsError
from acclimate.randomness import generator

if TYPE_CHECKING:
    from acclimate.data.in_turn import Stepwise

TARGET_INDEX = "target_index"
PER_POSITION = "target_"


@dataclass(frozen=True, eq=False)
class Batch:
    """A flat stream of `T` tokens in `B` sequences, with what is to be predicted."""

    input_ids: IntArray
    """[T] token ids, sequences one after the other, special tokens included."""
    position_ids: IntArray
    """[T] position in its sequence, from 0."""
    offsets: IntArray
    """[B+1] where each sequence begins; the last entry is T."""
    token_type_ids: IntArray | None = None
    """[T] segment of a pair, or None for single texts."""
    targets: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    """`target_index` [M], ascending, into T; other `target_*` [M, ...] beside it; any other name [B, ...]."""
    hidden: npt.NDArray[np.float32] | None = None
    """[T, D] what frozen layers give, or [B, D] where one row a sequence is enough, else None."""

    def __post_init__(self) -> None:
        assert self.hidden is None or len(self.hidden) in (self.tokens, self.sequences)
        assert self.offsets[0] == 0
        assert self.offsets[-1] == len(self.input_ids) == len(self.position_ids)
        assert self.token_type_ids is None or len(self.token_type_ids) == len(self.input_ids)
        for name, values in self.targets.items():
            rows = len(self.targets[TARGET_INDEX]) if name.startswith(PER_POSITION) else self.sequences
            assert len(values) == rows, f"target {name} has {len(values)} rows where {rows} were wanted"

    @property
    def sequences(self) -> int:
        """B."""
        return len(self.offsets) - 1

    @property
    def tokens(self) -> int:
        """T."""
        return len(self.input_ids)

    @property
    def lengths(self) -> IntArray:
        """[B] tokens of each sequence."""
        return np.diff(self.offsets)

    def select(self, sequences: npt.NDArray[np.integer]) -> "Batch":
        """The batch of these sequences in this order, each at most once; offsets and target positions count from its own start."""
        sequences = np.asarray(sequences, dtype=np.int64)
        lengths = self.lengths[sequences]
        offsets = offsets_of(lengths)
        index = ranges(self.offsets[sequences], lengths)
        targets = {name: values[sequences] for name, values in self.targets.items() if not name.startswith(PER_POSITION)}
        if TARGET_INDEX in self.targets:
            # Ascending positions make the targets of a sequence one slice, so they are gathered just as tokens are.
            target_offsets = np.searchsorted(self.targets[TARGET_INDEX], self.offsets)
            counts = np.diff(target_offsets)[sequences]
            rows = ranges(target_offsets[sequences], counts)
            targets |= {name: values[rows] for name, values in self.targets.items() if name.startswith(PER_POSITION)}
            targets[TARGET_INDEX] = targets[TARGET_INDEX] + np.repeat(offsets[:-1] - self.offsets[sequences], counts)
        return Batch(
            input_ids=self.input_ids[index],
            position_ids=self.position_ids[index],
            offsets=offsets,
            token_type_ids=None if self.token_type_ids is None else self.token_type_ids[index],
            targets=targets,
            hidden=None if self.hidden is None else self.hidden[index if len(self.hidden) == self.tokens else sequences],
        )

    def micro(self, max_tokens: int) -> "list[Batch]":
        """Consecutive sequences in parts of at most `max_tokens` tokens; a longer sequence is a part by itself.

        An empty batch has no parts.
        """
        bounds = _cut(self.lengths, max_tokens)
        if len(bounds) == 2:
            return [self]
        return [self.select(np.arange(begin, end)) for begin, end in pairwise(bounds)]

    def shard(self, rank: int, world: int) -> "Batch":
        """The part of device `rank` of `world`: every world-th sequence. Empty when there are more devices than sequences."""
        assert 0 <= rank < world
        return self if world == 1 else self.select(np.arange(rank, self.sequences, world))


def assemble(
    store: TokenStore,
    windows: Windows,
    indices: npt.NDArray[np.integer],
    prefix: Sequence[int],
    suffix: Sequence[int],
    targets: Mapping[str, npt.NDArray[np.generic]] | None = None,
    hidden: npt.NDArray[np.float32] | None = None,
) -> Batch:
    """The batch of the windows `indices` [B], each between the special tokens `prefix` and `suffix`.

    `targets` and `hidden` are already those of `indices`, row by row, e.g. `{"labels": task_labels[indices]}`.
    """
    indices = np.asarray(indices, dtype=np.int64)
    text_lengths = windows.length[indices].astype(np.int64)
    offsets = offsets_of(text_lengths + len(prefix) + len(suffix))
    input_ids = np.empty(offsets[-1], dtype=np.int64)
    input_ids[ranges(offsets[:-1] + len(prefix), text_lengths)] = store.tokens[ranges(windows.start[indices], text_lengths)]
    input_ids[offsets[:-1, None] + np.arange(len(prefix))] = np.asarray(prefix, dtype=np.int64)
    input_ids[offsets[1:, None] - len(suffix) + np.arange(len(suffix))] = np.asarray(suffix, dtype=np.int64)
    position_ids = np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))
    return Batch(input_ids=input_ids, position_ids=position_ids, offsets=offsets, targets=dict(targets or {}), hidden=hidden)


def woven(
    parts: Sequence[int | tuple[TokenStore, Windows]], indices: npt.NDArray[np.integer]
) -> tuple[IntArray, IntArray, IntArray]:  # fmt: skip
    """Sequences of `P` parts, each a token that all have, or the window of each in a store: (ids [T], begin of each part, its length).

    `indices` [B] are those of the windows; begins, counted through the batch, and lengths are [B, P].
    """
    rows = np.asarray(indices, dtype=np.int64)
    ones = np.ones(len(rows), dtype=np.int64)
    lengths_BP: IntArray = np.stack([ones if isinstance(part, int) else part[1].length[rows] for part in parts], axis=1)
    begins = offsets_of(lengths_BP.ravel())
    starts_BP = begins[:-1].reshape(lengths_BP.shape)
    ids = np.empty(begins[-1], dtype=np.int64)
    for part, starts, lengths in zip(parts, starts_BP.T, lengths_BP.T, strict=True):
        if isinstance(part, int):
            ids[starts] = part
        else:
            store, windows = part
            ids[ranges(starts, lengths)] = store.tokens[ranges(windows.start[rows], lengths)]
    return ids, starts_BP, lengths_BP


class Order:
    """Which sequences stand in the batch of a step: a pure function of (seed, step), each sequence exactly once an epoch.

    The permutations of the last two epochs are kept, so any step, also the first after a resume, costs one permutation at most.
    """

    batches_per_epoch: int

    def __init__(self, sequences: int, seed: int) -> None:
        if sequences == 0:
            raise DataError("there is no text to train on: not one sequence is left after tokenisation")
        self._sequences = sequences
        self._seed = seed
        # One tuple, replaced as a whole: a thread that prepares batches ahead never sees it half changed.
        self._recent: tuple[tuple[int, IntArray, IntArray], ...] = ()

    def batch(self, step: int) -> IntArray:
        """The indices [B] of the sequences of step `step`, counted from 0 through all epochs."""
        assert step >= 0
        epoch, number = divmod(step, self.batches_per_epoch)
        permutation, bounds = self._epoch(epoch)
        return permutation[bounds[number] : bounds[number + 1]]

    def _epoch(self, epoch: int) -> tuple[IntArray, IntArray]:
        for known, permutation, bounds in self._recent:
            if known == epoch:
                return permutation, bounds
        permutation = self._ordered(epoch)
        permutation.setflags(write=False)  # a batch is a view of it
        bounds = self._bounds(permutation)
        self._recent = ((epoch, permutation, bounds), *self._recent[:1])
        return permutation, bounds

    def _ordered(self, epoch: int) -> IntArray:
        """[N] the sequences of an epoch, one after the other."""
        return generator(self._seed, "order", epoch).permutation(self._sequences)

    def _bounds(self, permutation: IntArray) -> IntArray:
        """[batches_per_epoch + 1] where each batch begins in the permutation."""
        raise NotImplementedError


class TokenOrder(Order):
    """Batches of about `batch_tokens` tokens, none empty and the number of batches the same in each epoch: for pretraining.

    The shuffled sequences are one stream of tokens that is divided into equal cells, `total // batch_tokens` of them; a sequence belongs
    to the cell in which it begins. Cells are thus at least `batch_tokens` wide (so each holds a beginning), and a batch differs from its
    cell by less than one sequence.
    """

    def __init__(self, lengths: npt.NDArray[np.integer], batch_tokens: int, seed: int) -> None:
        """`lengths` [N]: tokens of each sequence, special tokens included.

        Raises:
            SettingsError: a sequence is longer than `batch_tokens`.
            DataError: there are no sequences.
        """
        super().__init__(len(lengths), seed)
        self._lengths = np.asarray(lengths, dtype=np.int64)
        longest, total = int(self._lengths.max()), int(self._lengths.sum())
        assert self._lengths.min() > 0
        if longest > batch_tokens:
            raise SettingsError(
                f"batch_tokens: {batch_tokens} is less than the longest sequence ({longest} tokens with its special tokens) — "
                f"set batch_tokens to {longest} or more, or max_length to {batch_tokens} or less"
            )
        self.batches_per_epoch = max(1, total // batch_tokens)
        # Cell k begins at token ceil(k * total / K), written so that nothing overflows for the largest corpora.
        quotient, remainder = divmod(total, self.batches_per_epoch)
        cells = np.arange(self.batches_per_epoch, dtype=np.int64)
        self._cell_starts = cells * quotient - (-cells * remainder // self.batches_per_epoch)

    def _bounds(self, permutation: IntArray) -> IntArray:
        starts = offsets_of(self._lengths[permutation])[:-1]
        return np.append(np.searchsorted(starts, self._cell_starts), self._sequences)


class RampedOrder:
    """Batches that grow: parts of a batch at first, after `ramp` steps all `parts` of it (Smith et al. 2018; Geiping & Goldstein 2022).

    Small batches make many steps of few tokens while there is much to learn from each; a part is a batch of the `TokenOrder` below.
    """

    def __init__(self, order: "Stepwise", parts: int, ramp: int) -> None:
        assert parts > 0
        assert ramp >= 0
        self._order = order
        self._parts = parts
        self._firsts = np.concatenate([[0], np.cumsum(self.sizes(parts, ramp))])  # [ramp + 1] the part that each step begins with

    @staticmethod
    def sizes(parts: int, ramp: int) -> IntArray:
        """[ramp] how many parts each of the growing batches has."""
        return 1 + np.arange(ramp, dtype=np.int64) * parts // max(1, ramp)

    @staticmethod
    def steps(all_parts: int, parts: int, ramp_share: float) -> int:
        """How many steps take about so many parts in all, when they grow over this share of the steps."""
        return max(1, round(all_parts / (parts * (1.0 - ramp_share) + ramp_share * (parts + 1) / 2)))

    def parts_until(self, step: int) -> int:
        """Parts that all steps before `step` take together."""
        ramp = len(self._firsts) - 1
        return int(self._firsts[step]) if step <= ramp else int(self._firsts[ramp]) + self._parts * (step - ramp)

    def batch(self, step: int) -> IntArray:
        """The indices [B] of the sequences of step `step`, counted from 0 through all epochs."""
        return np.concatenate([self._order.batch(part) for part in range(self.parts_until(step), self.parts_until(step + 1))])


class CountOrder(Order):
    """Batches of `batch_size` sequences, the last of an epoch with what is left: for fine-tuning."""

    def __init__(self, n: int, batch_size: int, seed: int) -> None:
        """`n` sequences in batches of `batch_size`.

        Raises:
            DataError: there are no sequences.
        """
        super().__init__(n, seed)
        assert batch_size > 0
        self.batches_per_epoch = -(-n // batch_size)
        self._ends = np.minimum(np.arange(self.batches_per_epoch + 1, dtype=np.int64) * batch_size, n)

    def _bounds(self, permutation: IntArray) -> IntArray:
        return self._ends


def evaluation_batches(lengths: npt.NDArray[np.integer], max_tokens: int) -> list[IntArray]:
    """Every index of `lengths` [N] once, longest first, in batches of at most `max_tokens` tokens (a longer sequence is alone).

    Equal lengths are neighbours, which is what the attention of packed batches likes best; and when memory is too small, the first batch
    tells.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    bounds = _cut(np.asarray(lengths, dtype=np.int64)[order], max_tokens)
    return [order[begin:end] for begin, end in pairwise(bounds)]


def _cut(lengths: IntArray, max_tokens: int) -> list[int]:
    """Bounds of consecutive runs that hold at most `max_tokens` tokens, or one sequence that is longer."""
    assert max_tokens > 0
    ends = np.cumsum(lengths)
    bounds = [0]
    while bounds[-1] < len(lengths):
        begin = bounds[-1]
        used = int(ends[begin - 1]) if begin else 0
        bounds.append(max(begin + 1, int(np.searchsorted(ends, used + max_tokens, side="right"))))
    return bounds
