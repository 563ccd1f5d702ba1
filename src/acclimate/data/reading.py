"""How files of records are read: what a user may state, and what is detected where nothing is stated."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from acclimate.settings import Settings

Format = Literal["jsonl", "csv", "tsv", "parquet", "txt", "hf"]
LabelledFormat = Literal["jsonl", "csv", "tsv", "parquet", "hf"]
DocumentMode = Literal["line", "blank", "file"]
Quoting = Literal["quotes", "none"]


@dataclass(frozen=True)
class Reading:
    """How a source is to be read; None everywhere: as the files show it, and what they showed is told."""

    format: Format | None = None
    documents: DocumentMode | None = None
    delimiter: str | None = None
    quoting: Quoting | None = None
    encoding: str | None = None
    header: bool | None = None


class TableReading(Settings):
    """How tables and texts are read, wherever a study names files. Left out, each is detected and shown."""

    delimiter: str | None = Field(default=None, min_length=1)
    """What stands between the fields of a csv or tsv file: one character, or `tab`."""
    quoting: Quoting | None = None
    """`quotes`: a csv or tsv field may stand in double quotes, and then span lines; `none`: quotes are letters like others."""
    encoding: str | None = None
    """The encoding of text files, e.g. `cp1252`, `latin-1` or `utf-16`; UTF-8 when not given."""
    header: bool | None = None
    """Whether the first row of a csv or tsv file names the columns; without a header they are called `1`, `2`, ..."""
