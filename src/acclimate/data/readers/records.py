"""One reader for every input: records with the file and line they come from, streamed and strict."""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from acclimate.data.readers import hub, plaintext, tables
from acclimate.data.readers.columns import data_like
from acclimate.data.readers.conll import looks_like_sentences, sentences_of, shape_of
from acclimate.data.readers.dialect import Dialect, dialect_of, shown, word_for
from acclimate.data.readers.endings import SENTENCES, format_of
from acclimate.data.readers.folders import find, is_dataset_folder, nothing_read, one_format
from acclimate.data.readers.given import given_rows
from acclimate.data.readers.json_records import json_objects
from acclimate.data.readers.lines import UTF8, encoding_called, marked_encoding
from acclimate.data.readers.parquet import parquet_columns, parquet_rows
from acclimate.data.readers.problems import FromPython, Problems
from acclimate.data.readers.reading import KEYED, LONGEST, TABLES, DocumentMode, Reading, SourceFormat
from acclimate.errors import DataError

TEXT_COLUMN = "text"  # the only column of a plain text file
_PEEK_RECORDS = 50


class Record(NamedTuple):
    """One record as it stands in its file."""

    file: Path
    line: int  # from 1; in a table without lines (parquet, datasets) the number of the row
    row: int  # from 0, over all records of the source in order, bad ones counted too
    values: dict[str, Any]


class Row(NamedTuple):
    """One row of a file, a record or not."""

    file: Path
    line: int
    row: int
    values: dict[str, Any] | None  # None where it could not be read, which the reader's `problems` got to know just before


