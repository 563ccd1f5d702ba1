"""How one csv or tsv file is written: delimiter, quotes, header, encoding; as stated, or as the head of the file shows it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from acclimate.data.readers.lines import encoding_called, text_lines
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import LONGEST, Reading, SourceFormat
from acclimate.data.readers.sniffing import DELIMITERS, Columns, Shape, shape_of
from acclimate.errors import DataError

_DEFAULTS = {"csv": ",", "tsv": "\t"}
_HEAD_LINES, _HEAD_CHARACTERS = 1_000, 1 << 18
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<delimiter>[^"])"?(?P=delimiter)*', re.IGNORECASE)  # Excel's first line
_NO_TEXT = "\ufffd"
_FEW_ROWS = 5  # with as many or fewer, that all hold a delimiter as often may be chance
_LIKELY = 0.9  # share of rows as wide as the first from which on a delimiter is likely


@dataclass(frozen=True)
class Dialect:
    """How a table's fields are told from each other."""

    delimiter: str
    quotes: bool = True  # a field may stand in double quotes; else they are letters
    header: bool = True  # the first row names the columns
    encoding: str | None = None  # None: UTF-8, or as a byte order mark says
    skipped: int = 0  # lines before the first row: empty ones, Excel's `sep=;`
    stated_quotes: bool = False  # then nothing that a field holds is suspicious
    columns: Columns = field(default=Columns(), repr=False)  # what is usual in this file, to notice what is not
    bare: int | None = None  # a line with quotes inside a field that is not quoted
    detected: Mapping[str, str] = field(default_factory=dict)  # what was seen rather than stated and is not what the ending says
    longest: int = LONGEST  # bytes of a line

    @property
    def separator(self) -> str:
        """The delimiter, as it is written in messages."""
        return shown(self.delimiter)


def shown(delimiter: str) -> str:
    """A delimiter, as it is written in messages."""
    return "a tab" if delimiter == "\t" else repr(delimiter)


def word_for(delimiter: str) -> str:
    """A delimiter, as one states it."""
    return "tab" if delimiter == "\t" else delimiter


def stated_delimiter(value: str, where: Path | str) -> str:
    """The character that a setting `delimiter` means.

    Raises:
        DataError: it is not one character that could separate fields.
    """
    delimiter = "\t" if value in ("tab", "\\t") else value
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise DataError(f"{where}: `delimiter: {value}` is no single character; say e.g. `delimiter: ;` or `delimiter: tab`")
    return delimiter


def dialect_of(file: Path, format: SourceFormat, reading: Reading) -> Dialect:
    """How a file is written: as stated, and for the rest as its first thousand lines show it.

    Raises:
        DataError: a setting makes no sense; the header is no text in this encoding; or the head can be read in more than one way.
    """
    encoding = None if reading.encoding is None else encoding_called(reading.encoding, file)
    stated = None if reading.delimiter is None else stated_delimiter(reading.delimiter, file)
    header = reading.header is not False
    numbered = list(_head(file, encoding, reading.longest))
    lines = [line for _, line in numbered]
    skipped = _blank(lines, 0, header)
    told = _SEPARATOR_LINE.fullmatch(lines[skipped]) if skipped < len(lines) else None
    if told:
        stated = stated or told["delimiter"]
        skipped = _blank(lines, skipped + 1, header)
    if header and lines[skipped:] and lines[skipped] == _NO_TEXT:
        # Without its header nothing is known of a table: what is wrong with the line is said at once.
        for _ in islice(text_lines(file, Problems(at_once=True), encoding, reading.longest), numbered[skipped][0]):
            pass
    whole = len(lines) < _HEAD_LINES and sum(map(len, lines)) < _HEAD_CHARACTERS
    own = _DEFAULTS[format]
    shapes = {d: shape_of(lines[skipped:], d, reading.quoting, whole) for d in ([stated] if stated else [own, *DELIMITERS])}
    shape = shapes[stated] if stated else _chosen(file, numbered[skipped][0] if numbered[skipped:] else 1, shapes, own, reading.header)
    if shape.ambiguous is not None and reading.quoting is None:
        first, last = (numbered[skipped + at][0] for at in shape.ambiguous)
        raise DataError(
            f"{file}:{first}: are quotes letters, or do they enclose fields? This line and line {last} do not agree, or are one field of "
            "several lines; say `quoting: none`, or `quoting: quotes`"
        )
    detected = {"delimiter": shown(shape.delimiter)} if shape.delimiter != own and reading.delimiter is None else {}
    if shape.delimiter == "\t" and shape.opens and reading.quoting is None:
        detected["quoting"] = "quotes" if shape.quotes else "none"
    elif shape.spans and reading.quoting is None:
        detected["quoting"] = "quotes, with fields of several lines"
    bare = None if shape.bare is None else numbered[skipped + shape.bare][0]
    return Dialect(
        shape.delimiter, shape.quotes, header, encoding, skipped, reading.quoting is not None, shape.columns, bare, detected,
        reading.longest,
    )  # fmt: skip


