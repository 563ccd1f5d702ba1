"""One item for every row of an input, in order, whatever is in it: a text, or why there is none."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from acclimate.data.corpus import checked_text
from acclimate.data.readers.lines import text_lines
from acclimate.data.readers.problems import Problems, place
from acclimate.data.readers.records import Record, Row, Source
from acclimate.errors import DataError


class RowText(NamedTuple):
    """One row with its text; of one that has none, `kind` and `message` say why."""

    file: Path
    line: int  # from 1; in a table without lines the number of the row
    row: int  # from 0, over all rows of all files
    text: str | None
    kind: str = ""
    message: str = ""

    @property
    def problem(self) -> str:
        """What is wrong and where, e.g. `new.csv:3: 'text' is empty`."""
        return f"{place(self.file, self.line)}: {self.message}"


def every_text(source: Source, column: str) -> Iterator[RowText]:
    """Every row of the source. A line of a txt file that is read line by line is a row, a blank one, too: answers stand beside lines.

    Raises:
        DataError: a file cannot be opened or decompressed, or lacks the column.
    """
    told = _Told()
    by_line = source.format == "txt" and set(source.documents.values()) == {"line"}
    rows = _lines(source, column, told) if by_line else source.rows((column,), told)
    for file, line, row, values in rows:
        text = None if values is None else checked_text(Record(file, line, row, values), column, told)
        yield RowText(file, line, row, text) if text is not None else RowText(file, line, row, None, *told.of(file, line))


def _lines(source: Source, column: str, problems: Problems) -> Iterator[Row]:
    row = -1
    for file in source.files:
        for line, text in text_lines(file, problems, source.encoding, source.longest):
            row += 1
            if text is not None and not text.strip():
                problems.add("empty text", file, line, "the line is blank")
            yield Row(file, line, row, {column: text} if text is not None and text.strip() else None)


class _Told(Problems):
    """Keeps what readers say of a row until that row comes by; what concerns a whole file is an error at once."""

    def __init__(self) -> None:
        super().__init__(skip_bad=True)
        self._of: dict[tuple[str, int], tuple[str, str]] = {}

    def add(
        self, kind: str, file: Path | str, line: int | None, message: str, record: object = None, hint: Callable[[], str] | None = None
    ) -> None:
        self._of.setdefault((str(file), line or 0), (kind, message))

    def fatal(self, kind: str, file: Path | str, line: int | None, message: str, hint: Callable[[], str] | None = None) -> None:
        raise DataError(f"{place(file, line)}: {message}{hint() if hint else ''}")

    def of(self, file: Path, line: int) -> tuple[str, str]:
        """The kind and the words of what is wrong with the row that begins at this line."""
        if (str(file), line) in self._of:
            return self._of.pop((str(file), line))
        # Of a row over several lines the trouble may stand below its first one; what is above it was told of rows that have gone by.
        self._of = {(name, known): told for (name, known), told in self._of.items() if name == str(file) and known > line}
        below = min((known for _, known in self._of), default=line)
        return self._of.pop((str(file), below), ("unreadable", "cannot be read"))
