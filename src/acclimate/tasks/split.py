"""The examples of one split: columns of text, what is right for each, and where each stands in the files."""

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.digests import TextDigest
from acclimate.data.ragged import Ragged

if TYPE_CHECKING:  # a collection is told apart by digests of texts, too
    from acclimate.tasks.collection import Collection

Column = NDArray[Any] | Ragged | tuple[str, ...]
"""Values whose first axis are the items: numbers or vectors, rows of different lengths, or texts."""
Answers = Mapping[str, Column]
"""What a model says of the items of a split: the columns that its kind of task gives a file of predictions."""


@dataclass(frozen=True, eq=False)
class Split:
    """Items of one split, N of them; every column is in the same order."""

    inputs: tuple[tuple[str, ...], ...]
    """Columns of text [N]: one, or the two of a pair."""
    gold: Column
    """What is right, as the kind of task has it: int64 [N] into the task's names, bool [N, L], ..."""
    index: NDArray[np.int64]
    """[N] row in the source files, from 0, bad rows counted too."""
    files: tuple[Path, ...]
    groups: tuple[str, ...] | None = None
    """[N] what each belongs to; None where all stand by themselves."""
    names: tuple[str, ...] = ()
    """The classes, tags, ... that gold points into, where there are any."""
    words: Ragged | None = None
    """[N] rows of [W, 2]: where each word of the (only) text begins and ends, in characters, where every word is asked about; else None."""

    collection: "Collection | None" = None
    """The documents that are searched, into which gold points, where some are; else None."""

    plain: tuple[str, ...] | None = None
    """[N] the (only) text of each as people read it, where what is asked has a form besides, such as a conversation's; else None."""

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[np.integer]) -> "Split":
        """These rows, in this order."""
        chosen = rows.tolist()
        inputs = tuple(tuple(column[row] for row in chosen) for column in self.inputs)
        groups = None if self.groups is None else tuple(self.groups[row] for row in chosen)
        words = None if self.words is None else self.words.take(rows)
        plain = None if self.plain is None else tuple(self.plain[row] for row in chosen)
        return Split(inputs, taken(self.gold, rows), self.index[rows], self.files, groups, self.names, words, self.collection, plain)

    def keys(self) -> Sequence[Hashable]:
        """[N] what makes two items the same, whatever is said of them: for duplicates and leaks."""
        return self.inputs[0] if len(self.inputs) == 1 else tuple(zip(*self.inputs, strict=True))

    def shown(self, row: int) -> str:
        """An item's texts, one behind the other."""
        return " | ".join(column[row] for column in self.inputs)

    @property
    def document_groups(self) -> tuple[str, ...] | None:
        """The group of each text of `documents`."""
        return None if self.groups is None else tuple(group for group in self.groups for _ in self.inputs)

    def documents(self) -> Iterator[str]:
        """Every text once, item by item, as people read it: what a corpus of the task's texts reads, and what leaks are sought by."""
        return iter(self.plain) if self.plain is not None else self._texts()

    def _texts(self) -> Iterator[str]:
        return iter(self.inputs[0]) if len(self.inputs) == 1 else (text for item in zip(*self.inputs, strict=True) for text in item)

    @cached_property
    def text_fingerprint(self) -> str:
        """SHA-256 of the texts as they are asked."""
        return text_digest(self._texts())

    @cached_property
    def documents_fingerprint(self) -> str:
        """SHA-256 of what a corpus reads: `documents`, and where there are groups these, for they are held out as wholes."""
        return with_groups(self.text_fingerprint if self.plain is None else text_digest(self.plain), self.groups)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of texts, gold and row numbers."""
        digest = hashlib.sha256(self.text_fingerprint.encode())
        digest.update(column_bytes(self.gold))
        digest.update(self.index.astype("<i8").tobytes())
        if self.words is not None:
            digest.update(column_bytes(self.words))
        if self.collection is not None:
            digest.update(self.collection.fingerprint.encode())
        return digest.hexdigest()


def taken(column: Column, rows: NDArray[np.integer]) -> Column:
    """These rows of a column, in this order."""
    if isinstance(column, tuple):
        return tuple(column[row] for row in rows.tolist())
    return column.take(rows) if isinstance(column, Ragged) else column[rows]


def column_bytes(column: Column) -> bytes:
    """A column as bytes that tell it from every other one, on every machine."""
    if isinstance(column, tuple):
        return text_digest(column).encode()
    if isinstance(column, Ragged):
        return column_bytes(column.offsets) + column_bytes(column.values)
    if column.ndim == 1 and np.issubdtype(column.dtype, np.integer):
        return column.astype("<i8").tobytes()
    known = column.astype("|b1") if column.dtype == np.bool_ else column.astype("<f8")
    return repr(known.shape).encode() + known.tobytes()


def with_groups(fingerprint: str, groups: Sequence[str] | None) -> str:
    """A fingerprint that tells apart what differs in groups alone; where there are none, as it is."""
    return fingerprint if groups is None else hashlib.sha256(f"{fingerprint} {text_digest(groups)}".encode()).hexdigest()


def text_digest(texts: Iterable[str]) -> str:
    """SHA-256 of texts in order."""
    digest = TextDigest()
    for text in texts:
        digest.add(text)
    return digest.hexdigest()
