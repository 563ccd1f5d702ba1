"""Which columns of a source hold words and their tags, or a text and the spans that are marked in it."""

from collections.abc import Mapping, Sequence

from acclimate.data.readers.columns import NAMES, detect_column
from acclimate.data.readers.conll import DOCUMENT
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Source
from acclimate.errors import DataError
from acclimate.tasks.asked_words import column_of_words
from acclimate.tasks.kind import ColumnRole

TOKENS = ColumnRole("tokens", ("tokens", "words", "token", "word"), is_text=True)
TAGS = ColumnRole("tags", ("tags", "ner_tags", "ner", "tag", "labels", "label", "iob", "bio", "pos_tags"))
TEXT = ColumnRole("text", NAMES["text"])
SPANS = ColumnRole("spans", ("spans", "entities", "ents", "label", "labels", "annotations"))

_UNIVERSAL = 10  # columns of CoNLL-U: words stand in the second, parts of speech in the fourth


def columns_of(source: Source, stated: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The columns of words and tags, or of a text and its spans; and those that were detected. `stated`: by role, and `group`.

    Raises:
        DataError: it is not clear which they are.
    """
    if source.format == "conll":
        if marked := [f"`{role.name}:`" for role in (TEXT, SPANS) if role.name in stated]:
            why = f"a word a line (CoNLL), where {' and '.join(marked)} of marked text cannot be found; `tokens:` and `tags:` name columns"
            raise DataError(f"{source.files[0]}: {why}")
        return _numbered(source, stated)
    roles = (SPANS, TEXT) if _is_marked(source, stated) else (TAGS, TOKENS)
    found, detected = {}, {}
    for role in roles:
        if role.name in stated:
            found[role.name] = stated[role.name]
    for role in roles:
        if role.name not in found:
            taken = [*found.values(), *([stated["group"]] if "group" in stated else [])]
            found[role.name] = detected[role.name] = detect_column(role.name, source, taken, role.known_as)
    return {role.name: found[role.name] for role in roles}, detected


def _is_marked(source: Source, stated: Mapping[str, str]) -> bool:
    """Whether spans of a text are marked, and no words are listed: as stated, or as the names of columns and the first record show.

    Raises:
        DataError: no name says either.
    """
    if {"text", "spans", "tokens", "tags"} & stated.keys():
        return bool({"text", "spans"} & stated.keys())
    names = [name.strip().casefold() for name in source.columns]
    if names and not any(_any(role, names) for role in (TOKENS, TAGS, SPANS)):
        raise DataError(
            f"{source.files[0]}: no column goes by a usual name of words and tags, or of spans marked in a text; "
            f"name them with `tokens:` and `tags:`, or with `text:` and `spans:`; the columns are {', '.join(map(repr, source.columns))}"
        )
    if not _any(TEXT, names) or not _any(SPANS, names):
        return _any(TEXT, names) and not _any(TOKENS, names)
    if not _any(TOKENS, names) or not _any(TAGS, names):
        return True
    first = next(iter(source.records((), Problems(skip_bad=True))), None)
    words = next((value for name, value in (first.values if first else {}).items() if name.strip().casefold() in TOKENS.known_as), None)
    return isinstance(words, list) and not all(isinstance(word, str) for word in words)  # what a tool says of each token


def _any(role: ColumnRole, names: Sequence[str]) -> bool:
    return any(name in role.known_as for name in names)


def _numbered(source: Source, stated: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Of sentences in columns the first and the last; where words are numbered, the second."""
    numbers = [name for name in source.columns if name != DOCUMENT]
    if len(numbers) < 2 and numbers:
        raise DataError(f"{source.files[0]}: has one column; a word and its tag are wanted on every line, between them a tab or blanks")
    found = dict(stated)
    detected = {}
    words = column_of_words(source)
    usual = {"tokens": words, "tags": "4" if words == "2" and len(numbers) == _UNIVERSAL else str(len(numbers) or 2)}
    for role, column in usual.items():
        if role not in found:
            found[role] = detected[role] = column
    for role in usual:
        if numbers and found[role] not in numbers:
            raise DataError(
                f"{source.files[0]}: no column {found[role]!r} for the {role}; they are counted from 1, and there are {len(numbers)}"
            )
    if found["tokens"] == found["tags"]:
        raise DataError(f"{source.files[0]}: the column {found['tags']!r} cannot be both tokens and tags")
    return {role: found[role] for role in usual}, {role: f"column {column}" for role, column in detected.items()}
