"""What a distillation reads: texts, or pairs, that a teacher is asked about and a student learns from, with the labels that are known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.corpus import Corpus
from acclimate.data.found_words import found_words
from acclimate.data.mixture import Mixture, read_of, shares
from acclimate.data.model_inputs import sequences_of, text_windows, word_sequences
from acclimate.data.ragged import IntArray, Ragged, offsets_of, ranges
from acclimate.data.sequences import Sequences
from acclimate.files import digest_json
from acclimate.randomness import generator
from acclimate.stages.base import Context
from acclimate.tasks.kind import Form
from acclimate.tasks.opened import Data
from acclimate.tasks.split import Split, column_bytes, text_digest
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

TASK = "task"


@dataclass(frozen=True, eq=False)
class Items:
    """The items of one corpus, or of several one after the other, each of one text or two."""

    columns: tuple[tuple[Corpus, ...], ...]
    """The corpora of each column of text."""
    texts: tuple[str, ...] | None = None
    """Where every word is asked about, the texts themselves, and"""
    words: Ragged | None = None
    """where the words of each stand, as in `Split.words`."""

    @cached_property
    def count(self) -> int:
        """How many there are; of a corpus in files they are read."""
        return len(self.texts) if self.texts is not None else sum(1 for corpus in self.columns[0] for _ in corpus.documents())

    def taken(self, rows: IntArray) -> "Items":
        """Those of these numbers, ascending; they stand in memory."""
        chosen, digest = set(rows.tolist()), digest_json(["items", self.fingerprint, rows.tolist()])
        columns = []
        for number, column in enumerate(self.columns):
            documents = enumerate(chain.from_iterable(corpus.documents() for corpus in column))
            columns.append((Corpus.of_texts(column[0].name, (text for row, text in documents if row in chosen), f"{digest} {number}"),))
        texts = None if self.texts is None else tuple(self.texts[row] for row in rows.tolist())
        return Items(tuple(columns), texts, None if self.words is None else self.words.take(rows))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the texts and their words."""
        words = None if self.words is None else text_digest([column_bytes(self.words).hex()])
        return digest_json([[corpus.fingerprint for corpus in column] for column in self.columns] + [words])

    def read(self, context: Context, folder: "ModelFolder", length: int, stride: int | None) -> Sequences:
        """As a model reads them: cut to `length` tokens, in windows that overlap by `stride`, or every word asked about."""
        stores, tokenizer = [context.joined(column, folder) for column in self.columns], folder.tokenizer()
        if self.words is not None:
            assert self.texts is not None
            return word_sequences(stores[0], tokenizer, self.texts, self.words, length, stride, folder.by_last_piece)
        return sequences_of(stores, tokenizer, length) if stride is None else text_windows(stores[0], tokenizer, length, stride)