@dataclass(frozen=True)
class Source:
    """Files of one format, ready to be read as often as one likes."""

    files: tuple[Path, ...]
    format: SourceFormat
    documents: Mapping[Path, DocumentMode] = field(default_factory=dict)  # what a document is in each txt file
    dataset: Any = field(default=None, repr=False)
    given: Path | None = None  # the file of rows that come from Python; `files` says what to call them
    longest: int = LONGEST  # bytes of a line, characters of a document
    encoding: str | None = None  # of jsonl and txt files; None: UTF-8, or as a byte order mark says
    header: bool | None = True  # whether the first row names the columns; None: nobody said so, and it should look like it
    dialects: Mapping[Path, Dialect] = field(default_factory=dict)  # of csv and tsv files
    detected: dict[str, str] = field(default_factory=dict)  # what nobody stated, e.g. {"format": "jsonl"}
    unread: tuple[Path, ...] = ()  # what lies below a folder that was named and is not read

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names: of the schema or header where there is one, else those of the first records, in order of appearance."""
        return self.columns_of(self.files[0])

    def columns_of(self, file: Path) -> tuple[str, ...]:
        if self.format == "txt":
            return (TEXT_COLUMN,)
        if self.format == "conll":
            shape = shape_of(file, self.encoding, self.longest)
            return () if shape is None else shape.names
        if self.format == "hf":
            return tuple(self.dataset.column_names)
        if self.format == "parquet":
            return parquet_columns(file)
        if self.format in TABLES:
            return tables.names_of(self.header_row(file)[1], self.dialects[file])
        objects = (values for _, values in self._values(file, (), Problems(skip_bad=True)) if values is not None)
        return tuple(dict.fromkeys(key for values in islice(objects, _PEEK_RECORDS) for key in values))

    def header_row(self, file: Path) -> tuple[int, list[str]]:
        """The first row of a table in text, header or not, with the number of its line."""
        return tables.first_row(file, self.dialects[file])

    def check_columns(self, columns: Sequence[str]) -> None:
        """Look for these columns in the header or schema of every file; in the first records of a jsonl file.

        Raises:
            DataError: a file lacks one of them.
        """
        with Problems() as problems:
            for file in self.files[:1] if self.format in ("hf", "jsonl", "rows") else self.files:
                self._has_columns(file, columns, problems)

    def records(self, columns: Sequence[str], problems: Problems) -> Iterator[Record]:
        """Every good record, holding at least these columns; `problems` gets to know the others.

        Raises:
            DataError: a file cannot be opened or decompressed.
        """
        for file, line, row, values in self.rows(columns, problems):
            if values is not None:
                yield Record(file, line, row, values)

    def rows(self, columns: Sequence[str], problems: Problems) -> Iterator[Row]:
        """As `records`, with a row in the place of every record that is no good.

        Raises:
            DataError: a file cannot be opened or decompressed.
        """
        row = -1
        for file in self.files[:1] if self.format == "hf" else self.files:
            if self.format not in (*KEYED, "txt") and not self._has_columns(file, columns, problems):
                continue
            before = row
            for line, values in self._values(file, columns, problems):
                row += 1
                absent = [name for name in columns if name not in values] if values is not None else []
                if values is not None and absent:
                    near = _nearest(absent[0], tuple(values), tuple(columns))
                    message = f"no {absent[0]!r}{near}; it has {', '.join(map(repr, values)) or 'no keys'}"
                    problems.add("missing column", file, line, message, values)
                yield Row(file, line, row, None if absent else values)
            problems.rows[file] = row - before

    def _values(self, file: Path, columns: Sequence[str], problems: Problems) -> Iterator[tuple[int, dict[str, Any] | None]]:
        match self.format:
            case "jsonl" | "json":
                yield from json_objects(file, problems, self.encoding, self.longest)
            case "csv" | "tsv":
                yield from tables.rows_of(file, self.dialects[file], problems)
            case "conll":
                yield from sentences_of(file, problems, self.encoding, self.longest)
            case "parquet":
                yield from parquet_rows(file, columns)
            case "hf":
                yield from enumerate(hub.dataset_rows(self.dataset, columns), start=1)
            case "rows":
                assert self.given is not None
                yield from given_rows(self.given, file, problems, self.longest)
            case "txt":
                for line, text in plaintext.documents_of(file, self.documents[file], problems, self.encoding, self.longest):
                    yield line, None if text is None else {TEXT_COLUMN: text}

    def _has_columns(self, file: Path, columns: Sequence[str], problems: Problems) -> bool:
        header = self.columns_of(file)
        absent = [name for name in columns if name not in header]
        at = self.header_row(file)[0] if self.format in TABLES else None
        repeated = [name for name in columns if header.count(name) > 1]
        if repeated:
            problems.fatal("repeated column", file, at, f"the header names {', '.join(map(repr, repeated))} more than once")
            return False
        if not absent or not header:  # an empty or broken header is reported by the reader of the rows
            return True
        mend = _nearest(absent[0], header, tuple(columns))
        other = next((letter for letter in ";|\t," if letter in header[0]), None) if len(header) == 1 and at else None
        if other:
            mend = f" (are the columns separated by {shown(other)}? say `delimiter: {word_for(other)}`)"
        if self.header is None and not mend and data_like(header):
            mend = " (is this a row of data? say `header: false` if no file has a header, or add one)"
        problems.fatal("missing column", file, at, f"no column {absent[0]!r}{mend}; it has {', '.join(map(repr, header))}")
        return False


def open_source(
    pattern: str | Sequence[str],
    root: Path,
    reading: Reading = Reading(),
    splits: Sequence[str] = ("train",),
) -> Source:
    """Find the files of a path, glob, folder, list of these, or hub id, and settle how they are read; what was not stated is detected.

    Of a Hugging Face dataset with several splits the first of `splits` that it has is taken.

    Raises:
        DataError: nothing is there, formats are mixed, or a dataset has none of these splits.
    """
    format: SourceFormat | None = reading.format
    reference = hub.hub_reference(pattern, root) if isinstance(pattern, str) and format in (None, "hf") else None
    if reference is not None:
        reading.check("hf", reference.name)
        return source_of_dataset(hub.load_hub(reference), reference.name, splits)
    found = find(pattern, root, format)
    files = found.files
    if not files:
        raise DataError(nothing_read(pattern, root, found, format))
    detected: dict[str, str] = {}
    if format is None:
        format = "conll" if reading.sentences and _sentences(files, reading) else one_format(files)
        detected["format"] = format
    reading.check(format, files[0])
    if format == "rows":
        return Source((FromPython(files[0].stem),), format, given=files[0], longest=reading.longest)
    if format == "hf":
        if len(files) != 1 or not is_dataset_folder(files[0]):
            raise DataError(f"{files[0]}: `format: hf` wants one folder written by `save_to_disk`, or a hub id such as owner/name")
        return source_of_dataset(hub.load_folder(files[0]), str(files[0]), splits)
    encoding = None if reading.encoding is None else encoding_called(reading.encoding, files[0])
    if encoding is None and format != "parquet":
        marked = [marked_encoding(file) for file in files]
        detected |= {"encoding": _summary(marked)} if set(marked) != {UTF8} else {}
    unread = (*found.unread, *found.datasets)
    if format not in TABLES:
        modes: dict[Path, DocumentMode] = {}
        if format == "txt" and reading.documents is not None:
            modes = dict.fromkeys(files, reading.documents)
        elif format == "txt":
            modes, guess = plaintext.detect_documents(files, encoding, reading.longest)
            detected |= {"documents": _summary([*modes.values()])}
            detected |= {"guessed": "what a document is; state it with `documents:`"} if guess else {}
        return Source(files, format, modes, encoding=encoding, detected=detected, unread=unread, longest=reading.longest)
    dialects = {file: dialect_of(file, format, reading) for file in files}
    for name in ("delimiter", "quoting"):
        seen = [dialect.detected.get(name) for dialect in dialects.values()]
        detected |= {name: _summary(seen)} if any(seen) else {}
    return Source(files, format, header=reading.header, dialects=dialects, detected=detected, unread=unread, longest=reading.longest)


def _sentences(files: Sequence[Path], reading: Reading) -> bool:
    """Whether files whose names say something else, or nothing, hold sentences in columns."""
    encoding = None if reading.encoding is None else encoding_called(reading.encoding, files[0])
    return all(
        not is_dataset_folder(file) and format_of(file) in SENTENCES and looks_like_sentences(file, encoding, reading.longest)
        for file in files
    )


def _summary(values: Sequence[str | None]) -> str:
    """What was found in several files: the one value, or each with the number of its files."""
    counts = Counter(value for value in values if value is not None)
    if len(counts) == 1 and len(values) == counts.total():
        return next(iter(counts))
    return ", ".join(f"{value} ({count} of {len(values)} files)" for value, count in counts.items())


def source_of_dataset(splits: dict[str, Any], name: str, wanted: Sequence[str]) -> Source:
    """A source for the first wanted split that is there; a dataset with one split alone gives that one.

    Raises:
        DataError: there are several splits, and none of the wanted ones is among them.
    """
    chosen = next((split for split in wanted if split in splits), None)
    if chosen is None:
        if len(splits) != 1:
            raise DataError(f"{name}: has the splits {', '.join(splits)}; name one: `{name}[{next(iter(splits))}]` or its folder")
        chosen = next(iter(splits))
    dataset = splits[chosen]
    files = hub.dataset_files(dataset)
    if not files:
        raise DataError(f"{name}: the split {chosen!r} is empty")
    return Source(files, "hf", dataset=dataset, detected={"format": "hf", "split": chosen})


@lru_cache  # the rows of a file mostly have the same keys, and may all lack one
def _nearest(name: str, names: tuple[str, ...], used: tuple[str, ...]) -> str:
    """A column that may have been meant; never one that is read as something else."""
    close = difflib.get_close_matches(name, [each for each in names if each not in used], n=1)
    return f" — {close[0]!r} meant?" if close else ""
