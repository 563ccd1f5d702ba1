"""Words as numbers: the most frequent words of the training texts, and one entry that stands for all others."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore

WORD = r"(?u)\b\w+\b"  # single characters count as words, since labels may hang on them
UNKNOWN, UNKNOWN_WORD = 0, "<unknown>"

_WORDS = re.compile(WORD)
_WORDS_AND_MARKS = re.compile(r"\w+|([^\w\s])\1*")  # `]].` is `]]` and `.`, whatever stands behind a mark


def words_of(text: str) -> list[str]:
    """The lower-cased words of a text, one after the other: those that tf-idf counts."""
    return _WORDS.findall(text.lower())


def words_and_marks_of(text: str) -> list[str]:
    """As `words_of`, with punctuation and marks in their places: every run of one and the same sign, such as `<<`, `!!!` or `@`."""
    return [found.group() for found in _WORDS_AND_MARKS.finditer(text.lower())]


@dataclass(frozen=True)
class WordList:
    """The words [V] that a model knows, numbered from 0; the first is `<unknown>`, which is no word that a text can hold."""

    words: tuple[str, ...]
    marks: bool = False
    """Whether punctuation and marks are words, too."""

    @staticmethod
    def of(texts: Iterable[str], most_words: int, min_count: int, marks: bool = False) -> "WordList":
        """The words that stand in `texts` at least `min_count` times: the `most_words` most frequent of them, then by the alphabet."""
        counts = Counter(word for text in texts for word in _read(text, marks))
        kept = sorted((word for word, count in counts.items() if count >= min_count), key=lambda word: (-counts[word], word))
        return WordList((UNKNOWN_WORD, *kept[:most_words]), marks)

    def encode(self, texts: Sequence[str]) -> TokenStore:
        """The numbers of the texts' words, in memory. A text without a word is one unknown word: every text has something to read."""
        rows = [[self._numbers.get(word, UNKNOWN) for word in _read(text, self.marks)] or [UNKNOWN] for text in texts]
        offsets = offsets_of(np.array([len(row) for row in rows], dtype=np.int64))
        return TokenStore(np.fromiter(chain.from_iterable(rows), np.uint32, int(offsets[-1])), offsets)

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}


def _read(text: str, marks: bool) -> list[str]:
    return words_and_marks_of(text) if marks else words_of(text)
