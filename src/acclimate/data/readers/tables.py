"""Rows of CSV and TSV files, read strictly: a ragged row, an unclosed quote or one that swallows rows is a problem, never a guess."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acclimate.data.readers.dialect import Dialect
from acclimate.data.readers.lines import text_lines
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.sniffing import FIELD_LIMIT, fits, looks_swallowed, proper

_LETTERS = 'write a quote inside a text as "", or say `quoting: none` where quotes are letters'


def first_row(path: Path, dialect: Dialect) -> tuple[int, list[str]]:
    """The first row that is not blank, with the number of its line; 1 and no fields where there is none that could be read."""
    lines = _Lines(path, dialect, Problems(skip_bad=True))
    reader = _reader(lines, dialect)
    try:
        while True:
            lines.start_row()
            row = next(reader)
            if row:
                return lines.row[0][0], row
    except (StopIteration, csv.Error):
        return 1, []


def names_of(first: list[str], dialect: Dialect) -> tuple[str, ...]:
    """The names of the columns, by the first row: its fields, or `1`, `2`, ... where it is no header."""
    return tuple(first) if dialect.header else tuple(str(number) for number in range(1, len(first) + 1))


def rows_of(path: Path, dialect: Dialect, problems: Problems) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Each row of data with the number of its first line; None in place of a bad one.

    After a row with broken quotes, reading goes on at the very next line: one stray quote costs one row and does not swallow the rest.
    """
    lines = _Lines(path, dialect, problems)
    reader = _reader(lines, dialect)
    suspicion = _Suspicion(dialect)
    header: tuple[str, ...] | None = None
    while True:
        lines.start_row()
        row: list[str] | None
        try:
            row = next(reader)
            start = lines.row[0][0]
        except StopIteration:
            break
        except csv.Error as error:
            start, first = lines.back_to_second_line()
            problems.add(*_broken(path, start, first, str(error)), first)
            row = None
        if lines.bad:  # its bytes are no text, and the line reader has said so
            row = None
        elif row and (suspected := suspicion.of(lines.row, row)):
            _, first = lines.back_to_second_line()
            problems.add(suspected[0], path, start, suspected[1], first)
            row = None
        if row is None:
            if header is None and dialect.header:
                problems.fatal("no header", path, start, "the header cannot be read, and without it no column is known")
                return
            yield start, None
            continue
        if not row:
            continue
        if header is None:
            header = names_of(row, dialect)
            if dialect.header:
                continue
        if len(row) == len(header) or fits(row, header if dialect.header else ["?"] * len(header)):
            yield start, dict(zip(header, row, strict=False))
        else:
            problems.add("ragged row", path, start, _ragged(row, len(header), dialect), dialect.delimiter.join(row))
            yield start, None
    if header is None and not problems.told:
        wanted = "; a header row with the column names was expected" if dialect.header else ""
        problems.fatal("empty file", path, None, f"the file is empty{wanted}")


class _Suspicion:
    """Notices fields that are quoted by accident, or not read as quoted although they seem to be; nothing where quoting is stated."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._bare = dialect.bare  # a line with quotes inside a field that is not quoted, which no csv writer leaves so

    def of(self, lines: list[tuple[int, str | None]], row: list[str]) -> tuple[str, str] | None:
        """Kind and message, where a row of these lines is suspicious."""
        if self._dialect.stated_quotes or (len(lines) == 1 and '"' not in (lines[0][1] or "")):
            return None
        delimiter = self._dialect.delimiter
        if self._dialect.quotes and len(lines) == 1:
            line = lines[0][1] or ""
            if not (line.startswith('"') or f'{delimiter}"' in line):
                self._bare = lines[0][0]
            return None
        split = [(line or "").split(delimiter) for _, line in lines]
        if not self._dialect.quotes:
            doubled = next((field for field in split[0] if proper(field) and '""' in field[1:-1]), None)
            said = "say `quoting: quotes`, or `quoting: none` if quotes are letters here"
            return ("quotes", f"the field {doubled[:60]!r} seems to be a quoted one; {said}") if doubled else None
        last = lines[-1][0]
        mend = "say `quoting: none` if quotes are letters, or `quoting: quotes` if it is one field"
        if self._swallowed(split, row):
            return "swallowed rows", f"a quote opens here and closes in line {last}, and lines in between read as rows of their own; {mend}"
        if self._bare is not None:
            odd = f"line {self._bare} has quotes inside a field that is not quoted"
            return "swallowed rows", f"a quote opens here and closes in line {last}, but {odd}; {mend}"
        return None

    def _swallowed(self, split: list[list[str]], row: list[str]) -> bool:
        if self._dialect.delimiter == "\t":
            return len(row) > 1 and looks_swallowed(split, len(row))
        where = next(at for at, field in enumerate(row) if "\n" in field)
        alike = sum(self._dialect.columns.usual(fields, where) for fields in split)
        return alike > 1 and 2 * alike >= len(split)


def _reader(lines: "_Lines", dialect: Dialect) -> Any:
    # The limit is the csv module's own setting for the process; its default (128 KiB) is less than a long document.
    csv.field_size_limit(max(FIELD_LIMIT, dialect.longest))
    return csv.reader(lines, delimiter=dialect.delimiter, quoting=csv.QUOTE_MINIMAL if dialect.quotes else csv.QUOTE_NONE, strict=True)


def _ragged(row: list[str], wanted: int, dialect: Dialect) -> str:
    whose = "the header" if dialect.header else "the first row"
    mend = ""
    if not dialect.quotes and any(field.startswith('"') for field in row):
        mend = "; if a field may stand in quotes say `quoting: quotes`"
    elif len(row) > wanted:
        mend = f"; a text with {dialect.separator} in it needs quotes"
        if wanted == 1 and dialect.delimiter != "\t":
            mend += ", or say `delimiter: tab` if each line is one text"
    return f"{len(row)} fields where {whose} has {wanted}{mend}"


def _broken(path: Path, line: int, first: str, error: str) -> tuple[str, Path, int, str]:
    if "unexpected end of data" in error or "field larger" in error:
        return "unclosed quote", path, line, f"a quote is opened and never closed; {_LETTERS}"
    if "new-line character" in error:
        return "bad row", path, line, "a bare carriage return stands outside quotes; end lines with \\n or \\r\\n"
    return "broken quotes", path, line, f"{error}; {_LETTERS}"


class _Lines:
    """Feeds lines to `csv.reader`, remembers which belong to the current row, and can give all but its first back."""

    def __init__(self, path: Path, dialect: Dialect, problems: Problems) -> None:
        self._source = text_lines(path, problems, dialect.encoding, dialect.longest)
        for _ in range(dialect.skipped):
            next(self._source, None)
        self._again: list[tuple[int, str | None]] = []  # lines to be read once more, last one first
        self.row: list[tuple[int, str | None]] = []
        self.bad = False  # a line of the row is no text

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._source)
        self.row.append(line)
        if line[1] is None:
            self.bad = True
            return "\n"
        return line[1] + "\n"

    def start_row(self) -> None:
        self.row = []
        self.bad = False

    def back_to_second_line(self) -> tuple[int, str]:
        (number, text), *rest = self.row
        self._again.extend(reversed(rest))
        return number, text or ""
