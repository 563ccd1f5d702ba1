"""Evidence in the head of a table: what separates its fields, whether quotes are quotes, and which values are usual."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from acclimate.data.readers.columns import is_known
from acclimate.data.readers.reading import Quoting

DELIMITERS = (",", "\t", ";", "|")
FIELD_LIMIT = 1 << 26  # characters; a longer field is an unclosed quote that swallows the file
_ERRORS = 20  # rows with broken quotes from which on a head is not looked at further
_NAME = re.compile(r"[^\W\d][\w.\-/#()]{0,39}")
_PATTERNS = 4  # of the values of a column of numbers or codes, at most
_LABEL_LENGTH = 40  # characters of a value that may be a label


@dataclass(frozen=True)
class Columns:
    """What is usual in a table's columns, by column: the values that come back, or else the patterns of numbers and codes."""

    values: tuple[frozenset[str], ...] = ()
    patterns: tuple[frozenset[str], ...] = ()

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]]) -> "Columns":
        """Of rows that are equally long, header left out."""
        values, patterns = [], []
        for column in zip(*rows, strict=True):
            counts = Counter(value for value in column if 0 < len(value) <= _LABEL_LENGTH)
            back = {value for value, count in counts.items() if count > 1}
            # A column of texts repeats some, too; of one with labels most values come back.
            values.append(frozenset(back) if sum(counts[value] for value in back) >= 0.6 * len(column) else frozenset())
            seen = {_pattern(value) for value in column}
            coded = len(column) > 1 and len(seen) <= _PATTERNS and all("9" in pattern for pattern in seen)
            patterns.append(frozenset(seen) if coded else frozenset())
        return cls(tuple(values), tuple(patterns))

    def usual(self, row: Sequence[str], besides: int) -> bool:
        """Whether a row's fields, one column left out, are like those of other rows; no when nothing is known of any of them."""
        if len(row) != len(self.values):
            return False
        known = [at for at in range(len(row)) if at != besides and (self.values[at] or self.patterns[at])]
        return bool(known) and all(row[at] in self.values[at] or _pattern(row[at]) in self.patterns[at] for at in known)


@dataclass(frozen=True)
class Shape:
    """What the head looks like when read with one delimiter."""

    delimiter: str
    quotes: bool
    opens: bool  # some field begins with a quote
    fields: int  # of the first row
    rows: int  # the first one included
    regular: float  # share of the rows below the first that are as long
    below: int  # fields of nearly all rows below the first; 0 where they differ
    named: bool  # the first row's fields all look like names
    known: bool  # one of them is well known as a name
    columns: Columns
    bare: int | None = None  # a line with quotes inside a field that is not quoted
    spans: bool = False  # some quoted field goes on over several lines
    ambiguous: tuple[int, int] | None = None  # first and last line of what may be one quoted field or several rows


def shape_of(lines: Sequence[str], delimiter: str, quoting: Quoting | None, whole: bool) -> Shape:
    """The head read with a delimiter; whether quotes are quotes is decided by `quoting`, else by what the head shows.

    Only in files with tabs quotes may be letters without a word: everywhere else a quote at a field's start is one.
    """
    # The limit is the csv module's own setting for the process; its default (128 KiB) is less than a long document.
    csv.field_size_limit(FIELD_LIMIT)
    plain = [(at, at, line.split(delimiter)) for at, line in enumerate(lines) if line.strip()]
    opens = any(field.startswith('"') for _, _, row in plain for field in row)
    quoted = list(_quoted(lines, delimiter, whole)) if opens and quoting != "none" else plain
    quotes, ambiguous = quoting != "none", None
    if quoting is None and delimiter == "\t":
        quotes, ambiguous = _shows_quotes(lines, plain, quoted) if opens else (False, None)
    rows = [row for _, _, row in (quoted if quotes else plain) if row is not None]
    broken = sum(1 for _, _, row in quoted if row is None) if quotes else 0
    first, below = (rows[0], rows[1:]) if rows else ([], [])
    good = sum(1 for row in below if fits(row, first))
    usual = Columns.of([row for _, _, row in plain[1:] if row is not None and len(row) == len(first)])
    return Shape(
        delimiter,
        quotes,
        opens,
        len(first),
        len(rows),
        good / (len(below) + broken) if below or broken else 1.0,
        _common([len(row) for row in below]),
        bool(first) and all(_NAME.fullmatch(name.strip()) for name in first),
        any(is_known(name) for name in first),
        usual,
        _bare(lines, quoted, delimiter) if quotes and opens else None,
        quotes and any(last > first for first, last, _ in quoted),
        ambiguous,
    )


