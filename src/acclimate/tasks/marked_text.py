"""Text with marked spans of characters, as annotation tools write it: made into words with tags, so that nothing of a span is lost.

Offsets count characters as Python does (code points), as Prodigy, doccano, Label Studio's exports and datasets do; tools in JavaScript or
Java that count UTF-16 units differ behind an emoji, and say `offsets: utf-16`.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from acclimate.data.found_words import words_in
from acclimate.data.readers.reading import Offsets

_BEGIN, _END = ("start", "start_offset", "begin", "begin_offset"), ("end", "end_offset", "stop")
_LABEL = ("label", "labels", "type", "entity", "entity_group", "tag", "class")
_TEXT = ("text", "value", "surface")  # what the tool says the span holds


class Span(NamedTuple):
    """A part of a text: from, to (exclusive) and its type."""

    start: int
    end: int
    label: str


class BadSpan(Exception):
    """A span that cannot be used; says which kind of problem it is, and why."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


def spans_in(value: Any, text: str, offsets: Offsets) -> tuple[list[Span], int]:
    """The spans of a text in order, without blanks at their ends, and of how many blanks were left out.

    Raises:
        BadSpan: one cannot be understood, lies outside the text, is empty, divides a character, or overlaps another.
    """
    if isinstance(value, Mapping) and all(isinstance(each, list) for each in value.values()):
        value = [dict(zip(value, each, strict=True)) for each in _together(value)]  # as `datasets` keeps a list of mappings
    if not isinstance(value, list):
        raise BadSpan("odd spans", f"is {_short(value)}; a list of spans is wanted, as {{'start': 0, 'end': 5, 'label': 'PER'}}")
    units = _units(text) if offsets == "utf-16" else None
    spans, trimmed = [], 0
    for number, each in enumerate(value, start=1):
        start, end, label, says = _read(each, number)
        start, end = _placed(start, end, text, units, number)
        if says is not None and text[start:end] != says and text[start:end].strip() != says.strip():
            mend = "" if text.isascii() or units else "; if the tool counts UTF-16 units, say `offsets: utf-16`"
            raise BadSpan("span of another text", f"span {number} holds {_short(text[start:end])}, and says {_short(says)}{mend}")
        kept = text[start:end].strip()
        if not kept:
            raise BadSpan("empty span", f"span {number} from {start} to {end} holds {'nothing' if start == end else 'blanks alone'}")
        begin = start + len(text[start:end]) - len(text[start:end].lstrip())
        trimmed += len(kept) < end - start
        spans.append(Span(begin, begin + len(kept), label))
    spans.sort()
    for one, other in pairwise(spans):
        if other.start < one.end:
            what = f"{_short(text[one.start : one.end])} ({one.label}, {one.start} to {one.end})"
            its = f"{_short(text[other.start : other.end])} ({other.label}, {other.start} to {other.end})"
            raise BadSpan("spans that overlap", f"{what} and {its} overlap: a word has one tag; keep one of them")
    return spans, trimmed


def tagged(text: str, spans: Sequence[Span]) -> tuple[list[str], list[tuple[int, int]]]:
    """Tags in IOB2, and where each word begins and ends: a word is divided where a span begins or ends in it."""
    cuts = sorted({place for span in spans for place in (span.start, span.end)})
    tags, ends = [], []
    place = 0
    for word in words_in(text):
        for start, end in _divided(word, cuts):
            while place < len(spans) and spans[place].end <= start:
                place += 1
            inside = place < len(spans) and spans[place].start <= start
            tags.append(f"{'B' if spans[place].start == start else 'I'}-{spans[place].label}" if inside else "O")
            ends.append((start, end))
    return tags, ends


def _together(fields: Mapping[str, list[Any]]) -> list[tuple[Any, ...]]:
    try:
        return list(zip(*fields.values(), strict=True))
    except ValueError:
        raise BadSpan("odd spans", f"has lists of different length under {', '.join(map(repr, fields))}") from None


def _divided(word: tuple[int, int], cuts: Sequence[int]) -> list[tuple[int, int]]:
    start, end = word
    inside = cuts[bisect_left(cuts, start + 1) : bisect_left(cuts, end)]
    edges = [start, *inside, end]
    return list(pairwise(edges))


def _read(span: Any, number: int) -> tuple[int, int, str, str | None]:
    start: Any
    end: Any
    label: Any
    says: Any = None
    if isinstance(span, Mapping):
        start, end, label = (next((span[name] for name in names if name in span), None) for names in (_BEGIN, _END, _LABEL))
        says = next((span[name] for name in _TEXT if isinstance(span.get(name), str)), None)
    elif isinstance(span, list) and len(span) == 3:
        start, end, label = span
    else:
        raise BadSpan("odd spans", f"span {number} is {_short(span)}; [start, end, label] or {{'start', 'end', 'label'}} is wanted")
    if isinstance(label, list):
        if len(label) != 1:
            raise BadSpan("odd spans", f"span {number} has {len(label)} labels, {_short(label)}: one is wanted")
        (label,) = label
    if not isinstance(label, str) or not label.strip():
        raise BadSpan("odd spans", f"span {number} has the label {_short(label)}; a name is wanted")
    for what, place in (("start", start), ("end", end)):
        if not isinstance(place, int) or isinstance(place, bool):
            raise BadSpan("odd spans", f"span {number} has the {what} {_short(place)}; a whole number of characters is wanted")
    return start, end, label, says


def _placed(start: int, end: int, text: str, units: list[int] | None, number: int) -> tuple[int, int]:
    """Where a span begins and ends in characters."""
    length = len(text) if units is None else units[-1]
    what = "characters" if units is None else "UTF-16 units"
    if start > end:
        raise BadSpan("odd spans", f"span {number} begins at {start} and ends before, at {end}")
    if start < 0 or end > length:
        mend = "; if the tool counts UTF-16 units, say `offsets: utf-16`" if units is None and end <= _units(text)[-1] else ""
        why = f"span {number} from {start} to {end} lies outside of the text, which has {length:,} {what}{mend if start >= 0 else ''}"
        raise BadSpan("span outside of the text", why)
    if units is None:
        return start, end
    found = [bisect_left(units, place) for place in (start, end)]
    for place, at in zip((start, end), found, strict=True):
        if units[at] != place:
            raise BadSpan(
                "span that splits a surrogate pair",
                f"span {number} from {start} to {end} splits the surrogate pair of {text[at - 1]!r} at {place}",
            )
    return found[0], found[1]


def _units(text: str) -> list[int]:
    """[characters + 1] how many UTF-16 units stand before each character, and in all."""
    units = [0]
    for letter in text:
        units.append(units[-1] + (2 if letter > "\uffff" else 1))
    return units


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
