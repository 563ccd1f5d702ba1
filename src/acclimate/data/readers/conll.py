"""Sentences in columns: a word a line with its fields, a blank line behind every sentence (CoNLL 2000 to 2012, CoNLL-U, IOB files).

Fields stand between tabs, or between blanks where the first line with fields has no tab. `-DOCSTART-` and `#begin document` begin a
document, and belong to no sentence. Comments (`# `) stand before a sentence, and have another number of fields than words have.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from acclimate.data.readers.lines import text_lines, too_long
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import LONGEST
from acclimate.errors import DataError

LINES = "lines"  # beside the columns `1`, `2`, ...: the line of each word
DOCUMENT = "document"  # and, where documents are marked, the number of the one that a sentence stands in
_BLANKS = re.compile(r"[ \t]+")
_DOCUMENT = ("-DOCSTART-", "#begin document", "# newdoc")
_TAG = re.compile(r"O|[BIESLUM][-_].+|.+[-_][BIESLUM]")
_SPLIT_WORD = re.compile(r"\d+[-.]\d+")  # of CoNLL-U: the words 3-4 as they are written together, or one that is left out
_UNIVERSAL = 10  # columns of CoNLL-U
_PEEK = 400  # lines


@dataclass(frozen=True)
class Shape:
    """How the lines of a file are divided."""

    tabs: bool
    columns: int
    documents: bool
    """Whether it marks where documents begin."""

    def fields(self, line: str) -> list[str]:
        """The fields of a line."""
        return line.split("\t") if self.tabs else _BLANKS.split(line.strip(" \t"))

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called."""
        return (*(str(number) for number in range(1, self.columns + 1)), *((DOCUMENT,) if self.documents else ()))


@dataclass
class _Sentence:
    """Lines of words, until the sentence ends."""

    start: int = 0
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    size: int = 0
    good: bool = True


def shape_of(file: Path, encoding: str | None = None, longest: int = LONGEST) -> Shape | None:
    """How a file is divided, as its first line with fields shows; None where there is none."""
    documents = False
    for _, line in text_lines(file, Problems(skip_bad=True), encoding, longest):
        if line is None or not line.strip():
            continue
        documents = documents or line.startswith(_DOCUMENT)
        if not line.startswith(("# ", *_DOCUMENT)):
            tabs = "\t" in line.strip()
            return Shape(tabs, len(line.split("\t") if tabs else _BLANKS.split(line.strip(" \t"))), documents)
    return None


def looks_like_sentences(file: Path, encoding: str | None = None, longest: int = LONGEST) -> bool:
    """Whether the head of a file holds a word a line with a tag behind it, and blank lines between sentences."""
    try:
        shape = shape_of(file, encoding, longest)
        if shape is None or shape.columns < 2:
            return False
        head = [line for _, line in islice(text_lines(file, Problems(skip_bad=True), encoding, longest), _PEEK)]
    except DataError:
        return False
    words = [shape.fields(line) for line in head if line and line.strip() and not line.startswith(("#", "-DOCSTART-"))]
    even = sum(len(each) == shape.columns for each in words) >= 0.9 * len(words)
    blank = any(line is not None and not line.strip() for line in head[:-1])
    return even and (blank or shape.documents) and any(_TAG.fullmatch(each[-1]) or len(each) > 3 for each in words)


def sentences_of(
    file: Path, problems: Problems, encoding: str | None = None, longest: int = LONGEST
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Each sentence with the number of its first line, a list for each column; None in place of a bad one.

    `problems` gets to know a line that has more or fewer fields than the first of its file, at its own line.
    """
    shape = shape_of(file, encoding, longest)
    if shape is None:
        return
    document = 0
    sentence = _Sentence()
    for number, line in text_lines(file, problems, encoding, longest):
        if line is not None and (not line.strip() or line.startswith(_DOCUMENT)):
            yield from _ended(sentence, shape, f"{file.name} {document}")
            sentence = _Sentence()
            document += bool(line.strip())
            continue
        fields = [] if line is None else shape.fields(line)
        if line is not None and not sentence.start and _is_comment(line, fields, shape):
            continue
        if line is not None and shape.columns == _UNIVERSAL and _SPLIT_WORD.fullmatch(fields[0]):
            continue
        sentence.start = sentence.start or number
        sentence.size += len(line or "") + 1
        if sentence.good:
            sentence.good = line is not None and _fits(line, fields, shape, file, number, problems)
        if sentence.good and sentence.size > longest:
            what = too_long("the sentence that begins here", longest)
            problems.add("too long", file, sentence.start, f"{what}; a blank line ends a sentence")
            sentence.good = False
        if sentence.good:
            sentence.rows.append(fields)
            sentence.lines.append(number)
    yield from _ended(sentence, shape, f"{file.name} {document}")


def line_of(values: Mapping[str, Any], line: int, word: int) -> int:
    """The line of a word, counted from 0, of a sentence in columns; of any other record, which begins at `line`, that one."""
    lines = values.get(LINES)
    return int(lines[word]) if isinstance(lines, list) and "1" in values else line


def _ended(sentence: _Sentence, shape: Shape, document: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    if sentence.start and sentence.good:
        columns = {str(place): list(column) for place, column in enumerate(zip(*sentence.rows, strict=True), start=1)}
        yield sentence.start, {**columns, **({DOCUMENT: document} if shape.documents else {}), LINES: sentence.lines}
    elif sentence.start:
        yield sentence.start, None


def _is_comment(line: str, fields: list[str], shape: Shape) -> bool:
    """A comment cannot be a word: a word `#` has as many fields as others."""
    return (line.startswith(("# ", "#end document")) or line.strip() == "#") and len(fields) != shape.columns


def _fits(line: str, fields: list[str], shape: Shape, file: Path, number: int, problems: Problems) -> bool:
    if len(fields) == shape.columns:
        return True
    between = "tabs" if shape.tabs else "blanks"
    mend = ""
    if shape.tabs and len(_BLANKS.split(line.strip())) == shape.columns:
        mend = "; its fields seem to stand between blanks"
    count = f"{len(fields)} column{'' if len(fields) == 1 else 's'}"
    message = f"{line[:40]!r} has {count}, and the first word of the file has {shape.columns} (between {between}){mend}"
    problems.add("too few columns" if len(fields) < shape.columns else "too many columns", file, number, message, line)
    return False
