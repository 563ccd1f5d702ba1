"""The texts of records: of every good one its text, or both of a pair, the others told with their place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import TABLES
from acclimate.data.readers.records import Record, Source
from acclimate.errors import SettingsError
from acclimate.inert import has_lone_surrogate


@dataclass
class Place:
    """Where a reading stands."""

    at: tuple[Path, int] | None = None
    """File and line of the record that was read last."""


def read_texts(source: Source, columns: Sequence[str], problems: Problems, place: Place | None = None) -> Iterator[tuple[str, ...]]:
    """The texts of every good record, one a column; `place` knows at each where it stands."""
    place = Place() if place is None else place
    for record in source.records(columns, problems):
        if source.format in TABLES and len(record.values) > 1 and all(name == value for name, value in record.values.items()):
            message = "the row repeats the header (files put one after the other?)"
            problems.add("repeated header", record.file, record.line, message, record.values)
            continue
        texts = checked_texts(record, columns, problems)
        if texts is not None:
            place.at = (record.file, record.line)
            yield texts


def checked_texts(record: Record, columns: Sequence[str], problems: Problems) -> tuple[str, ...] | None:
    """The text of each of these columns; None when one of them cannot be used, which `problems` gets to know once."""
    texts = []
    for column in columns:
        text = checked_text(record, column, problems)
        if text is None:
            return None
        texts.append(text)
    return tuple(texts)


def check_said(text: str, what: str) -> None:
    """See that a text that was given on a command line can be read; `what` messages call it.

    Raises:
        SettingsError: it holds bytes of another encoding, which Python keeps as halves of surrogate pairs.
    """
    if has_lone_surrogate(text):
        raise SettingsError(f"{what} is not valid text: it holds bytes that are no UTF-8, or half of a surrogate pair")


def checked_text(record: Record, column: str, problems: Problems) -> str | None:
    """The text of a record; None when there is none that could be used, which `problems` gets to know."""
    text = record.values[column]
    if isinstance(text, str):
        if not text or text.isspace() or ("\0" in text and not text.replace("\0", " ").strip()):
            problems.add("empty text", record.file, record.line, f"{column!r} is empty", record.values)
            return None
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:  # JSON can write half of a pair as an escape
                message = f"{column!r} holds half of a surrogate pair at character {error.start + 1}, which is no text"
                problems.add("bad Unicode", record.file, record.line, message, record.values)
                return None
        return text
    if text is None:
        problems.add("empty text", record.file, record.line, f"{column!r} is null", record.values)
    else:
        message = f"{column!r} is {type(text).__name__}, a string is wanted"
        problems.add("text is not a string", record.file, record.line, message, record.values)
    return None
