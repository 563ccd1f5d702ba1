"""Text from anywhere (data, names, files, errors) made harmless where people read it: control characters are written out."""

import unicodedata

# Characters that reorder or hide the text around them; marks (U+200E, U+200F) and joiners are left alone, real scripts need them.
_REORDERING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_BREAKING = frozenset("\u2028\u2029")  # line breaks that not everybody sees as such
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet computes


def inert(text: str) -> str:
    """The text with control characters, lone surrogates and direction overrides written out, e.g. `\\u202e`; line breaks and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(written_out(character) if _is_unruly(character) else character for character in text)


def one_line(text: str) -> str:
    """Inert text on one line."""
    return " ".join(inert(text).split())


def cell(value: object) -> object:
    """A value for a cell of a CSV file: text that a spreadsheet would take for a formula gets a `'` before it; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def written_out(character: str) -> str:
    """A character as JSON would write it: `\\u202e`, `\\ud83d\\ude00`."""
    return "".join(f"\\u{unit:04x}" for unit in memoryview(character.encode("utf-16-le", "surrogatepass")).cast("H"))


def _is_unruly(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or unicodedata.bidirectional(character) in _REORDERING or character in _BREAKING
