"""YAML as a study file needs it: the YAML 1.2 core schema, strictly, and the line of every value.

ruamel.yaml parses; what the events mean is decided here. `2e-5` is a number and `50_000_000` one too (an extension of the core schema that
YAML 1.1 had), `on`, `off`, `yes` and `no` are words, keys are always words, a repeated key is an error, and so are tags, merge keys and
second documents, which a study file has no use for.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from acclimate.errors import SettingsError

DEEPEST = 50  # nested blocks; a study has six
LARGEST = 4_000_000  # bytes of a file
MOST_VALUES = 100_000  # after aliases are written out: a small file can name a billion
WIDTH = 120  # characters in which `dump` writes a list or a mapping on one line

Place = tuple[str | int, ...]

_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE, _FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+(_[0-9]+)*")
_HEXADECIMAL, _OCTAL = re.compile(r"0x[0-9a-fA-F]+"), re.compile(r"0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(_[0-9]+)*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE, _NAN = re.compile(r"([-+]?)\.(inf|Inf|INF)"), re.compile(r"\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Document:
    """A YAML document as plain values, with the place of each of them."""

    value: Any
    name: str  # of the file, for messages
    places: dict[Place, tuple[int, int]]  # path -> line and column, from 1; of a mapping's entry, where its key stands

    def where(self, path: Place) -> str:
        """`study.yaml:12:5` of a value, e.g. `("recipes", "TAPT", 0, "pretrain", "lr")`, or of its nearest enclosing one."""
        while path and path not in self.places:
            path = path[:-1]
        line, column = self.places[path]
        return f"{self.name}:{line}:{column}"


def load(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        SettingsError: it cannot be read, or is not the YAML described above; names file, line and column.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > LARGEST:
        raise SettingsError(f"{path}: has more than {LARGEST:,} bytes, and is no study file; data is named in it by paths")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise SettingsError(f"{path}:{line}:{column}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Document:
    """Read YAML text; `name` stands in the messages. Raises SettingsError as `load` does."""
    places: dict[Place, tuple[int, int]] = {(): (1, 1)}
    try:
        value = _Reader(YAML(typ="safe", pure=True).parse(text), name, places).document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else name
        context = f" ({error.context})" if error.context else ""
        raise SettingsError(f"{where}: {error.problem or error}{context}{_hint(text, mark, error.problem)}") from error
    except ReaderError as error:
        line, column = text.count("\n", 0, error.position) + 1, error.position - text.rfind("\n", 0, error.position)
        raise SettingsError(f"{name}:{line}:{column}: the character {chr(error.character)!r} is not allowed") from error
    except YAMLError as error:
        raise SettingsError(f"{name}: {error}") from error
    return Document(value, name, places)


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """The mapping that command-line settings such as `lr=2e-5`, `train=head` or `head.layers=2` stand for; values are YAML.

    Raises:
        SettingsError: one of them is no assignment, or a key is set twice.
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        *outer, last = (part.strip() for part in key.split("."))
        if not equals or not last or not all(outer):
            raise SettingsError(f"{assignment}: write key=value, such as lr=2e-5")
        inner = settings
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise SettingsError(f"{assignment}: {part!r} is already set to {inner!r}")
        if last in inner:
            raise SettingsError(f"{assignment}: {key.strip()!r} is set twice")
        inner[last] = parse(text, assignment).value
    return settings


def _hint(text: str, mark: Any, problem: str | None) -> str:
    lines = text.splitlines()
    if mark is not None and mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]:
        return "; indent with spaces, not tabs"
    if problem is not None and problem.startswith("expected <block end>"):
        return "; does this line stand further left or right than its neighbours?"
    return ""


