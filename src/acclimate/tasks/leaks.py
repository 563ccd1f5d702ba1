"""Which examples of dev and test stand in what is learned from: corpora, train, further tasks; counted, shown, and refused where all do."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.data.corpus import Corpus
from acclimate.data.leaks import KINDS, Holder, Judged, Kind, LeakFinder, Where, shown
from acclimate.data.readers.problems import place
from acclimate.errors import DataError
from acclimate.tasks.kind import many
from acclimate.tasks.leaked_items import whole_items
from acclimate.tasks.task import Task

TRAIN = "train"  # what the task's own train goes by among the places of leaks
UNLABELED_TOLD = "task unlabeled"  # and its unlabelled texts
JUDGING = ("dev", "test")
HELD: Mapping[Kind, str] = {"exact": "word for word", "near": "nearly", "contained": "within longer documents"}
MOST_SHOWN = 300  # characters of a text in an example
CUT = " [...]"


@dataclass(frozen=True)
class Leak:
    """An example of dev or test that stands in a corpus, with the plainest of the documents that hold it."""

    corpus: str
    split: str
    index: int
    """Row in the split's source files, from 0, as in predictions."""
    kind: Kind
    similarity: float
    """1 of exact ones, the estimated Jaccard similarity of near ones, the share of n-grams that the document contains."""
    text: str
    document: int
    """Its number among those read, from 0; in train the row in the source files."""
    place: str | None
    """Its file and line, where known."""
    found: str
    """The document; of a longer one, from some words before what it contains."""
    documents: int
    """How many hold the text."""

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; of a long document the beginning."""
        return asdict(self) | {"found": beginning(self.found), "similarity": round(self.similarity, 3)}

    def shown(self) -> dict[str, Any]:
        """As an example: of both texts, where they are long, the beginning."""
        return self.as_dict() | {"text": beginning(self.text)}

    @property
    def rank(self) -> tuple[int, float]:
        """The higher, the plainer a leak it is."""
        return -KINDS.index(self.kind), self.similarity


@dataclass(frozen=True, eq=False)
class Holding:
    """What one corpus holds of dev and test."""

    corpus: str
    leaks: tuple[Leak, ...]
    documents: Mapping[Kind, int]
    """Documents that hold some example, by their plainest match."""
    words: Mapping[Kind, int]
    """Of these documents."""
    digests: frozenset[int]
    """Of these documents (`text_hash`)."""
    overlap: float
    """The share of test texts of which at least half of the n-grams stand anywhere in it."""
    whole: int | None = None
    """Of a corpus of pairs, beside a task of pairs: test items of which it holds both texts in one pair, as documents of their own."""
    dropped: bool = False
    """Whether the corpus is read without these documents, and"""
    pairs: int = 0
    """where it holds pairs, how many go with them."""

    @property
    def of_corpus(self) -> bool:
        """Whether it is text without labels, which can be read without these documents."""
        return self.corpus == UNLABELED_TOLD or (self.corpus != TRAIN and not self.corpus.startswith("task "))

    def examples(self, most: int) -> list[Leak]:
        """So many of each kind, the plainest first, those of test before those of dev."""
        chosen = sorted(self.leaks, key=lambda leak: (-leak.rank[0], leak.split != "test", -leak.similarity, leak.index))
        return [leak for kind in KINDS for leak in [each for each in chosen if each.kind == kind][:most]]

    def counts(self) -> dict[str, dict[str, int]]:
        """Examples by split and kind."""
        found = Counter((leak.split, leak.kind) for leak in self.leaks)
        return {split: {kind: found[split, kind] for kind in KINDS} for split in JUDGING if any(found[split, kind] for kind in KINDS)}

    def facts(self) -> dict[str, Any]:
        """For `study.json`."""
        told = {"documents": {kind: self.documents[kind] for kind in KINDS}, "words": {kind: self.words[kind] for kind in KINDS}}
        return {**self.counts(), **told, "dropped": self.dropped}


class Sought:
    """Dev and test of a task, prepared to be looked for in what is learned from."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._splits = {name: task.splits[name] for name in JUDGING}
        self._texts = len(task.test.inputs)  # of an item
        texts = [text for split in self._splits.values() for text in split.documents()]
        self._judged = Judged(texts)
        # Where two texts are judged together, each is looked for by itself.
        self._items = [(name, row) for name, split in self._splits.items() for row in range(len(split)) for _ in split.inputs]
        self._test = np.array([name == "test" for name, _ in self._items], dtype=bool)

    def finder(self, where: Callable[[], Where | None] = lambda: None) -> LeakFinder:
        """Looks through one corpus."""
        return LeakFinder(self._judged, where)

    def holding(self, corpus: str, finder: LeakFinder) -> Holding:
        """What the finder has found by now: of an item of two texts that one of them is there."""
        share = self._overlap(finder)
        leaks: dict[tuple[str, int], list[Leak]] = {}
        for number in np.flatnonzero(np.isin(self._judged.unique_of, list(finder.best))).tolist():
            text = int(self._judged.unique_of[number])
            match = finder.best[text]
            where = None if match.place is None else place(*match.place)
            holder = Holder(match.document, match.kind, match.similarity)
            leak = self._leak(corpus, number, holder, match.document_text, where, finder.holders[text])
            leaks.setdefault(self._items[number], []).append(leak)
        kept = tuple(max(each, key=_rank) for each in leaks.values())
        return Holding(corpus, kept, dict(_all(finder.documents)), dict(_all(finder.words)), frozenset(finder.digests), share)

    def in_train(self) -> Holding:
        """What of them stands in the task's own train."""
        train = self.task.train
        holding = self.in_items(TRAIN, tuple(train.documents()), len(train.inputs))
        rows = np.repeat(train.index, len(train.inputs))
        return replace(holding, leaks=tuple(replace(leak, document=int(rows[leak.document])) for leak in holding.leaks))

    def in_items(self, name: str, texts: Sequence[str], each: int) -> Holding:
        """What of them stands in texts that something is learned from with what is right, `each` of which are an item.

        An item of two texts does only where one item there holds both.
        """
        finder = self.finder()
        finder.every = None if self._texts == 1 else {}
        for text in texts:
            finder.add(text)
        if finder.every is None:
            return self.holding(name, finder)
        share = self._overlap(finder)  # which looks up what waits
        found = whole_items(self._items_of_texts(), finder.every, each)
        leaks, rows = [], dict[int, Kind]()
        for item, whole in found.items():
            number, document = self._texts * item + whole.text, whole.holder.document
            held = shown(whole.holder.kind, texts[document], self._judged.texts[int(self._judged.unique_of[number])])
            leaks.append(self._leak(name, number, whole.holder, held, None, len(whole.plainest)))
            for row, holder in whole.plainest.items():
                rows[row] = min(holder.kind, rows.get(row, holder.kind), key=KINDS.index)
        words = Counter[Kind]()
        for row, kind in rows.items():
            words[kind] += sum(len(text.split()) for text in texts[each * row : each * (row + 1)])
        return Holding(name, tuple(leaks), dict(_all(Counter(rows.values()))), dict(_all(words)), frozenset(), share)

    def _leak(self, corpus: str, number: int, holder: Holder, found: str, where: str | None, documents: int) -> Leak:
        (name, row), split = self._items[number], self._splits[self._items[number][0]]
        # The text as it stands in its split: an equal one may differ in case.
        own = split.inputs[(number - self._first(name)) % self._texts][row]
        return Leak(corpus, name, int(split.index[row]), holder.kind, holder.similarity, own, holder.document, where, found, documents)

    def _overlap(self, finder: LeakFinder) -> float:
        overlapping = finder.overlapping()
        return float(overlapping[self._test].mean()) if self._test.any() else 0.0

    def in_corpus(self, name: str, corpus: Corpus, rejects: Path | None) -> Holding:
        """What of them stands in a corpus. One pass serves all: checking it, its sample, and whatever it holds."""
        finder = self.finder(lambda: corpus.place)
        finder.every = {} if corpus.texts == self._texts > 1 else None
        corpus.scan(rejects, finder.add)
        holding = self.holding(name, finder)
        if finder.every is None:
            return holding
        found = whole_items(self._items_of_texts(), finder.every, corpus.texts)
        same = (item for item, whole in found.items() if whole.holder.kind != "contained" and self._test[self._texts * item])
        return replace(holding, whole=sum(1 for _ in same))

    def _items_of_texts(self) -> list[list[int]]:
        """Of each item that is judged the numbers of its texts."""
        numbers: list[list[int]] = self._judged.unique_of.reshape(-1, self._texts).tolist()
        return numbers

    def _first(self, name: str) -> int:
        return 0 if name == JUDGING[0] else len(self._splits[JUDGING[0]]) * self._texts


