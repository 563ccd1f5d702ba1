"""Documents that models are judged by: read from files of their own, or held out of the corpora of a study by their digests."""

import heapq
from dataclasses import dataclass, field
from typing import NamedTuple

from acclimate.data.corpus import Corpus, CorpusFacts, CorpusSettings
from acclimate.data.digests import text_hash
from acclimate.data.readers.endings import format_of
from acclimate.errors import DataError
from acclimate.files import word_of
from acclimate.tasks.kind import Place

FEWEST = 8  # documents that are held out of a corpus at least, and as many must be left in it


class Document(NamedTuple):
    """A text with its digest, and its number among those of its corpus, from 0."""

    number: int
    digest: int
    text: str


class Held(NamedTuple):
    """What is judged by of one corpus."""

    name: str
    documents: tuple[Document, ...]
    """In the order in which they stand there, equal texts once."""
    read: int
    """Documents of the whole corpus."""
    corpus: Corpus
    facts: CorpusFacts


@dataclass
class Smallest:
    """The documents with the smallest digests of those that go by, at most so many: a sample that is the same in whatever order."""

    most: int | None
    read: int = 0
    _kept: dict[int, Document] = field(default_factory=dict)
    _largest: list[int] = field(default_factory=list)  # a heap of the digests that are kept, each negative

    def add(self, text: str) -> None:
        """The next document."""
        number, self.read = self.read, self.read + 1
        digest = text_hash(text)
        full = self.most is not None and len(self._kept) >= self.most
        if digest in self._kept or (full and digest >= -self._largest[0]):
            return
        self._kept[digest] = Document(number, digest, text)
        heapq.heappush(self._largest, -digest)
        if full:
            del self._kept[-heapq.heappop(self._largest)]

    def first(self, count: int | None = None) -> tuple[Document, ...]:
        """So many of the smallest digests, in the order in which they went by."""
        return tuple(sorted(self._kept[digest] for digest in sorted(self._kept)[:count]))


def of_files(name: str, settings: CorpusSettings, place: Place, most: int | None) -> Held:
    """The documents of files that are there to judge by: all of them, or at most so many.

    Raises:
        DataError: they cannot be read.
    """
    corpus, smallest = Corpus.open(name, settings, place.root), Smallest(most)
    rejects = None if place.rejects is None else place.rejects / f"held-out-{word_of(name)}.jsonl"
    facts = corpus.scan(rejects, smallest.add)
    return Held(name, smallest.first(), smallest.read, corpus, facts)


def of_corpus(name: str, settings: CorpusSettings, place: Place, share: float, most: int, asked: str, instead: str) -> Held:
    """A share of a corpus of the study: the documents with the smallest digests. `asked` is the setting that names it, and `instead` says
    what would do as well.

    Raises:
        DataError: it cannot be read, or has too few documents for some to be held out.
    """
    corpus, smallest = Corpus.open(name, settings, place.root), Smallest(max(most, FEWEST))
    facts = corpus.scan(None, smallest.add)
    if smallest.read < 2 * FEWEST:
        raise DataError(
            f"{asked}: the corpus {name!r} has {_documents(smallest.read)}, too few for some to be held out ({2 * FEWEST} at least); "
            f"{smaller_documents(corpus)}, or {instead}"
        )
    wanted = min(most, max(FEWEST, round(share * smallest.read)))
    return Held(name, smallest.first(wanted), smallest.read, corpus, facts)


def beginning(text: str, most: int | None) -> str:
    """So many characters of a text at most, and no part of a word where it has words."""
    if most is None or len(text) <= most:
        return text
    cut = text[:most]
    return cut if text[most].isspace() else cut.rpartition(" ")[0].rstrip() or cut


def smaller_documents(corpus: Corpus) -> str:
    """How a text that is one long document becomes several."""
    if any(format_of(file) == "txt" for file in corpus.files):
        return "let each paragraph be a document (`documents: blank`, or `line`)"
    return "cut long documents into their paragraphs, a record each"


def _documents(count: int) -> str:
    return "1 document" if count == 1 else f"{count:,} documents"
