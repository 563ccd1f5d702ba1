"""Which of the texts that models are judged by stand in a corpus: as documents of their own, nearly so, or within longer ones."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.digests import text_hash
from acclimate.data.grams import Block, GramTable, Hashes, Numbers, word_hashes
from acclimate.data.shingles import signature

if TYPE_CHECKING:
    from datasketch import MinHash

Kind = Literal["exact", "near", "contained"]
KINDS: tuple[Kind, ...] = ("exact", "near", "contained")
CONTAINED_GRAM = 10  # words
NEAR_GRAM = 5  # words: documents that share a fifth of a text's are compared with it
NEAR = 0.5  # Jaccard similarity of three-word shingles: about one word in ten is another one
CONTAINED = 0.5  # of a text's n-grams, in one document
FEWEST_WORDS = 8  # of a text: shorter ones are compared as wholes, for "what a great film" stands everywhere

_NOMINATED = 0.2
_SAMPLED_FROM, _SAMPLE = 64, 4  # words of a text from which on a quarter of its 5-grams is enough to know it by
_MOST_OWNERS, _MOST_NEAR_OWNERS = 256, 32  # texts that share a gram, beyond which it tells none of them from another
_BUFFER_WORDS = 1 << 18  # words of the corpus that are looked up together
_MOST_PAIRS = 1 << 21  # of documents and texts, counted at a time
_AROUND = 12  # words that are shown before what a document contains

Where = tuple[Path, int]
"""A file and a line (or row)."""


class Match(NamedTuple):
    """A document that holds a text."""

    kind: Kind
    similarity: float
    """1 where they are equal; the estimated Jaccard similarity of near ones; the share of the text's n-grams that a document contains."""
    document: int
    """Its number among those read, from 0."""
    place: Where | None
    document_text: str

    @property
    def rank(self) -> tuple[int, float]:
        """The higher, the plainer a leak it is."""
        return -KINDS.index(self.kind), self.similarity


class Holder(NamedTuple):
    """A document that holds a text, by its number, and how."""

    document: int
    kind: Kind
    similarity: float

    @property
    def rank(self) -> tuple[int, float]:
        """As of a match."""
        return -KINDS.index(self.kind), self.similarity


class Judged:
    """The texts that models are judged by, prepared to be sought. N texts, U of them different in more than case and white space."""

    def __init__(self, texts: Sequence[str], n: int = CONTAINED_GRAM) -> None:
        words = [word_hashes(text) for text in texts]
        whole = Block(words).whole()
        self.keys, first, self.unique_of = np.unique(whole, return_index=True, return_inverse=True)
        """uint64 [U], ascending; [N] the number of each text among the different ones."""
        self.texts = [texts[number] for number in first]
        kept = [words[number] for number in first]
        self.words: Numbers = np.array([len(each) for each in kept], dtype=np.int64)
        self.compared: NDArray[np.bool_] = self.words >= FEWEST_WORDS
        """[U] whether it is sought in documents that are not equal to it."""
        block, lengths = Block(kept), np.minimum(n, self.words)
        wanted = {int(length): np.flatnonzero(lengths == length) for length in np.unique(lengths[lengths > 0])}
        self.tables: dict[int, GramTable] = {}
        """By words of a gram; a text of fewer words than `n` is a gram as a whole."""
        self.near: GramTable | None = None
        self._signatures: dict[int, MinHash] = {}
        for length, grams in block.grams(max((*wanted, NEAR_GRAM))):
            if length in wanted:
                self.tables[length] = _table(block, grams, length, wanted[length], len(kept), _MOST_OWNERS)
            if length == NEAR_GRAM and self.compared.any():
                # By their places: hashes differ from process to process, and what is found must not.
                known = (self.words[block.documents[: len(grams)]] < _SAMPLED_FROM) | (block.places[: len(grams)] % _SAMPLE == 0)
                self.near = _table(block, grams, length, np.flatnonzero(self.compared), len(kept), _MOST_NEAR_OWNERS, known)

    def __len__(self) -> int:
        return len(self.texts)

    def signature(self, number: int) -> "MinHash":
        """Of one of the different texts; kept, for many documents may be compared with it."""
        if number not in self._signatures:
            self._signatures[number] = signature(self.texts[number])
        return self._signatures[number]


