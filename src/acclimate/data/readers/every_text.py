"""One item for every row of an input, in order, whatever is in it: what a model is asked about, or why there is nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import model_validator

from acclimate.data.corpus import CorpusSettings
from acclimate.data.ragged import Ragged
from acclimate.data.readers.columns import detect_column
from acclimate.data.readers.lines import text_lines
from acclimate.data.readers.problems import Problems, place
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import Record, Row, Source
from acclimate.data.readers.texts import checked_text
from acclimate.errors import DataError


class AskedFiles(CorpusSettings):
    """Files whose rows are put to a model."""

    text_b: str | None = None
    """The column that holds the second text of a pair; detected when not given, where the model answers pairs."""
    conll: bool = False
    """They hold sentences in columns, whatever their names say; `format: conll` says so, too."""

    @model_validator(mode="before")
    @classmethod
    def _sentences(cls, value: Any) -> Any:
        said = isinstance(value, Mapping) and value.get("format") == "conll"
        return {**value, "format": None, "conll": True} if said else value

    @property
    def reading(self) -> Reading:
        """How they are to be read, as far as it is stated."""
        return replace(super().reading, format="conll") if self.conll else super().reading


class Asked(NamedTuple):
    """What of a row a model is asked about."""

    columns: Mapping[str, str]
    """Those that are read, by what they are to the model: `text`, ..."""
    read: Callable[[Record, Problems], tuple[str, ...] | None]
    """The texts of an item; `problems` gets to know why a record has none."""
    words: Callable[[Sequence[str]], Ragged] | None = None
    """Where every word is asked about, which words the texts have (as in `Split.words`)."""
    tokens: bool = False
    """Whether rows say themselves which words there are."""


def asked_text(source: Source, stated: Mapping[str, str]) -> Asked:
    """One text; `stated` are the columns that the user named.

    Raises:
        DataError: it is not clear which column holds it.
    """
    column = stated.get("text") or detect_column("text", source)

    def read(record: Record, problems: Problems) -> tuple[str, ...] | None:
        text = checked_text(record, column, problems)
        return None if text is None else (text,)

    return Asked({"text": column}, read)


class RowTexts(NamedTuple):
    """One row with its texts; of one that has none, `kind` and `message` say why."""

    file: Path
    line: int  # from 1; in a table without lines the number of the row
    row: int  # from 0, over all rows of all files
    texts: tuple[str, ...] | None
    kind: str = ""
    message: str = ""

    @property
    def problem(self) -> str:
        """What is wrong and where, e.g. `new.csv:3: 'text' is empty`."""
        return f"{place(self.file, self.line)}: {self.message}"


def every_text(source: Source, asked: Asked) -> Iterator[RowTexts]:
    """Every row of the source. A line of a txt file that is read line by line is a row, a blank one, too: answers stand beside lines.

    Raises:
        DataError: a file cannot be opened or decompressed, or lacks a column.
    """
    told, columns = _Told(), tuple(asked.columns.values())
    by_line = source.format == "txt" and set(source.documents.values()) == {"line"}
    rows = _lines(source, columns[0], told) if by_line else source.rows(columns, told)
    for file, line, row, values in rows:
        texts = None if values is None else asked.read(Record(file, line, row, values), told)
        yield RowTexts(file, line, row, texts) if texts is not None else RowTexts(file, line, row, None, *told.of(file, line))


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
