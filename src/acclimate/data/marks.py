"""Marks in texts: signs that are neither words nor the punctuation of prose, such as `<<`, `[[`, `@`, `#` or an emoji."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

SHARE = 0.1  # of the texts: a mark that stands in so many is told
SHOWN = 8  # marks that are named

_RUN = re.compile(r"""([^\w\s.,;:!?'"()/%&-])\1*""")  # of one sign; whether it is a mark is looked up
_MARKS = frozenset("@#*\\[]{}")  # what Unicode takes for punctuation; all that it calls symbols, `<`, `=`, `|` or emoji, are marks, too


@dataclass(frozen=True)
class Marks:
    """Marks that stand in a good share of texts."""

    names: tuple[str, ...]
    """The most widespread first."""
    having: int
    """Texts with any of them."""
    texts: int


def marks_of(texts: Iterable[str]) -> Marks | None:
    """The marks that stand in at least a tenth of the texts; None where there are none."""
    together: Counter[frozenset[str]] = Counter(frozenset(_marks(text)) for text in texts)
    count = sum(together.values())
    by_mark: Counter[str] = Counter()
    for marks, times in together.items():
        by_mark.update(dict.fromkeys(marks, times))
    names = tuple(sorted((mark for mark, times in by_mark.items() if times >= SHARE * count), key=lambda mark: (-by_mark[mark], mark)))
    if not names:
        return None
    return Marks(names, sum(times for marks, times in together.items() if not marks.isdisjoint(names)), count)


def _marks(text: str) -> Iterator[str]:
    return (run.group() for run in _RUN.finditer(text) if _is_mark(run.group(1)))


@cache
def _is_mark(sign: str) -> bool:
    return sign in _MARKS or unicodedata.category(sign).startswith("S")