class Added(NamedTuple):
    """A document that waits to be looked up."""

    text: str
    words: Hashes
    place: Where | None


@dataclass
class LeakFinder:
    """Sees the documents of one corpus go by and keeps what of the judged texts it holds; memory grows with those texts only."""

    judged: Judged
    place: Callable[[], Where | None] = lambda: None
    """Where the document stands that is added."""
    best: dict[int, Match] = field(default_factory=dict)
    """By number of the different text, the plainest match; the first of equal ones."""
    documents: Counter[Kind] = field(default_factory=Counter)
    """Documents that hold some text, by their plainest match."""
    words: Counter[Kind] = field(default_factory=Counter)
    """Of these documents."""
    digests: set[int] = field(default_factory=set)
    """Of these documents (`text_hash`)."""
    holders: Counter[int] = field(default_factory=Counter)
    """By number of the different text, documents that hold it."""
    every: dict[int, list[Holder]] | None = None
    """By number of the different text, each document that holds it; where it is given, to be filled."""

    def __post_init__(self) -> None:
        self._read = 0
        self._buffer: list[Added] = []
        self._buffered = 0
        self._seen = {length: np.zeros(len(table), dtype=bool) for length, table in self.judged.tables.items()}

    def add(self, document: str) -> None:
        """The next document of the corpus."""
        words = word_hashes(document)
        self._buffer.append(Added(document, words, self.place()))
        self._buffered += len(words)
        if self._buffered >= _BUFFER_WORDS:
            self.flush()

    def overlapping(self) -> NDArray[np.bool_]:
        """[N] whether at least half of the text's n-grams occurred so far, in whatever documents."""
        self.flush()
        texts = len(self.judged)
        found, total = np.zeros(texts, dtype=np.int64), np.zeros(texts, dtype=np.int64)
        for length, table in self.judged.tables.items():
            total += table.total
            found += table.counts(self._seen[length], texts)
        return np.asarray(((total > 0) & (2 * found >= total))[self.judged.unique_of], dtype=bool)

    def share(self) -> float:
        """The share of the texts that overlap, 0 to 1."""
        overlapping = self.overlapping()
        return float(overlapping.mean()) if len(overlapping) else 0.0

    def flush(self) -> None:
        """Look up what was added since the last time."""
        buffer, self._buffer, self._buffered = self._buffer, [], 0
        if not buffer or not len(self.judged):
            self._read += len(buffer)
            return
        block, judged = Block([added.words for added in buffer]), self.judged
        found: dict[tuple[int, int], tuple[Kind, float]] = {}  # by document of the block and text
        near: set[tuple[int, int]] = set()
        for length, grams in block.grams(max((*judged.tables, NEAR_GRAM if judged.near is not None else 0))):
            if length in judged.tables:
                table = judged.tables[length]
                hits = table.hits(block, grams, length)
                self._seen[length][hits.grams] = True
                for documents, texts, counts in table.shared(hits, len(judged), _MOST_PAIRS):
                    share = counts / table.telling[texts]
                    good = (share >= CONTAINED) & judged.compared[texts]
                    found |= {
                        (document, text): ("contained", each)
                        for document, text, each in zip(*_lists(documents[good], texts[good], share[good]), strict=True)
                    }
            if length == NEAR_GRAM and judged.near is not None:
                near = self._nominated(block, judged.near, grams)
        exact = self._equal(block)
        for document, text, alike in self._near(near - exact, buffer):
            found[document, text] = ("near", alike)
        found |= dict.fromkeys(exact, ("exact", 1.0))
        for (document, text), (kind, similarity) in sorted(found.items()):
            self._keep(buffer[document], self._read + document, text, kind, similarity)
        self._count(buffer, found)
        self._read += len(buffer)

    def _equal(self, block: Block) -> set[tuple[int, int]]:
        keys, judged = block.whole(), self.judged.keys
        place = np.minimum(np.searchsorted(judged, keys), len(judged) - 1)
        good = np.flatnonzero((judged[place] == keys) & (block.sizes > 0))
        return set(zip(*_lists(good, place[good]), strict=True))

    def _nominated(self, block: Block, table: GramTable, grams: Hashes) -> set[tuple[int, int]]:
        # Documents that share a fifth of a text's 5-grams, and are not more than twice as long or short: all that are near do.
        words = self.judged.words
        nominated: set[tuple[int, int]] = set()
        for documents, texts, counts in table.shared(table.hits(block, grams, NEAR_GRAM), len(self.judged), _MOST_PAIRS):
            sizes = block.sizes[documents]
            alike = (counts >= _NOMINATED * table.telling[texts]) & (sizes <= 2 * words[texts]) & (words[texts] <= 2 * sizes)
            nominated.update(zip(*_lists(documents[alike], texts[alike]), strict=True))
        return nominated

    def _near(self, nominated: set[tuple[int, int]], buffer: Sequence[Added]) -> Iterator[tuple[int, int, float]]:
        signatures = {document: signature(buffer[document].text) for document in {document for document, _ in nominated}}
        for document, text in nominated:
            if (alike := self.judged.signature(text).jaccard(signatures[document])) >= NEAR:
                yield document, text, alike

    def _keep(self, document: Added, number: int, text: int, kind: Kind, similarity: float) -> None:
        self.holders[text] += 1
        if self.every is not None:
            self.every.setdefault(text, []).append(Holder(number, kind, similarity))
        before = self.best.get(text)
        found = Match(kind, similarity, number, document.place, document.text)
        if before is None or found.rank > before.rank:
            self.best[text] = found._replace(document_text=shown(kind, document.text, self.judged.texts[text]))

    def _count(self, buffer: Sequence[Added], found: dict[tuple[int, int], tuple[Kind, float]]) -> None:
        kinds: dict[int, Kind] = {}
        for (document, _), (kind, _similarity) in found.items():
            kinds[document] = min(kind, kinds.get(document, kind), key=KINDS.index)
        for document, kind in kinds.items():
            self.documents[kind] += 1
            self.words[kind] += len(buffer[document].words)
            self.digests.add(text_hash(buffer[document].text))


