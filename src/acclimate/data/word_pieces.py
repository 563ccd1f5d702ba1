"""Words and the pieces that a tokenizer makes of their text: a word's pieces are those that overlap its characters.

Some vocabularies make pieces of the space between words, too (a lone U+2581 of SentencePiece): whoever reads all pieces, as transformers'
pipeline does, reads an answer there, so that these are told as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from acclimate.data.ragged import IntArray, Ragged, offsets_of, ranges
from acclimate.errors import ModelError

CHUNK = 1024  # texts whose offsets are asked for at once


@dataclass(frozen=True, eq=False)
class Pieces:
    """The `P` pieces that answer for words, in the order of the sequences that they stand in."""

    place: IntArray
    """[P] where in its sequence, special tokens counted; ascending in each."""
    word: IntArray
    """[P] whose piece, counted through all texts; a piece that several words share stands once for each."""
    number: IntArray
    """[P] which of its word's pieces, from 0; -1 where it stands before the word, behind the one before."""
    offsets: IntArray
    """[N+1] where those of each sequence begin."""
    words: int
    """Of all texts, those without a piece among them."""
    last: bool = False
    """Whether a word's last piece answers for it, as where a model reads from left to right: no other has seen the whole word. Else its
    first does, as is usual in the field."""

    @property
    def without(self) -> int:
        """Words of whose characters the tokenizer makes nothing."""
        return self.words - int((self.number == 0).sum())

    def answering(self) -> "Pieces":
        """The one piece of each word that answers for it."""
        kept = self.number == 0
        if self.last:
            own, most = self.number >= 0, np.zeros(self.words, dtype=np.int64)
            np.maximum.at(most, self.word[own], self.number[own])
            kept = own & (self.number == most[self.word])
        counts = np.add.reduceat(np.append(kept, False), self.offsets[:-1]) * (np.diff(self.offsets) > 0)
        return replace(self, place=self.place[kept], word=self.word[kept], number=self.number[kept], offsets=offsets_of(counts))

    @property
    def shared(self) -> IntArray:
        """Of `answering`: words for which the same piece answers as for the word before them, as for `.` in a piece `U.S.`"""
        sequence = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        same = (np.diff(self.place) == 0) & (np.diff(sequence) == 0)
        return np.asarray(self.word[1:][same], dtype=np.int64)

    def places(self, sequences: NDArray[np.integer], begins: IntArray) -> IntArray:
        """[M] where these pieces stand in a batch of the sequences, which begin there at `begins` [B]."""
        return self.place[self.of(sequences)] + np.repeat(begins, self.offsets[1:][sequences] - self.offsets[:-1][sequences])

    def asked(self, chosen: IntArray) -> IntArray:
        """[M, 2] of these pieces the word, and what of it they say: 0 its own tag; above 0 that it goes on, as later pieces do where the
        first answers; -1 what stands before it."""
        number = self.number[chosen]
        return np.stack([self.word[chosen], np.minimum(number, 0) if self.last else number], axis=1)

    def of(self, sequences: NDArray[np.integer]) -> IntArray:
        """Which pieces stand in these sequences, one after the other."""
        starts = self.offsets[:-1][sequences]
        return ranges(starts, self.offsets[1:][sequences] - starts)


def aligned(tokenizer: Tokenizer, texts: Sequence[str], words: Ragged, offsets: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Every pair of a piece and a word that overlap: the piece, counted through all texts [P], ascending; the word, too; its number in it.

    A piece that overlaps none stands with the number -1 beside the word that follows it in its text. `offsets` [D+1]: where the pieces of
    each text begin.

    Raises:
        ModelError: the tokenizer now makes other pieces than those.
    """
    begin, end = np.zeros((2, offsets[-1]), dtype=np.int64)
    for at in range(0, len(texts), CHUNK):
        for number, encoding in enumerate(tokenizer.encode_batch(list(texts[at : at + CHUNK]), add_special_tokens=False), start=at):
            here = slice(offsets[number], offsets[number + 1])
            if len(encoding.ids) != here.stop - here.start:
                raise ModelError("the tokenizer reads a text in two ways, so its pieces cannot be told apart by their characters")
            if encoding.ids:
                begin[here], end[here] = np.array(encoding.offsets, dtype=np.int64).T
    return _overlaps(begin, end, np.diff(offsets), words)


def _overlaps(begin: IntArray, end: IntArray, pieces: IntArray, words: Ragged) -> tuple[IntArray, IntArray, IntArray]:
    # One text after the other on one line of characters, so that a search over all finds the words of each piece.
    longest = np.zeros(len(pieces), dtype=np.int64)
    text_of_piece, text_of_word = np.repeat(np.arange(len(pieces)), pieces), np.repeat(np.arange(len(words)), words.lengths)
    np.maximum.at(longest, text_of_piece, end)
    word_begin, word_end = words.values.reshape(-1, 2).T
    np.maximum.at(longest, text_of_word, word_end)
    line = offsets_of(longest + 1)[:-1]
    starts, ends = word_begin + line[text_of_word], word_end + line[text_of_word]
    # Words are in order and apart: those that a piece overlaps are the ones that end after its begin and begin before its end.
    low = np.searchsorted(ends, begin + line[text_of_piece], side="right")
    high = np.searchsorted(starts, end + line[text_of_piece], side="left")
    counts = np.maximum(high - low, 0)
    followed = low < np.append(words.offsets[1:], 0)[text_of_piece]
    between = (counts == 0) & followed
    counts += between
    piece, word = np.repeat(np.arange(len(begin)), counts), ranges(low, counts)
    number = np.full(len(word), -1, dtype=np.int64)
    own = np.flatnonzero(~np.repeat(between, counts))
    order = own[np.lexsort((piece[own], word[own]))]
    first = np.searchsorted(word[order], np.arange(len(starts)))
    number[order] = np.arange(len(order)) - first[word[order]]
    return piece, word, number
