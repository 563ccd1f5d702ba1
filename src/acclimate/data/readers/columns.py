"""Which column is the text and which the label: stated by the user, or detected by name and shown; and whether there is a header at all."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from acclimate.data.readers.problems import place
from acclimate.errors import DataError

if TYPE_CHECKING:
    from acclimate.data.readers.records import Source

# In order of preference; compared without regard to case and surrounding space.
NAMES = {
    "text": (
        "text",
        "sentence",
        "document",
        "content",
        "body",
        "abstract",
        "review",
        "article",
        "clause",
        "description",
        "comment",
        "comment_text",
        "tweet",
        "message",
        "post",
    ),
    "label": ("label", "labels", "class", "category", "target", "gold_label", "type", "topic", "sentiment", "intent"),
}
_KNOWN_WORDS = frozenset(word for names in NAMES.values() for word in names) | {"texts", "title", "message", "tweet", "name", "column"}
_ONE_NAME = re.compile(r"[^\W\d][\w.\-/:#()\[\]]{0,39}")  # one word, or several joined as in variables
_SENTENCE = re.compile(r"[.!?…。！？]['\"”’)]?(\s|$)|[,;]\s")
_DATA = re.compile(r"[-+]?[\d.,]+%?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|https?://.*")
_WORDS_OF_A_TEXT, _LETTERS_OF_A_TEXT = 5, 60
_DENSE = "\u0e00"  # from here on are scripts that write without spaces
_SHOWN = 40  # characters of a field in a message


def detect_column(role: str, source: "Source", taken: Sequence[str] = (), known_as: Sequence[str] = ()) -> str:
    """The column for a role such as `text` or `label`: the best of the names that it is known as, else the only named column that is left.

    Of a file without any column the role's own name, so that the reader of its rows says what is wrong.

    Raises:
        DataError: no name is known and several columns are left, or none; or the first row does not look like a header.
    """
    columns = source.columns
    if not columns:
        return role
    check_header(source)
    left = [column for column in columns if column not in taken and column.strip()]
    for name in known_as or NAMES[role]:
        for column in left:
            if column.strip().casefold() == name:
                return column
    if role == "label" and not taken and len(left) == 1 and left[0].strip().casefold() in NAMES["text"]:
        raise DataError(f"{source.files[0]}: no column is the label: {left[0]!r} is the only one, and seems to be the text")
    if len(left) == 1:
        return left[0]
    if not left:
        raise DataError(f"{source.files[0]}: no column is left for the {role}; the columns are {_shown(source)}")
    mend = "; say `header: false` if the first row is data" if source.header is None else ""
    raise DataError(f"{source.files[0]}: which column is the {role}? Name it with `{role}:`; the columns are {_shown(source)}{mend}")


def check_header(source: "Source") -> None:
    """Refuse a table whose first row seems to be data, unless the user said whether it is a header.

    Raises:
        DataError: the only column's name looks like a text, or one of several looks like a text or a number.
    """
    if source.header is not None:
        return
    line, names = source.header_row(source.files[0])
    where = place(source.files[0], line)
    named = [name for name in names if name.strip()]
    if len(named) == 1 and not _is_name(named[0]):
        # A comma without a space behind it separates columns rather than parts of a sentence.
        other = next((letter for letter in ";|," if letter in named[0] and f"{letter} " not in named[0]), None)
        raise DataError(
            f"{where}: the header has one column {_cut(named[0])}; is this a text? "
            "Say `header: false` if the file has no header, name the column with `text:`, or add a header"
            + (f"; or say `delimiter: {other}` if that separates columns" if other else "")
        )
    if len(named) > 1 and (odd := data_like(names)):
        raise DataError(
            f"{where}: the header names the columns {', '.join(map(_cut, names))}; is this a row of data, {_cut(odd)} for example? "
            "Say `header: false` if the file has no header (columns are then called 1, 2, ...), `header: true` if these are names, "
            "or add a header"
        )


def data_like(names: Sequence[str]) -> str | None:
    """The first of several column names that looks like a text or a number; none where one of them is well known as a name."""
    if any(map(is_known, names)):
        return None
    return next((name for name in names if _is_text(name) or _DATA.fullmatch(name.strip())), None)


def is_known(name: str) -> bool:
    """Whether it is a word that columns are often called."""
    return name.strip().casefold() in _KNOWN_WORDS


def _is_name(name: str) -> bool:
    words = name.strip().casefold().split()
    if len(words) == 1:
        return bool(_ONE_NAME.fullmatch(words[0])) and not _DATA.fullmatch(words[0]) and not _is_text(name)
    several = len(words) <= 3 and not _is_text(name) and bool(_ONE_NAME.fullmatch(words[0]))
    # `text label` is two columns.
    return several and any(word.strip("():_-") in _KNOWN_WORDS for word in words) and not set(words) & {*NAMES["label"]}


def _is_text(name: str) -> bool:
    name = name.strip()
    words = len(name.split())
    if words > 1 and _SENTENCE.search(name):
        return True
    return words >= _WORDS_OF_A_TEXT or len(name) > _LETTERS_OF_A_TEXT or (len(name) > 8 and any(letter >= _DENSE for letter in name))


def _shown(source: "Source") -> str:
    if source.header is False:
        first = source.header_row(source.files[0])[1]
        return ", ".join(f"{name!r} ({_cut(value)} in the first row)" for name, value in zip(source.columns, first, strict=False))
    return ", ".join(map(repr, source.columns))


def _cut(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…")
