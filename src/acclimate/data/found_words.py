"""The words of a text where nobody says them: a run of letters, digits and marks, or one other character that is no white space."""

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np

from acclimate.data.ragged import Ragged, offsets_of


def words_in(text: str) -> list[tuple[int, int]]:
    """Begin and end of each word, in characters: `It's 5%` is It, ', s, 5, %."""
    return [match.span() for match in _pattern(text.isascii()).finditer(text)]


def found_words(texts: Sequence[str]) -> Ragged:
    """The words of each of `texts` [N], as `Split.words` has them: rows of [W, 2]."""
    rows = [words_in(text) for text in texts]
    values = np.array([span for row in rows for span in row], dtype=np.int64).reshape(-1, 2)
    return Ragged(values, offsets_of(np.array([len(row) for row in rows], dtype=np.int64)))


@cache
def _pattern(ascii_only: bool) -> re.Pattern[str]:
    # Python's \w knows no marks, without which the words of Hindi, Thai or Arabic would fall into pieces.
    return re.compile(r"[^\W_]+|\S" if ascii_only else rf"[^\W_](?:[^\W_]|[{marks()}])*|\S")


@cache
def marks() -> str:
    """All combining marks of Unicode, as the inside of a character class."""
    ranges: list[list[int]] = []
    for code in range(0x300, sys.maxunicode + 1):  # the first of them
        if unicodedata.category(chr(code))[0] == "M":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in ranges)
