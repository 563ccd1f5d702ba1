"""How files of records are read: what a user may state, and what is detected where nothing is stated.

Messages name the mend as a study file writes it, in backticks: "say `encoding: cp1252`", "name it with `text:`". Verbs turn these words
into their own options, "say --encoding cp1252" (`in_options` in `acclimate/cli/mends.py`), so that a reader writes a message once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from acclimate.errors import DataError
from acclimate.settings import Settings

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "txt", "hf"]
LabelledFormat = Literal["jsonl", "json", "csv", "tsv", "parquet", "hf", "conll"]
AskedFormat = Literal["jsonl", "json", "csv", "tsv", "parquet", "txt", "hf", "conll"]
SourceFormat = Format | Literal["conll", "rows"]
"""`conll`: sentences in columns, a word a line, which only labelled examples are; `rows`: given from Python, which no setting says."""
DocumentMode = Literal["line", "blank", "file"]
Quoting = Literal["quotes", "none"]
Offsets = Literal["characters", "utf-16"]
TABLES = ("csv", "tsv")
KEYED = ("jsonl", "json", "rows")  # a record names its columns itself, and may lack some
LONGEST = 1 << 24  # bytes of a line, and characters of a document: the Bible is a quarter of it
_OF_FORMATS = {  # which formats a setting says something about
    "documents": ("txt",),
    "delimiter": TABLES,
    "quoting": TABLES,
    "header": TABLES,
    "encoding": ("csv", "tsv", "jsonl", "json", "txt", "conll"),
}


@dataclass(frozen=True)
class Reading:
    """How a source is to be read; None everywhere: as the files show it, and what they showed is told."""

    format: Format | LabelledFormat | None = None
    documents: DocumentMode | None = None
    delimiter: str | None = None
    quoting: Quoting | None = None
    encoding: str | None = None
    header: bool | None = None
    longest: int = LONGEST
    sentences: bool = False
    """Whether files are looked at for sentences in columns whose names say txt, tsv or nothing, where no format is stated."""

    @property
    def with_labels(self) -> str:
        """What can be said of a txt file so that its labels are read."""
        if self.sentences:
            return "`format: conll` if it has a word and its tag a line"
        return "`format: tsv` or `format: csv` if it is a table"

    def check(self, format: SourceFormat, where: Path | str) -> None:
        """Refuse what says nothing about files of this format.

        Raises:
            DataError: a setting is about other formats.
        """
        for name, formats in _OF_FORMATS.items():
            value = getattr(self, name)
            if value is not None and format not in formats:
                said = str(value).lower() if isinstance(value, bool) else value
                raise DataError(f"{where}: `{name}: {said}` is about {', '.join(formats)} files, and this is {format}")


class TableReading(Settings):
    """How tables and texts are read, wherever a study names files. Left out, each is detected and shown."""

    delimiter: str | None = None
    """What stands between the fields of a csv or tsv file: one character, or `tab`."""
    quoting: Quoting | None = None
    """`quotes`: a csv or tsv field may stand in double quotes, and then span lines; `none`: quotes are letters like others."""
    encoding: str | None = None
    """The encoding of text files, e.g. `cp1252`, `latin-1` or `utf-16`; UTF-8 when not given."""
    header: bool | None = None
    """Whether the first row of a csv or tsv file names the columns; without a header they are called `1`, `2`, ..."""
    longest: int = Field(default=LONGEST, ge=1 << 10, le=1 << 32)
    """The longest line or document that is read, in bytes; longer ones are refused, for they take many times as much memory."""

    def read_as(self, format: Format | LabelledFormat | None, documents: DocumentMode | None = None) -> Reading:
        """How the files are to be read, as far as it is stated."""
        return Reading(format, documents, self.delimiter, self.quoting, self.encoding, self.header, self.longest)