def refuse_test_set(task: Task, holding: Holding, corpus: Corpus) -> None:
    """See that a corpus is not the test set: that it does not hold most of it as documents of their own, of pairs as pairs.

    Raises:
        DataError: it does.
    """
    test, items = task.test, many(task.kind.item)
    same = sum(leak.split == "test" and leak.kind != "contained" for leak in holding.leaks) if holding.whole is None else holding.whole
    if holding.dropped or 2 * same <= len(test):
        return
    files = set(test.files) & set(corpus.files)
    where, are = f" ({min(files)} is read as both)" if files else "", "documents" if holding.whole is None else "pairs"
    raise DataError(
        f"the corpus {holding.corpus!r} is the test set: {same:,} of the {len(test):,} test {items} are {are} of it{where}; a "
        "model that is pretrained on it has seen the exam. Name other text, or say `leaks: drop` under `data:` to read it without "
        "them; to read test's text on purpose, say so: `pretrain: {corpus: task, include: [test]}`"
    )


def note_of(task: Task, holding: Holding) -> str | None:
    """What is said of leaks before anything is spent; None where there are none."""
    if not holding.leaks:
        return None
    judged, items = sum(len(task.splits[name]) for name in JUDGING), many(task.kind.item)
    counts = Counter(leak.kind for leak in holding.leaks)
    where = "train" if holding.corpus == TRAIN else f"the corpus {holding.corpus!r}"
    told = f"LEAK: {len(holding.leaks):,} of the {judged:,} {items} that are judged by "
    if len(counts) == 1:
        told += f"stand {HELD[holding.leaks[0].kind]} in {where}"
    else:
        told += f"stand in {where} ({', '.join(f'{counts[kind]:,} {HELD[kind]}' for kind in KINDS if counts[kind])})"
    if holding.dropped:
        documents, words = sum(holding.documents.values()), sum(holding.words.values())
        held = "document that holds them is" if documents == 1 else "documents that hold them are"
        pairs = f", with the {holding.pairs:,} pair{'s' * (holding.pairs > 1)} that they stand in" if holding.pairs else ""
        return f"{told}; the {documents:,} {held} not read, {words:,} words{pairs} (`leaks: drop`)"
    if holding.corpus == TRAIN:
        return f"{told}: models learn from them, which may flatter the scores; `acclimate leaks` shows them"
    if not holding.of_corpus:
        return f"{told}: what is trained on it has seen them; `acclimate leaks` shows them"
    mend = "say `leaks: drop` under `data:` to read every corpus without them; `acclimate leaks` shows them"
    return f"{told}: what is trained on it has seen them; {mend}"


def _rank(leak: Leak) -> tuple[int, float]:
    return leak.rank


def beginning(text: str, most: int = MOST_SHOWN) -> str:
    """A text on one line; of a long one so many characters, and a mark that more follows."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most].rstrip() + CUT


def _all(counts: Mapping[Kind, int]) -> Mapping[Kind, int]:
    return {kind: counts.get(kind, 0) for kind in KINDS}
