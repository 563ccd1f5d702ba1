"""`acclimate search`: the documents of a file whose vectors are nearest to that of a query, found in one pass."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.corpus import CorpusSettings
from acclimate.data.readers.every_text import every_text
from acclimate.errors import DataError, SettingsError
from acclimate.evaluation.asked_rows import NAMED, chunks_of, notes_of, texts_of_files, without_text
from acclimate.evaluation.encoder import Encoder, Encoding
from acclimate.training.progress import Reporter


@dataclass(frozen=True)
class Hit:
    """A document that was found."""

    rank: int  # from 1
    score: float  # cosine with the query, -1 to 1
    index: int  # of its row, from 0
    file: Path
    line: int
    text: str

    def as_json(self) -> dict[str, Any]:
        """As `acclimate search --json` prints it."""
        where = {"index": self.index, "file": str(self.file), "line": self.line}
        return {"rank": self.rank, "score": self.score, **where, "text": self.text}


def search(encoding: Encoding, documents: CorpusSettings, query: str, most: int, reporter: Reporter, split: str | None = None) -> list[Hit]:
    """The `most` documents nearest to the query by cosine, the nearest first; of equal ones the earlier first.

    The query gets the prompt for queries, documents that for documents. Rows without a text are left out and counted.

    Raises:
        SettingsError: the query is empty.
        DataError: the files cannot be read, or there is no text in them.
        ModelError: the model cannot be read, or its vectors are not finite.
    """
    if not query.strip():
        raise SettingsError("the query is empty; write what is looked for, in quotes")
    source, wanted = texts_of_files(documents, split)
    for note in (*notes_of(str(documents.path), source, wanted.columns), *encoding.told()):
        reporter.say(note)
    encoder = Encoder(encoding)
    query_D = _unit(encoder.encode([query], "query"))[0]
    if encoder.unread.cut_texts:
        reporter.say(f"the query is longer than the {encoder.unread.length:,} tokens that this model reads, and was cut")
    encoder.count_from({})  # from here on of documents alone
    found: list[Hit] = []
    bad, named, count = Counter[str](), list[str](), 0
    for chunk in chunks_of(every_text(source, wanted)):
        good = [(row, row.texts[0]) for row in chunk if row.texts is not None]
        for row in chunk:
            if row.texts is None:
                bad[row.kind] += 1
                named += [row.problem] if len(named) < NAMED else []
        count += len(chunk)
        if good:
            scores = _unit(encoder.encode([text for _, text in good], "document")) @ query_D
            nearest = np.argsort(-scores, kind="stable")[:most]
            found += [Hit(0, float(scores[at]), good[at][0].row, good[at][0].file, good[at][0].line, good[at][1]) for at in nearest]
            # Sorting keeps the order of equal ones, and earlier parts stand first.
            found = sorted(found, key=lambda hit: -hit.score)[:most]
    if not found:
        raise DataError(f"{source.files[0]}: there is no text to search{f' ({named[0]})' if named else ''}")
    if told := encoder.unread.told():
        reporter.say(told)
    if bad:
        reporter.say(without_text(bad, count, named, "left out"))
    return [Hit(rank, hit.score, hit.index, hit.file, hit.line, hit.text) for rank, hit in enumerate(found, start=1)]


def _unit(vectors_ND: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors_ND / np.maximum(lengths, 1e-12)
    return unit
