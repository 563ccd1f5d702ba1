"""A bounded part of a text that stands for the whole: spread over all of it, and the same each time; and what a vocabulary makes of it.

A sample is all of a small text, and what is said of that is exact. The stages themselves count every token when they tokenise.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tokenizers import Tokenizer

from acclimate.data.ragged import IntArray
from acclimate.data.tokens import encoded, special_tokens
from acclimate.data.unknown import Unread

MOST_CHARACTERS = 1 << 18  # of a sample: some 60,000 tokens, which take a tokenizer a tenth of a second
PIECE, MOST_PIECES = 1024, 64  # characters of a piece, and pieces of a long document


@dataclass(frozen=True)
class Sample:
    """Of a text with so many documents and characters."""

    texts: tuple[str, ...]
    documents: int
    characters: int
    whole: bool
    """The texts are all documents."""


@dataclass(frozen=True)
class Measured:
    """A text in a vocabulary."""

    sample: Sample
    counts: IntArray
    """Tokens of each text of the sample, without special ones."""
    unknown: int
    """Unknown tokens of the sample."""
    readable: bool
    """Some token of the sample can be masked."""

    @classmethod
    def of(cls, sample: Sample, tokenizer: Tokenizer) -> "Measured":
        """The sample as the tokenizer reads it.

        Raises:
            ModelError: the tokenizer cannot be used.
        """
        ids, counts = encoded(tokenizer, sample.texts)
        unknown = int(Unread.by(tokenizer).counts(sample.texts, ids, counts)[:, 0].sum())
        return cls(sample, counts, unknown, not bool(special_tokens(tokenizer)[ids].all()))

    @property
    def unknown_share(self) -> float:
        """Of the tokens: 0 to 1."""
        return min(1.0, self.unknown / max(1, int(self.counts.sum()), self.unknown))

    @property
    def tokens(self) -> float:
        """Of the whole text, without special ones."""
        return self.per_character * self.sample.characters

    @cached_property
    def per_character(self) -> float:
        """Tokens a character."""
        return float(self.counts.sum()) / max(1, sum(map(len, self.sample.texts)))

    def windows(self, room: int) -> float:
        """How many windows of at most so many tokens the text fills."""
        if self.sample.whole:
            return float((-(-self.counts // room)).sum())
        mean = self.tokens / max(1, self.sample.documents)
        return self.sample.documents * max(1.0, 0.5 + mean / room)

    def lengths(self, texts: Iterable[str]) -> Iterator[float]:
        """Tokens of each of some of the texts, without special ones; rough for those outside the sample."""
        return (self._known.get(text, self.per_character * len(text)) for text in texts)

    def lengths_together(self, columns: Sequence[Iterable[str]]) -> Iterator[float]:
        """Tokens of the texts of each item together, of which these are the columns."""
        return map(sum, zip(*map(self.lengths, columns), strict=True))

    @cached_property
    def _known(self) -> dict[str, int]:
        return dict(zip(self.sample.texts, self.counts.tolist(), strict=True)) if self.sample.whole else {}


class Spread:
    """Takes documents as they go by: all at first, then every second, every fourth, as their sum would pass the bound."""

    def __init__(self, most: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._kept: list[list[str]] = []  # pieces by document
        self._size = self._documents = self._characters = 0
        self._every = 1
        self._whole = True

    def add(self, text: str) -> None:
        """The next document."""
        number, self._documents = self._documents, self._documents + 1
        self._characters += len(text)
        if number % self._every:
            return
        pieces = _pieces(text)
        self._whole = self._whole and len(pieces) == 1
        self._kept.append(pieces)
        self._size += sum(map(len, pieces))
        while self._size > self._most and len(self._kept) > 1:
            self._kept, self._every, self._whole = self._kept[::2], 2 * self._every, False
            self._size = sum(len(piece) for pieces in self._kept for piece in pieces)

    def sample(self) -> Sample:
        """What was kept of the documents so far."""
        texts = tuple(piece for pieces in self._kept for piece in pieces)
        return Sample(texts, self._documents, self._characters, self._whole)


def sample_of(texts: tuple[str, ...]) -> Sample:
    """The sample of texts in memory."""
    spread = Spread()
    for text in texts:
        spread.add(text)
    return spread.sample()


def _pieces(text: str) -> list[str]:
    if len(text) <= PIECE * MOST_PIECES:
        return [text]
    begins = (number * (len(text) - PIECE) // (MOST_PIECES - 1) for number in range(MOST_PIECES))
    return [_without_parts_of_words(text[begin : begin + PIECE]) for begin in begins]


def _without_parts_of_words(piece: str) -> str:
    # Half a word may be unknown where the word is not; where nothing is spaced, every place is as good as another.
    words = piece.split(" ")
    return " ".join(words[1:-1]) if len(words) > 2 else piece
