"""Which texts of a task belong together and which apart, as its kind tells: what vectors of texts are trained from. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray
from acclimate.errors import DataError, SettingsError, did_you_mean
from acclimate.tasks.split import Split

Shape = Literal["classes", "scored", "labelled", "ranked", "triplets"]
"""Of examples: a text with its class; two texts with a number, or with whether they belong together (1 or 0); an anchor, the text that
belongs to it, and perhaps some that do not; an anchor, one that belongs to it, and one that does not."""
TOGETHER = ("entail", "duplicate", "paraphrase", "equivalent", "same", "similar", "relevant", "match", "yes", "true", "1")
APART = ("contradict",)


class Told(NamedTuple):
    """What a user says of the relations of a task."""

    positive: tuple[str, ...] = ()
    """The labels of pairs that belong together; none: by their usual names."""
    hard_negatives: int = 1
    """Of an anchor at most."""


@dataclass(frozen=True, eq=False)
class Examples:
    """`n` examples of at most `k` texts each."""

    texts: tuple[str, ...]
    """[U] every text once."""
    rows: IntArray
    """[n, k] which text stands in each column of an example; -1: none."""
    gold: NDArray[Any]
    """[n] int64 classes, or float32 numbers; zeros where the columns say all."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, columns: Sequence[Sequence[str | None]], gold: NDArray[Any] | None = None, notes: tuple[str, ...] = ()) -> "Examples":
        """Examples from columns of texts [n]; None where an example has none there."""
        place: dict[str, int] = {}
        rows = [[-1 if text is None else place.setdefault(text, len(place)) for text in column] for column in columns]
        count = len(columns[0])
        return cls(tuple(place), np.array(rows, dtype=np.int64).T.reshape(count, -1), np.zeros(count) if gold is None else gold, notes)

    def led(self, first: str, others: str) -> "Examples":
        """The same with a prompt before the texts of the first column, and another before those of all others."""
        if not (first or others):
            return self
        led = [[None if row < 0 else prompt + self.texts[row] for row in column] for prompt, column in self._prompted(first, others)]
        return Examples.of(led, self.gold, self.notes)

    def _prompted(self, first: str, others: str) -> Sequence[tuple[str, IntArray]]:
        return [(others if number else first, column) for number, column in enumerate(self.rows.T)]


class Relation(Protocol):
    """How a kind of task says that texts belong together."""

    @property
    def sided(self) -> bool:
        """Whether the first text of an example asks, and the others answer."""

    def usual(self, names: tuple[str, ...]) -> str:
        """The loss that trains by it where nothing is said; `names` are those of the task."""

    def shapes(self) -> tuple[Shape, ...]:
        """The examples that can be made of it."""

    def check(self, names: tuple[str, ...], told: Told) -> None:
        """Refuse what is told of it and makes no sense.

        Raises:
            SettingsError: it makes none.
        """

    def examples(self, split: Split, shape: Shape, told: Told, train: Split) -> Examples:
        """Those of a split; what is found out of all texts, as the scale of scores, is that of `train`.

        Raises:
            DataError: there are none.
        """


@dataclass(frozen=True)
class ByClass:
    """Texts of one class belong together."""

    sided: bool = False

    def usual(self, names: tuple[str, ...]) -> str:
        """Contrast of classes."""
        return "from_labels"

    def shapes(self) -> tuple[Shape, ...]:
        """Texts with classes."""
        return ("classes",)

    def check(self, names: tuple[str, ...], told: Told) -> None:
        """There are no labels of pairs."""
        if told.positive:
            raise SettingsError("positive: names labels of pairs, and this task has labels of texts; leave it out")

    def examples(self, split: Split, shape: Shape, told: Told, train: Split) -> Examples:
        """Every text with its class."""
        classes = np.asarray(split.gold, dtype=np.int64)
        counts = np.bincount(classes)
        if (counts > 0).sum() < 2 or counts.max(initial=0) < 2:
            raise DataError("texts are told apart by their labels, and there are no two of one label beside one of another")
        return Examples.of([split.inputs[0]], classes)


@dataclass(frozen=True)
class ByScore:
    """The higher the score of two texts, the nearer they are."""

    sided: bool = False

    def usual(self, names: tuple[str, ...]) -> str:
        """The order of cosines is that of scores."""
        return "cosent"

    def shapes(self) -> tuple[Shape, ...]:
        """Pairs with numbers."""
        return ("scored",)

    def check(self, names: tuple[str, ...], told: Told) -> None:
        """There are no labels."""
        if told.positive:
            raise SettingsError("positive: names labels of pairs, and this task has scores; leave it out")

    def examples(self, split: Split, shape: Shape, told: Told, train: Split) -> Examples:
        """Every pair with its score, brought to 0 to 1 by the lowest and the highest of train."""
        scores = np.asarray(train.gold, dtype=np.float64)
        low, high = float(scores.min()), float(scores.max())
        if low == high:
            raise DataError(f"every score is {low:g}: there is nothing to learn from")
        within = (np.asarray(split.gold, dtype=np.float64) - low) / (high - low)
        return Examples.of(split.inputs, within.astype(np.float32))


