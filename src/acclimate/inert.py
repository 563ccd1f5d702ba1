"""Text from anywhere (data, names, files, errors) made harmless where people read it: control characters are written out."""

import re

# Control characters but tab and line feed; line breaks that not everybody sees as such; what reorders the text around it; halves of
# surrogate pairs. Marks (U+200E, U+200F) and joiners are left alone, real scripts need them.
_UNRULY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # how a cell begins that a spreadsheet computes
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?%?")


def inert(text: str) -> str:
    """The text with control characters, lone surrogates and direction overrides written out, e.g. `\\u202e`; line breaks and tabs stay."""
    return _UNRULY.sub(lambda found: written_out(found[0]), text)


def has_lone_surrogate(text: str) -> bool:
    """Whether a half of a surrogate pair stands in it: then it has no UTF-8 form, and no file can hold it."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def one_line(text: str) -> str:
    """Inert text on one line."""
    return " ".join(inert(text).split())


def cell(value: object) -> object:
    """A value for a cell of a CSV file: text that a spreadsheet would take for a formula gets a `'` before it; numbers stay numbers.

    A plain number that is written as text, such as the label `-1`, is no formula.
    """
    formula = isinstance(value, str) and value.startswith(FORMULA) and not _NUMBER.fullmatch(value)
    return f"'{value}" if formula else value


def written_out(character: str) -> str:
    """A character as JSON would write it: `\\u202e`, `\\ud83d\\ude00`."""
    return "".join(f"\\u{unit:04x}" for unit in memoryview(character.encode("utf-16-le", "surrogatepass")).cast("H"))
