"""Rows of CSV and TSV files, read strictly: a ragged row or an unclosed quote is a problem, never a guess."""

import csv
from collections.abc import Iterator
from pathlib import Path

from acclimate.data.problems import Problems
from acclimate.data.sources import text_lines

_FIELD_LIMIT = 1 << 26  # characters; a longer field is an unclosed quote that swallows the file


def header_of(path: Path, delimiter: str) -> tuple[str, ...]:
    """The column names in the first row; empty when the file is empty or its header cannot be read."""
    csv.field_size_limit(_FIELD_LIMIT)
    lines = _Lines(path, Problems(skip_bad=True))
    try:
        return tuple(next(csv.reader(lines, delimiter=delimiter, strict=True), ()))
    except csv.Error:
        return ()


def rows_of(path: Path, delimiter: str, problems: Problems) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Each row below the header with the number of its first line; None in place of a bad one.

    After a row with broken quotes, reading goes on at the very next line: one stray quote costs one row and does not swallow the rest.
    """
    # The limit is the csv module's own setting for the process; its default (128 KiB) is less than a long document.
    csv.field_size_limit(_FIELD_LIMIT)
    lines = _Lines(path, problems)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        lines.start_row()
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            start, first = lines.back_to_second_line()
            problems.add(*_broken(path, start, first, str(error)), first)
            if header is None:
                return
            yield start, None
            continue
        start = lines.row[0][0]
        if lines.bad:  # its bytes are no UTF-8, and the line reader has said so
            if header is None:
                return
            yield start, None
        elif not row:
            continue
        elif header is None:
            header = row
            repeated = sorted({name for name in header if header.count(name) > 1})
            if repeated:
                problems.fatal("repeated column", path, start, f"the header names {', '.join(map(repr, repeated))} more than once")
                return
        elif len(row) != len(header):
            message = f"{len(row)} fields where the header has {len(header)}; a text with {delimiter!r} in it needs quotes"
            problems.add("ragged row", path, start, message, delimiter.join(row))
            yield start, None
        else:
            yield start, dict(zip(header, row, strict=True))
    if header is None:
        problems.fatal("empty file", path, None, "the file is empty; a header row with the column names was expected")


def _broken(path: Path, line: int, first: str, error: str) -> tuple[str, Path, int, str]:
    if "unexpected end of data" in error or "field larger" in error:
        return "unclosed quote", path, line, 'a quote is opened and never closed; write a quote inside a text as ""'
    if "new-line character" in error:
        return "bad row", path, line, "a bare carriage return stands outside quotes"
    return "broken quotes", path, line, f'{error}; write a quote inside a text as ""'


class _Lines:
    """Feeds lines to `csv.reader`, remembers which belong to the current row, and can give all but its first back."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self._source = text_lines(path, problems)
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
