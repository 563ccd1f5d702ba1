"""Prompts with their answers as sequences of a decoder, of which the answers alone are asked for.

A sequence is [begin] prompt answer [end]. To learn from, it is cut at its end, so that of a long prompt no answer may be left; to judge by,
the prompt is cut at its beginning, so that the answer, and what stands directly before it, is there.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acclimate.data.batches import TARGET_INDEX, Batch
from acclimate.data.ragged import IntArray, offsets_of, ranges
from acclimate.data.tokens import TokenStore
from acclimate.errors import DataError

MOST_LOST = 0.1  # share of the answers that may be cut away entirely
OF_ANSWER = "target_answer"  # of every token that is asked for, whose answer it is of


@dataclass(frozen=True, eq=False)
class Completions:
    """`N` prompts and answers, in tokens."""

    prompts: TokenStore
    answers: TokenStore
    prompt_begin: IntArray
    """[N] first token of the prompt that is read, counted in the store."""
    prompt_length: IntArray
    answer_length: IntArray
    """[N] tokens of the answer that are read; 0 where nothing of it is."""
    ended: npt.NDArray[np.bool_]
    """[N] whether the end of the answer is read, too."""
    begin: tuple[int, ...]
    """The token before each prompt; none where prompts bring it."""
    end: int | None
    """The token behind each answer; None where answers bring it."""
    unknown: int | None = None
    """What no answer holds and so is never asked for."""

    @classmethod
    def learned(
        cls, prompts: TokenStore, answers: TokenStore, begin: tuple[int, ...], end: int | None, length: int, unknown: int | None
    ) -> "Completions":
        """Cut to `length` tokens at their end."""
        whole, wanted = np.diff(prompts.offsets), np.diff(answers.offsets)
        kept = np.minimum(whole, length - len(begin))
        answer = np.minimum(wanted, length - len(begin) - kept)
        ended = (answer == wanted) & (len(begin) + kept + answer < length) & (end is not None)
        return cls(prompts, answers, np.array(prompts.offsets[:-1]), kept, answer, ended, begin, end, unknown)

    @classmethod
    def judged(
        cls, prompts: TokenStore, answers: TokenStore, begin: tuple[int, ...], end: int | None, length: int, unknown: int | None
    ) -> "Completions":
        """Prompts cut at their beginning to what answers leave of `length`; an answer leaves a token of its prompt at least."""
        whole, wanted = np.diff(prompts.offsets), np.diff(answers.offsets)
        answer = np.minimum(wanted, length - len(begin) - 1)
        ended = (answer == wanted) & (len(begin) + answer + 1 < length) & (end is not None)
        kept = np.minimum(whole, length - len(begin) - answer - ended)
        return cls(prompts, answers, prompts.offsets[1:] - kept, kept, answer, ended, begin, end, unknown)

    def __len__(self) -> int:
        return len(self.answer_length)

    @property
    def lengths(self) -> IntArray:
        """[N] tokens."""
        return len(self.begin) + self.prompt_length + self.answer_length + self.ended

    @property
    def answered(self) -> IntArray:
        """The rows of which something of the answer is read."""
        return np.flatnonzero(self.answer_length > 0)

    @property
    def cut_prompts(self) -> int:
        """How many prompts are not read whole."""
        return int((self.prompt_length < np.diff(self.prompts.offsets)).sum())

    @property
    def cut_answers(self) -> int:
        """How many answers are not read whole, those of which nothing is read among them."""
        return int((self.answer_length < np.diff(self.answers.offsets)).sum())

    @property
    def lost(self) -> int:
        """How many answers are cut away entirely."""
        return len(self) - len(self.answered)

    @property
    def share_read(self) -> npt.NDArray[np.float64]:
        """[N] of each answer the share of its tokens that is read."""
        return np.asarray(self.answer_length / np.maximum(np.diff(self.answers.offsets), 1), dtype=np.float64)

    def refuse_lost(self, length: int) -> None:
        """Refuse a window that cuts many answers away entirely.

        Raises:
            DataError: it does.
        """
        if self.lost > MOST_LOST * len(self):
            raise DataError(
                f"max_length: of {self.lost:,} of {len(self):,} training prompts nothing of the answer is left in {length:,} tokens, which "
                "they fill themselves — raise `max_length`, or shorten the prompts "
                f"(up to {100 * MOST_LOST:.0f} % are left out, and counted)"
            )

    def batch(self, indices: npt.NDArray[np.integer]) -> Batch:
        """The flat batch of these; targets: `target_index`, `target_ids` and `target_answer` [M]."""
        rows = np.asarray(indices, dtype=np.int64)
        prompt, answer, ended = self.prompt_length[rows], self.answer_length[rows], self.ended[rows].astype(np.int64)
        offsets = offsets_of(self.lengths[rows])
        ids = np.empty(offsets[-1], dtype=np.int64)
        ids[offsets[:-1, None] + np.arange(len(self.begin))] = np.asarray(self.begin, dtype=np.int64)
        first = offsets[:-1] + len(self.begin)
        ids[ranges(first, prompt)] = self.prompts.tokens[ranges(self.prompt_begin[rows], prompt)]
        ids[ranges(first + prompt, answer)] = self.answers.tokens[ranges(self.answers.offsets[:-1][rows], answer)]
        if self.end is not None:
            ids[(offsets[1:] - 1)[ended > 0]] = self.end
        asked = answer + ended
        index = ranges(first + prompt - 1, asked)
        target = ids[index + 1]
        known = np.ones(len(index), dtype=np.bool_) if self.unknown is None else target != self.unknown
        known &= index >= np.repeat(offsets[:-1], asked)  # nothing stands before a first token
        targets = {TARGET_INDEX: index[known], "target_ids": target[known], OF_ANSWER: np.repeat(rows, asked)[known]}
        position_ids = np.arange(len(ids)) - np.repeat(offsets[:-1], np.diff(offsets))
        return Batch(ids, position_ids, offsets, targets=targets)

    def prompt(self, row: int, room: int) -> IntArray:
        """The tokens before an answer, its last `room` at most: what an answer is written to."""
        return prompt_of(self.prompts, row, self.begin, room)


def prompt_of(prompts: TokenStore, row: int, begin: tuple[int, ...], room: int) -> IntArray:
    """The tokens of a prompt behind those that begin it, its last `room` at most."""
    store = prompts[row].astype(np.int64)
    kept = max(0, room - len(begin))
    return np.concatenate([np.asarray(begin, dtype=np.int64), store[len(store) - min(kept, len(store)) :]])