class _Reader:
    """From parser events to plain values; recursion follows the nesting."""

    def __init__(self, events: Iterator[Event], name: str, places: dict[Place, tuple[int, int]]) -> None:
        self._events = events
        self._name = name
        self._places = places
        self._anchors: dict[str, list[Event]] = {}  # an alias reads the events of its anchor again
        self._values = 0

    def document(self) -> Any:
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._fail(event, "a second document begins here; a study is one document")
                if event.version is not None and tuple(event.version) != (1, 2):
                    self._fail(event, f"this is YAML 1.2; remove the line '%YAML {'.'.join(map(str, event.version))}'")
                value = self._value(next(self._events), self._events, (), 0)
        return value

    def _value(self, event: Any, events: Iterator[Event], path: Place, depth: int) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            self._fail(event, f"more than {MOST_VALUES:,} values")
        if depth > DEEPEST:
            self._fail(event, f"nested more than {DEEPEST} deep")
        # The key's place was noted by the mapping; a list item's is here.
        self._places.setdefault(path, _place(event))
        if isinstance(event, AliasEvent):
            return self._alias(event, path, depth)
        if getattr(event, "tag", None) is not None:
            self._fail(event, f"tags such as {event.tag!s} are not used here; write the value without it")
        if event.anchor is None:
            return self._plain(event, events, path, depth)
        recorded: list[Event] = []
        value = self._plain(event, _tee(events, recorded), path, depth)
        self._anchors[event.anchor] = [event, *recorded]
        return value

    def _alias(self, event: AliasEvent, path: Place, depth: int) -> Any:
        if event.anchor not in self._anchors:
            self._fail(event, f"no anchor &{event.anchor} stands before this")
        first, *rest = self._anchors[event.anchor]
        return self._plain(first, iter(rest), path, depth)

    def _plain(self, event: Event, events: Iterator[Event], path: Place, depth: int) -> Any:
        if isinstance(event, SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(item := next(events), SequenceEndEvent):
                items.append(self._value(item, events, (*path, len(items)), depth + 1))
            return items
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path, depth)
        assert isinstance(event, ScalarEvent)
        return self._scalar(event)

    def _mapping(self, events: Iterator[Event], path: Place, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self._fail(event, "a key must be a word")
            key = event.value
            if key in mapping:
                line, _ = self._places[(*path, key)]
                self._fail(event, f"the key {key!r} stands here for the second time; the first is in line {line}")
            if key == "<<" and _is_plain(event):
                self._fail(event, "merge keys (<<) are not YAML 1.2; write the keys out, or use an alias for the whole value")
            if key == "" and _is_plain(event):
                self._fail(event, "a key is missing before ':'")
            self._places[(*path, key)] = _place(event)
            mapping[key] = self._value(next(events), events, (*path, key), depth + 1)
        return mapping

    def _scalar(self, event: ScalarEvent) -> Any:
        text: str = event.value
        if not _is_plain(event):
            return text
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return text[0] in "tT"
        try:
            if _INTEGER.fullmatch(text):
                return int(text)
            if _HEXADECIMAL.fullmatch(text) or _OCTAL.fullmatch(text):
                return int(text, 0)
            if _FLOAT.fullmatch(text):
                return float(text)
        except ValueError:  # more digits than Python reads
            self._fail(event, "this number has too many digits")
        if match := _INFINITE.fullmatch(text):
            return float(f"{match[1]}inf")
        return float("nan") if _NAN.fullmatch(text) else text

    def _fail(self, event: Event, message: str) -> NoReturn:
        line, column = _place(event)
        raise SettingsError(f"{self._name}:{line}:{column}: {message}")


def _place(event: Event) -> tuple[int, int]:
    mark: StreamMark = event.start_mark
    return mark.line + 1, mark.column + 1


def _is_plain(event: ScalarEvent) -> bool:
    return not event.style


def dump(value: Any) -> str:
    """Plain values (mappings with words as keys, lists, scalars) as YAML that `parse` reads back equal."""
    if isinstance(value, dict) and value:
        return "".join(_block(value, 0))
    return flow(value) + "\n"


def _block(value: dict[str, Any], indent: int) -> Iterator[str]:
    margin = "  " * indent
    for key, inner in value.items():
        head = f"{margin}{_key(key)}:"
        short = flow(inner)
        # A mapping stands open at the outer levels, where people look for its keys.
        if len(head) + len(short) < WIDTH and not (indent == 0 and isinstance(inner, dict) and inner):
            yield f"{head} {short}\n"
        elif isinstance(inner, dict) and inner:
            yield f"{head}\n"
            yield from _block(inner, indent + 1)
        elif isinstance(inner, list | tuple) and inner:
            yield f"{head}\n"
            for item in inner:
                yield from _item(item, indent + 1)
        else:
            yield f"{head} {short}\n"


def _item(item: Any, indent: int) -> Iterator[str]:
    margin = "  " * indent
    short = flow(item)
    if len(margin) + len(short) + 2 < WIDTH or not isinstance(item, dict) or not item:
        yield f"{margin}- {short}\n"
        return
    first, *rest = _block(item, indent + 1)
    yield f"{margin}- {first[len(margin) + 2 :]}"
    yield from rest


def flow(value: Any) -> str:
    """Plain values as YAML in one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_key(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flow, value)) + "]"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
        case str():
            return _word(value)
    raise AssertionError(f"not a plain value: {value!r}")


_BARE = re.compile(r"[A-Za-z0-9_/.~-][A-Za-z0-9_/.~+@ -]*")
_NOT_A_WORD = (_NULL, _TRUE, _FALSE, _INTEGER, _HEXADECIMAL, _OCTAL, _FLOAT, _INFINITE, _NAN)


def _key(text: str) -> str:
    assert isinstance(text, str), f"keys are words, not {text!r}"
    return _word(text)


def _word(text: str) -> str:
    bare = _BARE.fullmatch(text) and not text.startswith(("-", ".", "~")) and not text.endswith(" ")
    # YAML 1.1 readers take these for truth values: quoted, the file means the same to them.
    legacy = text.lower() in ("on", "off", "yes", "no", "y", "n")
    if bare and not legacy and not any(pattern.fullmatch(text) for pattern in _NOT_A_WORD):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    # JSON leaves some characters as they are that YAML does not allow, or takes for the end of a line.
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _tee(events: Iterator[Event], into: list[Event]) -> Iterator[Event]:
    for event in events:
        into.append(event)
        yield event