def _head(file: Path, encoding: str | None, longest: int) -> Iterator[tuple[int, str]]:
    size = 0
    for number, line in islice(text_lines(file, Problems(skip_bad=True), encoding, longest), _HEAD_LINES):
        # A line that is no text still is a line, and no blank one; the reader of the rows says what is wrong with it.
        yield number, _NO_TEXT if line is None else line
        size += len(line or "")
        if size >= _HEAD_CHARACTERS:
            return


def _blank(lines: list[str], start: int, header: bool) -> int:
    """The first line from `start` on that is not blank; before a header, lines of delimiters alone are blank, too."""
    letters = "".join(DELIMITERS) + '"' if header else ""
    return next((at for at in range(start, len(lines)) if lines[at].strip().strip(letters + " \t")), len(lines))


def _chosen(file: Path, line: int, shapes: dict[str, Shape], own: str, header: bool | None) -> Shape:
    """The shape by the delimiter that the ending says, unless the head shows that another is meant.

    Raises:
        DataError: several are as likely; or another separates the header, but not the rows; or the rows, but not the header.
    """
    usual = shapes[own]
    others = [shape for shape in shapes.values() if shape.delimiter != own]
    fitting = [shape for shape in others if shape.fields > 1 and shape.regular >= _LIKELY and (header is not False or shape.rows > 1)]
    rivals = fitting
    if usual.fields > 1:
        perfect = [shape for shape in fitting if shape.regular == 1 and shape.rows > 2]
        poor = usual.regular < _LIKELY / 2
        # Names in the first row speak for the usual one where another fits every row, too; so do tabs, which texts hardly have.
        rivals = perfect if poor or not (usual.named or own == "\t") else []
        fitting = perfect if poor else []
    elif not fitting and header is not False:
        rivals = [shape for shape in others if shape.fields > 1 and shape.named]
    if len(fitting) == 1:
        return fitting[0]
    if rivals:
        raise DataError(f"{file}:{line}: what separates the columns is not clear: {_counts([usual, *rivals])}; {_choice([*rivals, usual])}")
    below = [shape for shape in shapes.values() if shape.below > 1 and shape.rows > _FEW_ROWS]
    if below and usual.fields == 1 and header is None and not usual.known:
        what = f"the first row has one field, but the rows below have {below[0].below}, separated by {shown(below[0].delimiter)}"
        raise DataError(f"{file}:{line}: {what}; remove it if it is a title, or say `header: true` if it names the only column")
    return usual


def _counts(shapes: list[Shape]) -> str:
    told = (f"{shown(shape.delimiter)} gives {shape.fields}, in {shape.regular:.0%} of the rows" for shape in shapes)
    return "; ".join(told)


def _choice(shapes: list[Shape]) -> str:
    return "say " + " or ".join(f"`delimiter: {word_for(shape.delimiter)}`" for shape in shapes)