@dataclass(frozen=True, eq=False)
class TransferText:
    """The text that is transferred: corpora, or parts of these, and which of their items stand in an epoch and have a label."""

    parts: tuple[Items, ...]
    """By corpus."""
    counts: tuple[int, ...]
    """Items of each."""
    read: IntArray
    """[R] the items of an epoch, counted through all parts; an item may stand there several times."""
    row: IntArray
    """[items] which row of the whole training split each is; -1 where it is none."""

    @classmethod
    def of(cls, mixture: Mixture, most: int | None, form: Form, context: Context, apart: bool = False) -> Self:
        """The text of a stage that reads at most so many items of each corpus; where each text is an item by itself (`apart`), no label
        is looked at, and no task is needed."""
        whole = None if apart else context.data.task
        columns = 1 if whole is None else whole.kind.texts()
        parts, read, row = list[Items](), list[IntArray](), list[IntArray]()
        counts: list[int] = []
        for name, share in shares(mixture).items():
            task = whole if name == TASK else None
            every = _corpus_items(context.data.documents(name), form, columns) if task is None else _task_items(task, context, form)
            count = every.count
            kept = np.sort(generator("share of a corpus", name).permutation(count)[: read_of(count, share, most)])
            parts.append(every if len(kept) == count else every.taken(kept))
            read.append(sum(counts) + repeated(len(kept), share, name))
            row.append(np.full(len(kept), -1) if task is None else np.where(kept < len(task.train), kept, -1))
            counts.append(len(kept))
        return cls(tuple(parts), tuple(counts), np.concatenate(read), np.concatenate(row).astype(np.int64))

    @cached_property
    def whole(self) -> Items:
        """All items as one."""
        if len(self.parts) == 1:
            return self.parts[0]
        columns = tuple(tuple(chain.from_iterable(column)) for column in zip(*(part.columns for part in self.parts), strict=True))
        if self.parts[0].words is None:
            return Items(columns)
        words = [part.words for part in self.parts if part.words is not None]
        return Items(columns, tuple(text for part in self.parts for text in part.texts or ()), joined(words))

    def sequences(self, texts: Sequences) -> IntArray:
        """[R] the sequences of an epoch: the items themselves, or all their windows."""
        if texts.document is None:
            return self.read
        first = texts.windows_of_text[self.read]
        return ranges(first, texts.windows_of_text[self.read + 1] - first)

    def labelled(self, data: Data, task: Task) -> NDArray[np.bool_]:
        """[items] which have a label within the budget of `task`."""
        assert data.task is not None
        return (self.row >= 0) & np.isin(data.task.train.index[self.row], task.train.index)

    def gold(self, data: Data, task: Task) -> tuple[Split, NDArray[np.bool_]]:
        """A split of all items with what is right, where they stand in train; and which items, or words, have a label that may be used."""
        assert data.task is not None
        train, known = data.task.train, self.labelled(data, task)
        there = np.flatnonzero(self.row >= 0)
        if isinstance(train.gold, Ragged):
            words = self.whole.words
            assert words is not None
            tags = np.zeros(len(words.values), dtype=train.gold.values.dtype)
            tags[ranges(words.offsets[there], words.lengths[there])] = train.gold.take(self.row[there]).values
            return _bare(train, Ragged(tags, words.offsets)), np.repeat(known, words.lengths)
        column = np.asarray(train.gold)
        values = np.zeros((len(self.row), *column.shape[1:]), dtype=column.dtype)
        values[there] = column[self.row[there]]
        return _bare(train, values), known


def repeated(count: int, share: float, name: str) -> IntArray:
    """[R] the items in an epoch that reads them so often: 2.25 is all twice, and a fixed quarter a third time; of less than 1 they are few
    already."""
    times, rest = divmod(max(1.0, share), 1.0)
    part = np.sort(generator("share of a corpus", name).permutation(count)[: round(rest * count)])
    return np.concatenate([np.tile(np.arange(count), int(times)), part]).astype(np.int64)


def joined(rows: Sequence[Ragged]) -> Ragged:
    """Rows one after the other."""
    return Ragged(np.concatenate([each.values for each in rows]), offsets_of(np.concatenate([each.lengths for each in rows])))


def _task_items(task: Task, context: Context, form: Form) -> Items:
    train, corpus = task.train, context.data.documents(TASK)
    if form == "tokens":
        assert train.words is not None
        more = () if task.unlabeled is None else tuple(task.unlabeled.documents())
        return Items(((corpus,),), (*train.inputs[0], *more), joined([train.words, found_words(more)]) if more else train.words)
    if len(train.inputs) == 1:
        return Items(((corpus,),))
    labelled = [Corpus.of_texts("labelled", column, text_digest(column)) for column in train.inputs]
    if (unlabelled := task.unlabelled_items) is None:  # of single texts, which are none, the plan has told
        return Items(tuple((column,) for column in labelled))
    return Items(tuple((column, unlabelled.column(number)) for number, column in enumerate(labelled)))


def _corpus_items(corpus: Corpus, form: Form, columns: int) -> Items:
    if columns > 1:
        return Items(tuple((corpus.column(number),) for number in range(columns)))
    if form != "tokens":
        return Items(((corpus,),))
    texts = tuple(corpus.documents())
    return Items(((corpus,),), texts, found_words(texts))


def _bare(train: Split, gold: Ragged | NDArray[np.generic]) -> Split:
    # What a loss asks of a split is what is right.
    return replace(train, inputs=(), gold=gold, index=np.arange(len(gold)), groups=None, words=None)
