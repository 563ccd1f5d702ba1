"""Objects of JSON files: one a line, one after the other over several lines, or in one array; read strictly and as a stream."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from acclimate.data.readers.lines import text_lines, too_long
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import LONGEST
from acclimate.data.readers.split_names import split_of

_FIRST_READ = 1 << 16  # characters of a document read before the first try to understand them
_SENTENCE = ("tokens", "words")  # columns of lists
_WRAPPERS = ("data", "rows", "records", "examples", "items", "instances", "documents", "results", "train")
_Lines = Iterator[tuple[int, str | None]]
_Objects = Iterator[tuple[int, dict[str, Any] | None]]


def json_objects(file: Path, problems: Problems, encoding: str | None = None, longest: int = LONGEST) -> _Objects:
    """Each object with the number of its (first) line; None in place of a bad one.

    In a file with an object a line a bad line costs no other; in an array, or where objects span lines, what follows cannot be found.
    """
    lines = text_lines(file, problems, encoding, longest)
    start: list[tuple[int, str | None]] = []  # up to the second line that is not blank
    for number, line in lines:
        if line is None or line.strip():
            start.append((number, line))
        if len(start) == 2 or line is None:
            break
    first = start[0][1] if start else None
    if first is not None and _is_document(first.strip(), (start[1][1] or "").strip() if len(start) > 1 else ""):
        yield from _document(file, chain(start, lines), problems, longest)
    elif first is not None and len(start) == 1 and (why := _no_record(file, _parsed(first))):
        problems.fatal("not a record", file, start[0][0], why)
    else:
        yield from _a_line(file, chain(start, lines), problems)


def _is_document(first: str, second: str) -> bool:
    """Whether values span lines or stand in an array of objects, by the first two lines."""
    if first.startswith("["):
        inside = (first[1:] + second).strip()
        return inside[:1] in ("{", "]", "") or (not second and not first.endswith("]"))
    if not first.startswith("{") or first[-1] not in "{[,:":
        return False
    return _parsed(first) is None


def _parsed(line: str) -> object:
    """The value of a line; None where it is no JSON."""
    try:
        return _DECODER.decode(line)
    except (ValueError, RecursionError):
        return None


def _a_line(file: Path, lines: _Lines, problems: Problems) -> _Objects:
    for number, line in lines:
        if line is None:
            yield number, None
            continue
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            problems.add("bad JSON", file, number, _why(error), line)
            yield number, None
        else:
            yield number, _object_or_none(value, file, number, problems, line)


def _document(file: Path, lines: _Lines, problems: Problems, longest: int) -> _Objects:
    """The objects of an array, or those that follow one another."""
    text = _Text(lines, longest)
    first = True
    try:
        array = text.taken("[")
        while text.peek() and not (array and text.taken("]")):
            number, value = text.value()
            if first and not array and not text.peek() and (why := _no_record(file, value)):
                problems.fatal("not a record", file, number, why)
                return
            first = False
            if not array and text.peek() == ",":
                raise json.JSONDecodeError("a comma stands behind this object: put [ before the first and ] after the last one", "", 0)
            yield number, _object_or_none(value, file, number, problems, value)
            if array and not text.taken(",") and text.peek() != "]":
                raise json.JSONDecodeError("a comma or ] is missing after this value", "", 0)
        if text.peek():
            raise json.JSONDecodeError("more follows after the end of the array", "", 0)
        if text.broken:
            raise json.JSONDecodeError("the line after this one is no text", "", 0)
        if array and text.missing_end:
            raise json.JSONDecodeError("the array has no end; was a download interrupted?", "", 0)
    except (ValueError, RecursionError) as error:
        problems.fatal("bad JSON", file, text.line, f"{_why(error)}; what follows cannot be read")


class _Text:
    """Text of a document as far as it was read and not used up; values may span lines, but no word of JSON does."""

    def __init__(self, lines: _Lines, longest: int) -> None:
        self._lines = lines
        self._longest = longest
        self._text, self._at = "", 0
        self._ended = False
        self.line = 1  # on which the next thing begins
        self.broken = False  # by a line that is no text
        self.missing_end = True

    def peek(self) -> str:
        """The next character that is not blank; nothing at the end."""
        while True:
            found = _BLANK.match(self._text, self._at)
            assert found is not None
            self._use(found.end())
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read(_FIRST_READ):
                return ""

    def taken(self, sign: str) -> bool:
        """Whether this sign is next; then it is used up."""
        found = self.peek() == sign
        if found:
            self._use(self._at + 1)
            self.missing_end = self.missing_end and sign != "]"
        return found

    def value(self) -> tuple[int, Any]:
        """The next value and the line on which it begins.

        Raises:
            ValueError, RecursionError: it is no JSON.
        """
        self.peek()
        line = self.line
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                self._use(end)
                return line, value
            except ValueError as error:
                if not self._goes_on(error):
                    raise
                # Twice as much each time: a long value is gone through a few times only.
                if len(self._text) - self._at > self._longest:
                    raise ValueError(too_long("a JSON value", self._longest)) from None
                if not self._read(2 * (len(self._text) - self._at)):
                    raise

    def _goes_on(self, error: ValueError) -> bool:
        # Lines are whole, and no word spans them: what is only cut off is at fault at its very end.
        found = _BLANK.match(self._text, error.pos) if isinstance(error, json.JSONDecodeError) else None
        return found is not None and found.end() == len(self._text)

    def _use(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _read(self, size: int) -> bool:
        """Read on, until so many characters are there; whether there was anything."""
        pieces, there = [self._text[self._at :]], len(self._text) - self._at
        before = there
        while there < max(size, _FIRST_READ) and not self._ended:
            number, line = next(self._lines, (0, ""))
            self.broken = self.broken or line is None
            self._ended = self.broken or number == 0
            if not self._ended and line is not None:
                pieces.append(f"{line}\n")
                there += len(line) + 1
        self._text, self._at = "".join(pieces), 0
        return there > before


def _object_or_none(value: object, file: Path, line: int, problems: Problems, record: object) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    mend = '; an object names its columns: {"text": ..., "label": ...}' if isinstance(value, list) else ""
    problems.add("not an object", file, line, f"a JSON object {{...}} is wanted, this is {_kind(value)}{mend}", record)
    return None


def _no_record(file: Path, value: object) -> str | None:
    """Why the only value of a file is no record but a whole table, in the ways of pandas and of others."""
    if not isinstance(value, dict) or not value:
        return None
    lists = {name: each for name, each in value.items() if isinstance(each, list)}
    tables = [name for name, each in lists.items() if each and all(isinstance(row, dict) for row in each)]
    splits = [name for name in tables if split_of(Path(name))]
    if len(splits) > 1:
        commands = "; ".join(f"jq -c '.{name}[]' {file.name} > {name}.jsonl" for name in splits)
        return f"one JSON object of several splits; a file for each: {commands}"
    name = next((name for name in _WRAPPERS if name in tables), None)
    if name is not None:
        return f"one JSON object, whose rows stand under {name!r}: jq -c '.{name}[]' {file.name} > {file.stem}.jsonl"
    if any(isinstance(value.get(name), list) for name in _SENTENCE):
        return None  # lists of words and of tags are what a sentence is
    if all(isinstance(each, dict | list) for each in value.values()):
        orient = _orient(value)
        read = f"pandas.read_json({file.name!r}{f', orient={orient!r}' if orient else ''})"
        mend = f"{read}.to_json('{file.stem}.jsonl', orient='records', lines=True)"
        return f"one JSON object of columns or of rows by number, and no object a row: {mend}"
    return None


def _orient(table: dict[str, Any]) -> str | None:
    """How pandas calls a table that it would else take for one of columns."""
    if {"columns", "data"} <= table.keys():
        return "split"
    return "index" if all(name.isdecimal() and isinstance(each, dict) for name, each in table.items()) else None


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}" if error.doc else error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return found


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "true or false", type(None): "null"}
    return names.get(type(value), type(value).__name__)


_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(object_pairs_hook=_unique)
