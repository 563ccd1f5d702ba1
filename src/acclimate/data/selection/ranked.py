"""Documents in the order in which they are chosen, kept while they are streamed by: the best of all, or the nearest of each text."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray

Floats = NDArray[np.float64]
MOST_LISTED = 1 << 22  # documents, over all texts to which they are near: some 64 MB, and several times that while lists are compared
IN_COMMON = 16  # texts that may have a document in common before documents are looked at once more
KEPT = 1 << 20  # documents that are kept without looking whether they are still among the best


class Budget(NamedTuple):
    """How much is chosen; one of both."""

    tokens: int | None
    documents: int | None

    def first(self, tokens: IntArray) -> int:
        """How many documents of `tokens` [N] words and marks, the best first, are chosen: the last one may reach beyond the budget."""
        if self.documents is not None:
            return min(self.documents, len(tokens))
        return min(len(tokens), int(np.searchsorted(np.cumsum(tokens), self.tokens or 0)) + 1)

    def filled(self, tokens: IntArray) -> bool:
        """Whether documents of `tokens` [N] are enough."""
        return len(tokens) >= self.documents if self.documents is not None else int(tokens.sum()) >= (self.tokens or 0)


class Choice(NamedTuple):
    """`N` chosen documents, the first choice first."""

    numbers: IntArray
    """[N] counted over all corpora from 0."""
    scores: Floats
    """[N] the higher the better, where `near` says nothing: those of different texts are not on one scale."""
    tokens: IntArray
    """[N] words and marks."""
    near: IntArray | None = None
    """[N] the text (of those that they are to be like) to which each is near."""
    rank: IntArray | None = None
    """[N] as the how manyth nearest of that text, from 1."""


class Size(NamedTuple):
    """Of all candidates together."""

    documents: int
    words: int
    """And marks."""


class Best:
    """The documents with the highest scores; ties go to the earlier one."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._parts: list[Choice] = []
        self._kept = self._settled = 0

    def add(self, numbers: IntArray, scores: Floats, tokens: IntArray) -> None:
        """More documents [N]."""
        self._parts.append(Choice(numbers, scores, tokens))
        self._kept += len(numbers)
        if self._kept > max(KEPT, 2 * self._settled):
            self._parts = [self.chosen()]
            self._kept = self._settled = len(self._parts[0].numbers)

    def chosen(self) -> Choice:
        """Those of the documents so far that fill the budget."""
        if not self._parts:
            return Choice(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
        numbers, scores, tokens = (np.concatenate([part[place] for part in self._parts]) for place in range(3))
        order = np.lexsort((numbers, -scores))
        order = order[: self._budget.first(tokens[order])]
        return Choice(numbers[order], scores[order], tokens[order])


class Nearest:
    """Of each of `Q` texts the `K` nearest documents; ties go to the earlier one."""

    def __init__(self, texts: int, most: int) -> None:
        self._most = most
        self._numbers = np.full((texts, most), -1, dtype=np.int64)
        self._scores = np.full((texts, most), -np.inf, dtype=np.float32)
        self._tokens = np.zeros((texts, most), dtype=np.int32)

    def add(self, first: int, scores: NDArray[np.float32], numbers: IntArray, tokens: IntArray) -> None:
        """The scores [q, N] of more documents [N] for the texts from `first` on; -inf says that it has nothing to do with it."""
        rows = slice(first, first + len(scores))
        if scores.shape[1] > self._most:
            places = np.sort(np.argpartition(-scores, self._most - 1, axis=1)[:, : self._most], axis=1)
            scores = np.take_along_axis(scores, places, axis=1)
        else:
            places = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
        every = np.concatenate([self._scores[rows], scores], axis=1)
        order = np.argsort(-every, axis=1, kind="stable")[:, : self._most]  # what was there before is earlier
        for kept, new in ((self._numbers, numbers[places]), (self._tokens, tokens.astype(np.int32)[places])):
            kept[rows] = np.take_along_axis(np.concatenate([kept[rows], new], axis=1), order, axis=1)
        self._scores[rows] = np.take_along_axis(every, order, axis=1)

    def chosen(self, budget: Budget) -> Choice:
        """The nearest document of every text, then the second nearest of every one, ..., each once, until the budget is full."""
        there = np.isfinite(self._scores)
        near, rank = np.nonzero(there)
        numbers, scores, tokens = self._numbers[there], self._scores[there].astype(np.float64), self._tokens[there].astype(np.int64)
        order = np.lexsort((numbers, -scores, rank))
        _, first = np.unique(numbers[order], return_index=True)
        order = order[np.sort(first)]
        order = order[: budget.first(tokens[order])]
        return Choice(numbers[order], scores[order], tokens[order], near[order], rank[order] + 1)

    def full(self, budget: Budget) -> bool:
        """Whether so many of each text are enough."""
        return budget.filled(self.chosen(budget).tokens)


def nearest_of_each(texts: int, size: Size, budget: Budget, see: Callable[[Nearest], None]) -> Choice:
    """The nearest documents of each of so many texts that fill the budget; `see` shows all documents to what it is given.

    How many of each are needed shows when their lists are laid together, so they are seen once more where the lists were too short.
    """
    most, longest = first_guess(texts, size, budget), min(size.documents, max(1, MOST_LISTED // texts))
    while True:
        nearest = Nearest(texts, min(most, longest))
        see(nearest)
        if most >= longest or nearest.full(budget):
            return nearest.chosen(budget)
        most *= 4


def first_guess(texts: int, size: Size, budget: Budget) -> int:
    """Documents of each text that should be enough: many times those that it would take if no two texts had one in common.

    Long lists cost little, and short ones another pass.
    """
    wanted = budget.documents if budget.documents is not None else (budget.tokens or 0) * size.documents / max(1, size.words)
    return int(np.clip(IN_COMMON * wanted / texts, 8, max(8, size.documents)))
