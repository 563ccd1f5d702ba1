"""`acclimate search`: the documents of a file whose vectors are nearest to that of a query, found in one pass; or those that words find."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.data.corpus import CorpusSettings
from acclimate.data.exact_search import unit
from acclimate.data.readers.every_text import Asked, RowTexts, every_text
from acclimate.data.readers.records import Source
from acclimate.data.readers.texts import check_said
from acclimate.errors import DataError, SettingsError
from acclimate.evaluation.asked_rows import NAMED, chunks_of, notes_of, texts_of_files, without_text
from acclimate.evaluation.encoder import Encoding
from acclimate.evaluation.plain_encoder import PlainEncoding
from acclimate.evaluation.word_ranking import WordRanking
from acclimate.training.progress import Reporter


@dataclass(frozen=True)
class Hit:
    """A document that was found."""

    rank: int  # from 1
    score: float  # cosine with the query, -1 to 1; of BM25 its own score, from 0
    index: int  # of its row, from 0
    file: Path
    line: int
    text: str

    def as_json(self) -> dict[str, Any]:
        """As `acclimate search --json` prints it."""
        where = {"index": self.index, "file": str(self.file), "line": self.line}
        return {"rank": self.rank, "score": self.score, **where, "text": self.text}


Good = tuple[RowTexts, str]


@dataclass
class _Rows:
    """The documents of a file, part by part; counts those without a text."""

    source: Source
    wanted: Asked
    bad: Counter[str] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)
    count: int = 0

    def parts(self) -> Iterator[list[Good]]:
        """Those with a text."""
        for chunk in chunks_of(every_text(self.source, self.wanted)):
            for row in chunk:
                if row.texts is None:
                    self.bad[row.kind] += 1
                    self.named += [row.problem] if len(self.named) < NAMED else []
            self.count += len(chunk)
            if good := [(row, row.texts[0]) for row in chunk if row.texts is not None]:
                yield good


def search(
    encoding: Encoding | PlainEncoding | WordRanking, documents: CorpusSettings, query: str, most: int, reporter: Reporter,
    split: str | None = None,
) -> list[Hit]:  # fmt: skip
    """The `most` documents nearest to the query by cosine, the nearest first; of equal ones the earlier first.

    The query gets the prompt for queries, documents that for documents. A ranking by words (BM25) counts these over all documents, which
    are in memory then. Rows without a text are left out and counted.

    Raises:
        SettingsError: the query is empty, or no valid text.
        DataError: the files cannot be read, or there is no text in them.
        ModelError: the model cannot be read, or its vectors are not finite.
    """
    if not query.strip():
        raise SettingsError("the query is empty; write what is looked for, in quotes")
    check_said(query, "the query")
    source, wanted = texts_of_files(documents, split)
    for note in (*notes_of(str(documents.path), source, wanted.columns), *encoding.told()):
        reporter.say(note)
    rows = _Rows(source, wanted)
    if isinstance(encoding, WordRanking):
        found = _by_words(encoding, rows, query, most, reporter)
    else:
        found = _by_vectors(encoding, rows, query, most, reporter)
    if rows.count == sum(rows.bad.values()):
        raise DataError(f"{source.files[0]}: there is no text to search{f' ({rows.named[0]})' if rows.named else ''}")
    if rows.bad:
        reporter.say(without_text(rows.bad, rows.count, rows.named, "left out"))
    return [Hit(rank, hit.score, hit.index, hit.file, hit.line, hit.text) for rank, hit in enumerate(found, start=1)]


def _by_vectors(encoding: Encoding | PlainEncoding, rows: _Rows, query: str, most: int, reporter: Reporter) -> list[Hit]:
    encoder = encoding.load()
    query_D = unit(encoder.encode([query], "query"))[0]
    if encoder.unread.cut_texts:
        reporter.say(f"the query is longer than the {encoder.unread.length:,} tokens that this model reads, and was cut")
    if not query_D.any():
        reporter.say("no word of the query is known to the model: no document is nearer than another")
    encoder.count_from({})  # from here on of documents alone
    found: list[Hit] = []
    for good in rows.parts():
        scores = unit(encoder.encode([text for _, text in good], "document")) @ query_D
        nearest = np.argsort(-scores, kind="stable")[:most]
        found += [_hit(good[at], float(scores[at])) for at in nearest]
        # Sorting keeps the order of equal ones, and earlier parts stand first.
        found = sorted(found, key=lambda hit: -hit.score)[:most]
    if told := encoder.unread.told():
        reporter.say(told)
    return found


def _by_words(ranking: WordRanking, rows: _Rows, query: str, most: int, reporter: Reporter) -> list[Hit]:
    every = [good for part in rows.parts() for good in part]
    if not every:
        return []
    ranked = ranking.over([text for _, text in every])
    if ranked.without_words([query]):
        reporter.say("the query shares no word with any document: nothing is found")
    found, scores = ranked.ranked([query], most)
    return [_hit(every[at], score) for at, score in zip(found[0].tolist(), scores[0].tolist(), strict=True) if score > 0]


def _hit(good: Good, score: float) -> Hit:
    row, text = good
    return Hit(0, score, row.row, row.file, row.line, text)
