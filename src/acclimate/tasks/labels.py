"""What a label is, in which order labels stand, and how messages name them."""

import difflib
import math
import re
from collections.abc import Collection, Iterable, Set
from decimal import Decimal

_NAMED = 8  # labels named in a message
# Not longer than anybody's class numbers: Python refuses to make a number of thousands of digits.
_NUMBER = re.compile(r"[+-]?\d{1,50}(?:\.\d{1,50})?", re.ASCII)
_UNSEEN = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")  # of no width: a byte order mark, joiners, spaces

# As pandas, spreadsheets and databases write a value that is not there. `none` and `NONE` are not among them: stances and relations have
# such a class.
MISSING = frozenset(
    ("nan", "NaN", "NAN", "-nan", "-NaN", "None", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "<NA>", "null", "NULL", "Null", "NaT")
)


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels, each once, in the order of their class numbers: as numbers where all are (0, 1, 2, ..., 10), else as words."""
    distinct = set(labels)
    if all(map(_NUMBER.fullmatch, distinct)):
        return tuple(sorted(distinct, key=lambda name: (Decimal(name), name)))
    return tuple(sorted(distinct))


def label_name(value: object) -> str | None:
    """A label as a string: whole numbers and booleans as JSON writes them; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None


def is_blank(name: str) -> bool:
    """Whether nothing can be seen of a label."""
    return not seen(name)


def seen(name: str) -> str:
    """What can be seen of a label or a name: without white space around it and letters of no width."""
    return _UNSEEN.sub("", name).strip()


def is_missing(value: object) -> bool:
    """Whether a field holds no label at all: null, nothing, white space, or a number that is none."""
    return value is None or (isinstance(value, str) and is_blank(value)) or (isinstance(value, float) and math.isnan(value))


def why_no_label(value: object) -> str:
    """What is wrong with a value that is no label."""
    if is_missing(value):
        return "is empty" if value is None or value == "" else f"is {value!r}, which is no label"
    wanted = f"is {value!r}; a string, a whole number, true or false is wanted"
    if isinstance(value, float) and value.is_integer():
        return f"{wanted} (write {value:.0f}; pandas writes whole numbers with a point where one is missing: `astype('Int64')` mends it)"
    if isinstance(value, float):
        return f"{wanted} (a number to be estimated is not supported; write classes as words or whole numbers)"
    return f"{wanted} (several labels a text are of `kind: multilabel`)" if isinstance(value, list | tuple) else wanted


def label_hint(name: str, known: Set[str]) -> str:
    """A likely mend for a label that is not known, or nothing."""
    if name.strip() in known:
        return " — trailing space?" if name != name.rstrip() else " — leading space?"
    if name in ("True", "False") and name.lower() in known:
        return " — in YAML true and false are no words: say `labels: ['True', 'False']`"
    meant = sorted(label for label in known if label.casefold() == name.casefold()) or difflib.get_close_matches(name, known, n=1)
    return f" — {meant[0]!r} meant?" if meant else ""


def some_labels(labels: Collection[str]) -> str:
    """Labels in braces, the first of many and how many there are."""
    named = in_order(labels)
    more = f", ... ({len(named):,} in all)" if len(named) > _NAMED else ""
    return "{" + ", ".join(map(repr, named[:_NAMED])) + more + "}"
