"""What a record says of a sentence and its tags: lists of words and tags, or a text with marked spans; checked, and made into IOB2."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from acclimate.data.readers.conll import LINES, line_of
from acclimate.data.readers.problems import Problems, place
from acclimate.data.readers.reading import Offsets
from acclimate.data.readers.records import Record, Source
from acclimate.data.readers.texts import checked_text
from acclimate.errors import DataError
from acclimate.tasks.asked_words import joined
from acclimate.tasks.labels import MISSING, label_hint, some_labels
from acclimate.tasks.marked_text import BadSpan, spans_in, tagged
from acclimate.tasks.metrics.spans import OUTSIDE, type_of
from acclimate.tasks.rows import Row, Rows
from acclimate.tasks.schemes import Detected, Scheme, detect, parsed, to_iob2

REJECTED = ("reject", "ignore")  # what Prodigy writes under `answer` of a text that nobody accepted

_NUMBER = re.compile(r"-?\d+")
_MOST_TAGS = 1_000  # different ones, in half of all words: these are words


class Tagged(NamedTuple):
    """What is right for an item: a tag for every word, in IOB2 or plain, and where each word begins and ends in its text."""

    tags: tuple[str, ...]
    ends: tuple[tuple[int, int], ...]
    repaired: int = 0
    """Tags that stood against their scheme."""
    trimmed: int = 0
    """Spans with blanks at their ends."""


def listed(value: Any, names: Sequence[str] | None) -> list[str] | str:
    """The tags of a sentence; where they are numbers, by their place in `names`. Or what is wrong with them."""
    if not isinstance(value, list):
        return f"is {_short(value)}; a list with a tag for every word is wanted"
    tags = []
    for number, tag in enumerate(value, start=1):
        if isinstance(tag, str) and names is not None and tag not in names and _NUMBER.fullmatch(tag):
            tag = int(tag)
        if isinstance(tag, int) and not isinstance(tag, bool):
            if names is None:
                return (
                    f"holds numbers without names, tag {number:,} is {tag}: name them in their order with "
                    f"`labels: [{OUTSIDE}, B-PER, I-PER, ...]`"
                )
            if not 0 <= tag < len(names):
                return f"has the number {tag} as tag {number:,}, and `labels:` names {len(names)}, counted from 0"
            tag = names[tag]
        if not isinstance(tag, str) or not tag.strip() or (tag in MISSING and not (names and tag in names)):
            missing = tag is None or tag == "" or (isinstance(tag, str) and (not tag.strip() or tag in MISSING))
            return f"has {_short(tag)} as tag {number:,}: {'it is missing' if missing else 'a name is wanted'}"
        tags.append(tag)
    return tags


def detected_scheme(source: Source, column: str, names: Sequence[str] | None) -> Detected:
    """The scheme of all tags of a source.

    Raises:
        DataError: it is not clear, or what stands there are no tags.
    """
    places: list[tuple[Path, int]] = []
    seen: Counter[str] = Counter()

    def sentences() -> Iterator[list[str]]:
        for record in source.records((column,), Problems(skip_bad=True)):
            tags = listed(record.values[column], names)
            if isinstance(tags, list):  # what is wrong with others is told when they are read
                places.append((record.file, record.line))
                seen.update(tags)
                yield tags

    found = detect(sentences())
    if len(seen) > max(_MOST_TAGS, seen.total() / 2):
        why = f"{column!r} holds {len(seen):,} different tags in {seen.total():,} words; name the column of tags with `tags:`"
        raise DataError(f"{source.files[0]}: {why}")
    if seen and names is None and all(map(_NUMBER.fullmatch, seen)):
        why = f"the tags in {column!r} are numbers without names; name them in order with `labels: [{OUTSIDE}, B-PER, I-PER, ...]`"
        raise DataError(f"{place(*places[0])}: {why}, or say which column holds the tags with `tags:`")
    if found.scheme is None:
        raise DataError(f"{place(*places[found.at or 0])}: {found.why}")
    return found


def types_of(labels: Sequence[str] | None, scheme: Scheme | None) -> tuple[str, ...] | None:
    """The types that `labels:` names, be they written as tags or as types; None where it is not said."""
    if labels is None:
        return None
    if scheme == "plain":
        return tuple(labels)
    found = [parsed(name, scheme or "IOB2") for name in labels]
    as_tags = OUTSIDE in labels or None not in found  # else `B-cell` beside `T-cell` is a type
    types = (tag[1] if as_tags and tag is not None else name for name, tag in zip(labels, found, strict=True))
    return tuple(dict.fromkeys(name for name in types if name))


class Reader(NamedTuple):
    """How the sentences of a task are read."""

    scheme: Scheme
    labels: tuple[str, ...] | None
    repair: bool
    offsets: Offsets

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """A sentence; `problems` gets to know why it is none."""
        row = self._marked(record, columns, problems) if "spans" in columns else self._listed(record, columns, problems)
        return None if row is None or not self._known(row.target, record, problems) else row

    def _listed(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        text = joined(record, columns["tokens"], problems)
        if text is None:
            return None
        words = text.split(" ")
        tags = listed(record.values[columns["tags"]], self.labels)
        if isinstance(tags, str):
            problems.add("odd tags", record.file, record.line, f"{columns['tags']!r} {tags}", record.values)
            return None
        if len(words) != len(tags):
            message = f"{columns['tokens']!r} has {len(words):,} words and {columns['tags']!r} {len(tags):,} tags: every word needs one"
            problems.add("tokens and tags of different length", record.file, record.line, message, record.values)
            return None
        made, faults = to_iob2(tags, self.scheme)
        fault = next((each for each in faults if not (self.repair and each.mendable)), None)
        if fault is not None:
            word = f"tag {fault.word + 1:,}, of {words[fault.word]!r}: " if record.values.get(LINES) is None else ""
            message = f"{word}{fault.why}{_mend(fault.mendable, made[fault.word], self.scheme)}"
            problems.add("tag against the scheme", record.file, line_of(record.values, record.line, fault.word), message, record.values)
            return None
        return Row((text,), Tagged(tuple(made), _joined(words), repaired=len(faults)))

    def _marked(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        text = checked_text(record, columns["text"], problems)
        if text is None:
            return None
        if record.values.get("answer") in REJECTED:
            message = f"its `answer` is {record.values['answer']!r}: whoever annotated it did not accept it"
            problems.add("text that was not accepted", record.file, record.line, message, record.values)
            return None
        try:
            spans, trimmed = spans_in(record.values[columns["spans"]], text, self.offsets)
        except BadSpan as error:
            problems.add(error.kind, record.file, record.line, f"{columns['spans']!r}: {error}", record.values)
            return None
        tags, ends = tagged(text, spans)
        return Row((text,), Tagged(tuple(tags), tuple(ends), trimmed=trimmed))

    def _known(self, target: Tagged, record: Record, problems: Problems) -> bool:
        """Whether all types are of the closed set, where there is one."""
        known = types_of(self.labels, self.scheme)
        if known is None:
            return True
        for number, tag in enumerate(target.tags):
            if _typed(tag, self.scheme) not in (None, *known):
                name = type_of(tag)
                message = f"type {name!r} is not among {some_labels(known)}"
                hint = partial(label_hint, name, frozenset(known))
                problems.add("unknown type", record.file, line_of(record.values, record.line, number), message, record.values, hint)
                return False
        return True


def types_in(rows: Rows, scheme: Scheme | None) -> Counter[str]:
    """How many entities of each type there are (of plain tags, words)."""
    plain = scheme == "plain"
    return Counter(tag if plain else tag[2:] for target in rows.targets for tag in target.tags if plain or tag[:2] == "B-")


def refuse_unknown(rows: Rows, known: Iterable[str], scheme: Scheme | None, why: str, problems: Problems) -> Rows:
    """The rows whose types are all known; `why` is what is said of others: their type stands at `{}`."""
    types, unknown = frozenset(known), set()
    for row, target in enumerate(rows.targets):
        found = ((kind, ends) for tag, ends in zip(target.tags, target.ends, strict=True) if (kind := _typed(tag, scheme)) is not None)
        odd, (start, end) = next(((kind, ends) for kind, ends in found if kind not in types), (None, (0, 0)))
        if odd is not None:
            unknown.add(row)
            word = rows.inputs[0][row][start:end]
            message = f"{why.format(f'{odd!r} (of {_short(word)})')} {some_labels(types)}"
            problems.add("unknown type", *rows.places[row], message, {"text": rows.shown(row)}, partial(label_hint, odd, types))
    return rows.take([row for row in range(len(rows)) if row not in unknown]) if unknown else rows


def alike(types: Mapping[str, int]) -> Iterator[str]:
    """Types that differ in case or white space alone, and how often each occurs."""
    groups: dict[str, list[str]] = {}
    for name in types:
        groups.setdefault("".join(name.split()).casefold(), []).append(name)
    for names in groups.values():
        if len(names) > 1:
            yield ", ".join(f"{name!r} ({types[name]:,})" for name in sorted(names, key=lambda name: -types[name]))


def _typed(tag: str, scheme: Scheme | None) -> str | None:
    if scheme == "plain":
        return tag
    return None if tag == OUTSIDE else type_of(tag)


def _mend(mendable: bool, made: str, scheme: Scheme) -> str:
    if not mendable:
        return ""
    other = "; if the file is IOB1, say `scheme: IOB1`" if scheme == "IOB2" else ""
    return f" (`repair: true` reads it as {made!r}{other})"


def _joined(words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Where words begin and end that one space each joins."""
    ends, start = [], 0
    for word in words:
        ends.append((start, start + len(word)))
        start += len(word) + 1
    return tuple(ends)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
