"""Rows of CSV and TSV files, read strictly: a ragged row or an unclosed quote is a problem, never a guess."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acclimate.data.dialect import Dialect
from acclimate.data.lines import text_lines
from acclimate.data.problems import Problems

_FIELD_LIMIT = 1 << 26  # characters; a longer field is an unclosed quote that swallows the file


def header_of(path: Path, dialect: Dialect) -> tuple[str, ...]:
    """The column names: those in the first row, or `1`, `2`, ... without a header; empty when there is no row that could be read."""
    lines = _Lines(path, dialect, Problems(skip_bad=True))
    try:
        first = next((row for row in _reader(lines, dialect) if row), None)
    except csv.Error:
        return ()
    return () if first is None else _names(first, dialect)


def rows_of(path: Path, dialect: Dialect, problems: Problems) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Each row of data with the number of its first line; None in place of a bad one.

    After a row with broken quotes, reading goes on at the very next line: one stray quote costs one row and does not swallow the rest.
    """
    lines = _Lines(path, dialect, problems)
    reader = _reader(lines, dialect)
    header: tuple[str, ...] | None = None
    while True:
        lines.start_row()
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            start, first = lines.back_to_second_line()
            problems.add(*_broken(path, start, first, str(error)), first)
            if header is None and dialect.header:
                return
            yield start, None
            continue
        start = lines.row[0][0]
        if lines.bad:  # its bytes are no text, and the line reader has said so
            if header is None and dialect.header:
                return
            yield start, None
            continue
        if not row:
            continue
        if header is None:
            header = _names(row, dialect)
            if dialect.header:
                continue
        if len(row) != len(header):
            problems.add("ragged row", path, start, _ragged(len(row), len(header), dialect), dialect.delimiter.join(row))
            yield start, None
        else:
            yield start, dict(zip(header, row, strict=True))
    if header is None:
        wanted = "; a header row with the column names was expected" if dialect.header else ""
        problems.fatal("empty file", path, None, f"the file is empty{wanted}")


def _reader(lines: "_Lines", dialect: Dialect) -> Any:
    # The limit is the csv module's own setting for the process; its default (128 KiB) is less than a long document.
    csv.field_size_limit(_FIELD_LIMIT)
    return csv.reader(lines, delimiter=dialect.delimiter, quoting=csv.QUOTE_MINIMAL if dialect.quotes else csv.QUOTE_NONE, strict=True)


def _names(first: list[str], dialect: Dialect) -> tuple[str, ...]:
    return tuple(first) if dialect.header else tuple(str(number) for number in range(1, len(first) + 1))


def _ragged(fields: int, wanted: int, dialect: Dialect) -> str:
    whose = "the header" if dialect.header else "the first row"
    mend = f"; a text with {dialect.delimiter!r} in it needs quotes" if fields > wanted else ""
    return f"{fields} fields where {whose} has {wanted}{mend}"


def _broken(path: Path, line: int, first: str, error: str) -> tuple[str, Path, int, str]:
    if "unexpected end of data" in error or "field larger" in error:
        return "unclosed quote", path, line, 'a quote is opened and never closed; write a quote inside a text as ""'
    if "new-line character" in error:
        return "bad row", path, line, "a bare carriage return stands outside quotes"
    return "broken quotes", path, line, f'{error}; write a quote inside a text as ""'


class _Lines:
    """Feeds lines to `csv.reader`, remembers which belong to the current row, and can give all but its first back."""

    def __init__(self, path: Path, dialect: Dialect, problems: Problems) -> None:
        self._source = text_lines(path, problems, dialect.encoding)
        self._again: list[tuple[int, str | None]] = []  # lines to be read once more, last one first
        self.row: list[tuple[int, str | None]] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._source)
        self.row.append(line)
        return (line[1] or "") + "\n"

    def start_row(self) -> None:
        self.row = []

    @property
    def bad(self) -> bool:
        return any(text is None for _, text in self.row)

    def back_to_second_line(self) -> tuple[int, str]:
        (number, text), *rest = self.row
        self._again.extend(reversed(rest))
        return number, text or ""
