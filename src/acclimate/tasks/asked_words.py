"""What a model that tags words is asked about: the words of raw texts, or those that rows have already, whether they have tags or not."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from acclimate.data.found_words import found_words
from acclimate.data.ragged import Ragged, offsets_of
from acclimate.data.readers.conll import DOCUMENT, line_of
from acclimate.data.readers.every_text import Asked, asked_text
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record, Source
from acclimate.data.readers.texts import checked_text

PEEK = 50  # rows, of which the first with a value shows whether a column holds lists


def asked_words(source: Source, stated: str | None, known_as: Sequence[str]) -> Asked:
    """Words, where a column holds lists of them: the one that was named, one of the names `known_as`, or (CoNLL) a column of sentences;
    else the words of a text.

    Raises:
        DataError: it is not clear which column is meant.
    """
    if source.format == "conll":
        return _words_in(stated or column_of_words(source))
    names = {column.strip().casefold(): column for column in reversed(source.columns)}
    candidates = [stated] if stated is not None else [names[name] for name in known_as if name in names]
    column = next((name for name in candidates if holds_lists(source, name)), None)
    if column is None:
        return asked_text(source, {} if stated is None else {"text": stated})._replace(words=found_words)
    return _words_in(column)


def _words_in(column: str) -> Asked:
    def read(record: Record, problems: Problems) -> tuple[str, ...] | None:
        text = joined(record, column, problems)
        return None if text is None else (text,)

    return Asked({"tokens": column}, read, words_between_spaces, tokens=True)


def column_of_words(source: Source) -> str:
    """Of sentences in columns the first; where words are numbered, the second."""
    first = next(iter(source.records((), Problems(skip_bad=True))), None)
    if first is None or len([name for name in source.columns if name != DOCUMENT]) < 3:
        return "1"
    return "2" if first.values["1"] == [str(number) for number in range(1, len(first.values["1"]) + 1)] else "1"


def joined(record: Record, column: str, problems: Problems) -> str | None:
    """The words of a record, one space between them; None where they are none, which `problems` gets to know."""
    words = record.values[column]
    why = _no_words(words)
    if why is not None:
        line = line_of(record.values, record.line, why.word)
        problems.add("empty sentence" if words == [] else "odd tokens", record.file, line, f"{column!r} {why.says}", record.values)
        return None
    return checked_text(record._replace(values={column: " ".join(words)}), column, problems)


def words_between_spaces(texts: Sequence[str]) -> Ragged:
    """Where the words of joined texts begin and end, as `Split.words` has them."""
    rows = [text.split(" ") for text in texts]
    lengths = np.array([len(word) for row in rows for word in row], dtype=np.int64)
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    # A word begins where the one before it in its row ended, and a space later.
    ends = np.cumsum(lengths + 1) - 1
    rows_begin = np.repeat(np.concatenate([[0], np.cumsum(lengths + 1)])[offsets_of(counts)[:-1]], counts)
    ends -= rows_begin
    return Ragged(np.stack([ends - lengths, ends], axis=1), offsets_of(counts))


def holds_lists(source: Source, column: str) -> bool:
    """Whether the first value of a column is a list."""
    if column not in source.columns:
        return False
    rows = source.rows((column,), Problems(skip_bad=True))
    seen = (row.values[column] for _, row in zip(range(PEEK), rows, strict=False) if row.values is not None)
    return isinstance(next((value for value in seen if value is not None), None), list)


class _Odd(NamedTuple):
    """What is wrong with words, and with which, from 0."""

    says: str
    word: int = 0


def _no_words(words: Any) -> _Odd | None:
    if not isinstance(words, list):
        return _Odd(f"is {type(words).__name__}, a list of words is wanted")
    if not words:
        return _Odd("is empty: there is no word")
    for number, word in enumerate(words):
        if not isinstance(word, str):
            return _Odd(f"has {type(word).__name__} as token {number + 1:,}; a string is wanted", number)
        if not word or any(letter.isspace() for letter in word):
            what = f"{word!r}, which holds white space," if word else "an empty string"
            return _Odd(f"has {what} as token {number + 1:,}", number)
    return None