def ngram_overlap(test_texts: Sequence[str], corpus_documents: Iterable[str], n: int = CONTAINED_GRAM) -> float:
    """The share (0 to 1) of test texts of which at least half of the word n-grams stand in the corpus, which is streamed."""
    finder = LeakFinder(Judged(test_texts, n))
    for document in corpus_documents:
        finder.add(document)
    return finder.share()


def shown(kind: Kind, document: str, text: str) -> str:
    """A document that holds a text; of a longer one, from some words before what it contains."""
    return _from_where(document, text) if kind == "contained" else document


def _table(
    block: Block, grams: Hashes, length: int, texts: Numbers, number: int, most: int, known: NDArray[np.bool_] | None = None
) -> GramTable:
    """The grams of some of the documents of a block; of these, those that are `known`."""
    sought = np.zeros(number, dtype=bool)
    sought[texts] = True
    where = np.flatnonzero(sought[block.documents[: len(grams)]] if known is None else sought[block.documents[: len(grams)]] & known)
    inside, owners = block.within(where, length)
    return GramTable(grams[where[inside]], owners, number, most)


def _lists(*columns: NDArray[np.generic]) -> list[list[int]]:
    return [column.tolist() for column in columns]


def _from_where(document: str, text: str) -> str:
    """A document from some words before the first n-gram that the text shares with it."""
    words, lower = document.split(), text.lower().split()
    length = min(CONTAINED_GRAM, len(lower))
    grams = {tuple(lower[place : place + length]) for place in range(len(lower) - length + 1)}
    low = [word.lower() for word in words]
    first = next((place for place in range(len(low) - length + 1) if tuple(low[place : place + length]) in grams), 0)
    begin = max(0, first - _AROUND)
    return ("... " if begin else "") + " ".join(words[begin:])
