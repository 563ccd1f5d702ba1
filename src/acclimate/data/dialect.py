"""How one csv or tsv file is written: delimiter, quotes, header, encoding."""

from dataclasses import dataclass
from pathlib import Path

from acclimate.data.lines import encoding_called
from acclimate.data.reading import Format, Reading
from acclimate.errors import DataError

_DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class Dialect:
    """How a table's fields are told from each other."""

    delimiter: str
    quotes: bool = True  # a field may stand in double quotes; else they are letters
    header: bool = True  # the first row names the columns
    encoding: str | None = None  # None: UTF-8, or as a byte order mark says


def stated_delimiter(value: str, where: Path | str) -> str:
    """The character that a setting `delimiter` means.

    Raises:
        DataError: it is not one character that could separate fields.
    """
    delimiter = "\t" if value in ("tab", "\\t") else value
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise DataError(f"{where}: `delimiter: {value}` is no single character; say e.g. `delimiter: ;` or `delimiter: tab`")
    return delimiter


def dialect_of(file: Path, format: Format, reading: Reading) -> Dialect:
    """How a file is written: as stated, or as its ending says.

    Raises:
        DataError: a setting makes no sense.
    """
    delimiter = _DELIMITERS[format] if reading.delimiter is None else stated_delimiter(reading.delimiter, file)
    encoding = None if reading.encoding is None else encoding_called(reading.encoding, file)
    return Dialect(delimiter, reading.quoting != "none", reading.header is not False, encoding)
