"""The rows of an input that are put to a model, whatever is asked about them: in parts, and what is said of those without a text."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from acclimate.data.corpus import CorpusSettings
from acclimate.data.readers.every_text import Asked, RowTexts, asked_text
from acclimate.data.readers.one_split import open_one
from acclimate.data.readers.read_files import file_notes
from acclimate.data.readers.records import Source
from acclimate.errors import DataError, SettingsError

# Asked about at a time, so that a file larger than memory can be answered.
CHUNK_TEXTS = 4096
CHUNK_CHARACTERS = 1 << 22
NAMED = 3  # rows without text that are named at the end


def texts_of_files(asked: CorpusSettings, split: str | None) -> tuple[Source, Asked]:
    """The source of single texts, and what of its rows is read.

    Raises:
        DataError: the files cannot be read, or it is not clear which split or column is meant.
        SettingsError: a column of second texts is named.
    """
    if asked.text_b is not None:
        raise SettingsError(f"`text_b: {asked.text_b}` names a second text, and single texts are read here; leave it out")
    source = open_one(str(asked.path), Path.cwd(), asked.reading, split)
    if source.format == "conll":
        raise DataError(f"{source.files[0]}: a word a line (CoNLL), and texts are wanted")
    source = by_line(source, asked)
    wanted = asked_text(source, {} if asked.text is None else {"text": asked.text})
    source.check_columns(tuple(wanted.columns.values()))
    return source, wanted


def by_line(source: Source, asked: CorpusSettings) -> Source:
    """The source; a line of txt is a text where nothing else is said."""
    if source.format == "txt" and asked.documents is None:
        return replace(source, documents=dict.fromkeys(source.files, "line"))
    return source


def notes_of(path: str, source: Source, columns: Mapping[str, str]) -> Iterator[str]:
    """What lies beside the files unread, and what was seen of them that is not the plain way."""
    yield from file_notes(path, {}, source.unread)
    seen = {name: value for name, value in source.detected.items() if name in ("encoding", "delimiter", "quoting")}
    seen |= {f"{role} in column": repr(name) for role, name in columns.items() if source.format != "txt" and name != role}
    if seen:
        yield f"{path}: {', '.join(f'{name} {value}' for name, value in seen.items())}"


def chunks_of(rows: Iterator[RowTexts], most: int | None = None) -> Iterator[list[RowTexts]]:
    """The rows in parts of at most `most`, or as many as is usual; one ends where it has very many characters."""
    most = most or CHUNK_TEXTS
    chunk: list[RowTexts] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        characters += sum(map(len, row.texts or ()))
        if len(chunk) == most or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def without_text(bad: Counter[str], rows: int, named: list[str], done: str) -> str:
    """What is said of rows without a text, `bad` by what is wrong, the first of them `named`; `done` is what became of them."""
    count = sum(bad.values())
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in bad.most_common())
    more = f"; and {count - len(named):,} more" if count > len(named) else ""
    have = "row has" if rows == 1 else "rows has" if count == 1 else "rows have"
    return f"{count:,} of {rows:,} {have} no text that could be read ({kinds}), {done}: {'; '.join(named)}{more}"