def _common(counts: Sequence[int]) -> int:
    (most, times), *_ = Counter(counts).most_common(1) or [(0, 0)]
    return most if times >= 0.9 * len(counts) else 0


def fits(row: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a row is as long as the header, but for empty fields at its end or columns without a name."""
    return len(row) == len(header) or (not any(row[len(header) :]) and not any(name.strip() for name in header[len(row) :]))


def proper(field: str) -> bool:
    """Whether a field as it stands in the file is quoted and has quotes or nothing inside that a csv writer would put there."""
    return len(field) >= 2 and field[0] == field[-1] == '"' and '"' not in field[1:-1].replace('""', "")


def _quoted(lines: Sequence[str], delimiter: str, whole: bool) -> Iterator[tuple[int, int, list[str] | None]]:
    """First and last line and fields of each row, None for one with broken quotes; after such a one, from the next line on."""
    start = errors = 0
    while start < len(lines) and errors < _ERRORS:
        at = start - 1

        def feed() -> Iterator[str]:
            nonlocal at
            for at in range(start, len(lines)):  # noqa: B023
                yield lines[at] + "\n"

        reader = csv.reader(feed(), delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if row:
                    yield start, at, row
                start = at + 1
            return
        except csv.Error as error:
            if "unexpected end" in str(error) and not whole:
                return  # the head ends in the middle of a field
            yield start, start, None
            errors += 1
            start += 1


def _shows_quotes(
    lines: Sequence[str], plain: Sequence[tuple[int, int, list[str]]], quoted: Sequence[tuple[int, int, list[str] | None]]
) -> tuple[bool, tuple[int, int] | None]:
    """Whether quotes in a file with tabs are more than letters, and the lines in which that cannot be told."""
    header = plain[0][2]
    broken = sum(1 for _, _, row in quoted if row is None)
    odd_quoted = broken + sum(1 for _, _, row in quoted if row is not None and not fits(row, header))
    odd_plain = sum(1 for _, _, row in plain if not fits(row, header))
    spans = [(first, last) for first, last, row in quoted if row is not None and last > first]
    if len(header) > 1 and any(
        looks_swallowed([lines[at].split("\t") for at in range(first, last + 1)], len(header)) for first, last in spans
    ):
        return False, None
    if odd_quoted or odd_plain:
        return odd_quoted * 10 <= odd_plain, None
    bare = _bare(lines, quoted, "\t")
    doubled = next((at for at, _, row in plain if any(proper(field) and '""' in field[1:-1] for field in row)), None)
    if doubled is not None and bare is not None:
        return False, (min(doubled, bare), max(doubled, bare))
    if doubled is not None or _all_quoted(lines, plain, quoted):
        return True, None
    return False, spans[0] if spans and bare is None else None


def _bare(lines: Sequence[str], quoted: Sequence[tuple[int, int, list[str] | None]], delimiter: str) -> int | None:
    """The first line with quotes inside a field that is not quoted, which no csv writer leaves so."""
    singles = (first for first, last, row in quoted if row is not None and first == last and '"' in lines[first])
    return next((at for at in singles if not any(field.startswith('"') for field in lines[at].split(delimiter))), None)


def _all_quoted(
    lines: Sequence[str], plain: Sequence[tuple[int, int, list[str]]], quoted: Sequence[tuple[int, int, list[str] | None]]
) -> bool:
    """Whether all fields of some column are quoted, its name included, or all fields of all rows."""
    if len(plain) < (2 if all(map(proper, plain[0][2])) else 3):
        return False
    if len(plain[0][2]) == 1:
        return all(lines[first].startswith('"') and lines[last].endswith('"') for first, last, _ in quoted)
    columns = [[proper(field) for field in column if field] for column in zip(*(row for _, _, row in plain), strict=True)]
    return any(len(column) > 1 and all(column) for column in columns) or all(all(column[1:]) for column in columns)


def looks_swallowed(rows: Sequence[Sequence[str]], fields: int) -> bool:
    """Whether the lines of one quoted field, split at their tabs, are mostly rows of so many fields: tabs are rare in texts."""
    alike = sum(len(row) == fields for row in rows)
    return alike > 1 and 2 * alike >= len(rows)


def _pattern(value: str) -> str:
    """`a9` for `id17`: letters and figures by kind alone, in values without spaces that are no longer than labels."""
    if len(value) > _LABEL_LENGTH or " " in value.strip():
        return ""
    return re.sub(r"\d+", "9", re.sub(r"[^\W\d_]+", "a", value.strip()))