@dataclass(frozen=True)
class ByLabel:
    """Two texts belong together where their label says so; one that contradicts a text is a hard negative of it."""

    sided: bool = True

    def usual(self, names: tuple[str, ...]) -> str:
        """The right text among all of a batch where pairs are entailed; else pairs together and apart."""
        return "multiple_negatives" if any(_begins(name, TOGETHER[:1]) for name in names) else "contrastive"

    def shapes(self) -> tuple[Shape, ...]:
        """All of pairs."""
        return ("labelled", "scored", "ranked", "triplets")

    def check(self, names: tuple[str, ...], told: Told) -> None:
        """The labels must be there, and some say that texts do not belong together."""
        if unknown := [name for name in told.positive if name not in names]:
            near = did_you_mean(unknown[0], list(names))
            raise SettingsError(f"positive: {unknown[0]!r} is no label of the task{near}; there are {', '.join(names)}")
        positive = self.positive(names, told)
        if not positive:
            raise SettingsError(
                f"none of the labels {', '.join(names)} is known to say that two texts belong together; say which, `positive: {names[0]}`"
            )
        if len(positive) == len(names):
            raise SettingsError("positive: every label says that two texts belong together, so nothing tells what does not")

    def positive(self, names: tuple[str, ...], told: Told) -> tuple[str, ...]:
        """The labels of pairs that belong together."""
        return told.positive or tuple(name for name in names if _begins(name, TOGETHER))

    def negative(self, names: tuple[str, ...], told: Told) -> tuple[str, ...]:
        """Those of pairs that do not: contradictions where there are such, else all others."""
        others = tuple(name for name in names if name not in self.positive(names, told))
        return tuple(name for name in others if _begins(name, APART)) or others

    def examples(self, split: Split, shape: Shape, told: Told, train: Split) -> Examples:
        """Pairs with 1 or 0; or those that belong together, each with texts that do not belong to its first one."""
        gold, names = np.asarray(split.gold), split.names
        sides = dict.fromkeys(self.positive(names, told), 1) | dict.fromkeys(self.negative(names, told), 0)
        side = np.array([sides.get(name, -1) for name in names], dtype=np.int64)[gold]
        unread = int((side < 0).sum())
        neither = ", ".join(name for name in names if name not in sides)
        notes = (f"{unread:,} of {len(gold):,} pairs are not learned from: {neither} says neither together nor apart",) if unread else ()
        if shape in ("labelled", "scored"):
            kept = np.flatnonzero(side >= 0)
            if len(set(side[kept].tolist())) < 2:
                raise DataError("the pairs belong all together, or all apart, so nothing tells the two from each other")
            return Examples.of(split.take(kept).inputs, side[kept].astype(np.float32), notes)
        most = 1 if shape == "triplets" else told.hard_negatives
        together, apart = split.take(np.flatnonzero(side == 1)).inputs, split.take(np.flatnonzero(side == 0)).inputs
        return ranked(list(zip(*together, strict=True)), list(zip(*apart, strict=True)), most, shape, notes)


def ranked(
    together: Sequence[tuple[str, str]], apart: Sequence[tuple[str, str]], most: int, shape: Shape, notes: tuple[str, ...] = ()
) -> Examples:
    """Anchors with their own texts, and with at most so many that do not belong to them; as triplets those alone that have such a one.

    Raises:
        DataError: there are none.
    """
    others: dict[str, list[str]] = {}
    for anchor, other in dict.fromkeys(apart):
        others.setdefault(anchor, []).append(other)
    pairs = list(dict.fromkeys(together))
    if shape == "triplets":
        pairs = [pair for pair in pairs if pair[0] in others]
        if not pairs:
            raise DataError("no text has one that belongs to it and one that does not, so there are no triplets")
    if not pairs:
        raise DataError("no two texts belong together, so there is nothing to learn from")
    found = [others.get(anchor, [])[:most] for anchor, _ in pairs]
    width = max(map(len, found))
    if not width and len({second for _, second in pairs}) < 2:
        raise DataError("all pairs have the same second text, so that no batch has a negative; give hard negatives, or other pairs")
    with_some, left = sum(map(bool, found)), sum(len(others.get(anchor, ())) > most for anchor, _ in pairs)
    if width:
        notes = (*notes, f"{with_some:,} of {len(pairs):,} pairs have hard negatives")
    if most and left:
        notes = (*notes, f"of {left:,} pairs only the first {most} of their hard negatives are read (`hard_negatives`)")
    columns: list[list[str | None]] = [[anchor for anchor, _ in pairs], [own for _, own in pairs]]
    columns += [[each[number] if number < len(each) else None for each in found] for number in range(width)]
    return Examples.of(columns, None, notes)


def _begins(name: str, words: tuple[str, ...]) -> bool:
    bare = name.strip().lower().removeprefix("is_")
    return any(bare == word if word.isdecimal() else bare.startswith(word) for word in words)
