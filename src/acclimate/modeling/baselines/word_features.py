"""What a linear model sees of a word in its text: how it is written, and how the two words on either side of it are.

Lower-cased word, shape, and beginnings and ends of up to four characters, as taggers of sequences have used them for long (Ratnaparkhi
1996; Nadeau & Sekine 2007).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from acclimate.data.ragged import IntArray, Ragged, offsets_of

AFFIXES = (1, 2, 3, 4)  # characters
NEIGHBOURS = (-2, -1, 1, 2)  # words away
EDGES = ("first", "last")  # what stands where a neighbour would, before the first word and after the last

_LETTER, _DIGIT, _REPEATED = re.compile(r"[^\W\d_]"), re.compile(r"\d"), re.compile(r"(.)\1{2,}")


def shape_of(word: str) -> str:
    """Xx9: upper and lower case, digits, and what else there is; more than two of a kind are two. `McDonald's-1996` is XxXxx'x-99."""
    letters = _LETTER.sub(lambda letter: "X" if letter.group().isupper() else "x", word)
    return _REPEATED.sub(r"\1\1", _DIGIT.sub("9", letters))


def of_neighbour(word: str) -> list[str]:
    """What is seen of a word beside the one that is asked about."""
    lower = word.lower()
    return [f"word={lower}", f"shape={shape_of(word)}", *([f"ends={lower[-3:]}"] if len(lower) > 3 else [])]


def of_word(word: str) -> list[str]:
    """What is seen of a word itself."""
    lower = word.lower()
    affixes = [name for size in AFFIXES if len(lower) > size for name in (f"begins={lower[:size]}", f"ends={lower[-size:]}")]
    flags = {
        "capital": word[:1].isupper(),
        "upper": word.isupper(),
        "digit": any(letter.isdecimal() for letter in word),
        "hyphen": "-" in word,
    }
    return [f"word={lower}", f"shape={shape_of(word)}", *affixes, *(name for name, holds in flags.items() if holds)]


@dataclass(frozen=True)
class WordFeatures:
    """The features [F] that a model knows: `own` of the word that is asked about, and `near` of each of the words around it."""

    own: tuple[str, ...]
    near: tuple[str, ...]

    @staticmethod
    def of(texts: Sequence[str], words: Ragged, min_count: int) -> "WordFeatures":
        """Those of at least `min_count` words of the texts."""
        counts = Counter(_written(texts, words))
        return WordFeatures(_frequent(of_word, counts, min_count), (*_frequent(of_neighbour, counts, min_count), *EDGES))

    def __len__(self) -> int:
        return len(self.own) + len(NEIGHBOURS) * len(self.near)

    def matrix(self, texts: Sequence[str], words: Ragged) -> Any:
        """The sparse matrix [all words of all texts, F] of what is seen of each word; `words` as in `Split.words`."""
        from scipy.sparse import hstack

        # What is seen of a word is the same wherever it stands: looked up once for each that there is.
        numbers: dict[str, int] = {}
        flat = np.fromiter((numbers.setdefault(word, len(numbers)) for word in _written(texts, words)), np.int64)
        before, after = len(numbers), len(numbers) + 1
        own = _rows([of_word(word) for word in numbers], self._own)
        near = _rows([*(of_neighbour(word) for word in numbers), EDGES[:1], EDGES[1:]], self._near)
        return hstack([own[flat], *(near[_beside(flat, words, step, before, after)] for step in NEIGHBOURS)], format="csr")

    @cached_property
    def _own(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.own)}

    @cached_property
    def _near(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.near)}


def _written(texts: Sequence[str], words: Ragged) -> Iterable[str]:
    return (text[begin:end] for row, text in enumerate(texts) for begin, end in words[row].tolist())


def _frequent(seen: Callable[[str], list[str]], counts: Counter[str], min_count: int) -> tuple[str, ...]:
    found: Counter[str] = Counter()
    for word, count in counts.items():
        for name in seen(word):
            found[name] += count
    return tuple(sorted(name for name, count in found.items() if count >= min_count))


def _rows(seen: Sequence[Sequence[str]], numbers: dict[str, int]) -> Any:
    """A sparse row of ones for each word."""
    from scipy.sparse import csr_matrix

    known = [[numbers[name] for name in names if name in numbers] for names in seen]
    offsets = offsets_of(np.array([len(row) for row in known], dtype=np.int64))
    columns = np.fromiter(chain.from_iterable(known), np.int64, int(offsets[-1]))
    return csr_matrix((np.ones(len(columns)), columns, offsets), shape=(len(known), len(numbers)))


def _beside(flat: IntArray, words: Ragged, step: int, before: int, after: int) -> IntArray:
    """[all words] which word stands `step` words away in the same text; `before` or `after` where there is none."""
    place = np.arange(len(flat)) + step
    lengths = words.lengths
    outside = {before: place < np.repeat(words.offsets[:-1], lengths), after: place >= np.repeat(words.offsets[1:], lengths)}
    found = flat[np.clip(place, 0, max(len(flat) - 1, 0))]
    for edge, where in outside.items():
        found[where] = edge
    return found
