"""A bounded part of a text that stands for the whole: spread over all of it, and the same each time."""

from dataclasses import dataclass

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
