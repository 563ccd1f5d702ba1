"""Ids by the word: what a tokenizer makes of a text, looked up chunk by chunk between its spaces.

Where a tokenizer never looks across white space, the ids of a text are those of its chunks, one after the other. Most chunks of a text
have been met before, and for those a look-up is much cheaper than the tokenizer: each is encoded once, by the tokenizer itself.

Texts are cut at space, line feed, tab and carriage return only. Any other white space stays inside its chunk, where the tokenizer treats
it as it would in the text: there is no second opinion here about what white space is.
"""

import sys
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE, WordLevel, WordPiece

from acclimate.data.ragged import IntArray, offsets_of, ranges
from acclimate.data.unknown import Unread

# These drop white space, and no word of theirs crosses it.
SPLITTERS = (pre_tokenizers.BertPreTokenizer, pre_tokenizers.Whitespace, pre_tokenizers.WhitespaceSplit)
# These keep the four characters at which texts are cut white space, and nothing that they do on one side depends on the other: no
# combining mark composes with them, and a lower-case letter is found without its neighbours.
NORMALIZERS = (
    normalizers.BertNormalizer,
    normalizers.Lowercase,
    normalizers.NFC,
    normalizers.NFD,
    normalizers.NFKC,
    normalizers.NFKD,
    normalizers.StripAccents,
)

# About 700,000 chunks of English.
CACHE_BYTES = 128 << 20
# Of a chunk, beside its characters: places in the table, its number, begin and length, a few ids.
ENTRY_BYTES = 120

# Chunks that are encoded as one text: enough to make its cost small beside theirs, and texts enough for every core.
JOINED_CHUNKS = 128

Encode = Callable[[list[str]], tuple[npt.NDArray[Any], IntArray]]  # D texts: their ids [T] one after the other, and how many [D] each has
Separator = tuple[str, int]  # a word and the one id that the tokenizer makes of it


def word_separator(tokenizer: Tokenizer) -> Separator | None:
    """A word to put between the chunks of a text, if the ids of a text are certain to be those of its chunks: `WordEncoder` can be used.

    None for any tokenizer not of BERT's kind, and where no added token can be the word.
    """
    model = tokenizer.model
    if not (
        isinstance(tokenizer.pre_tokenizer, SPLITTERS)
        and all(isinstance(step, NORMALIZERS) for step in _normalizer_steps(tokenizer))
        and (isinstance(model, WordPiece | WordLevel) or (isinstance(model, BPE) and not model.dropout))
        and not any(_has_space(tokenizer, token.content) for token in tokenizer.get_added_tokens_decoder().values())
    ):
        return None
    words = ((token.content, number) for number, token in tokenizer.get_added_tokens_decoder().items())
    return next((word for word in words if tokenizer.encode(word[0], add_special_tokens=False).ids == [word[1]]), None)


class WordEncoder:
    """Encodes texts by their chunks, and remembers these up to `cache_bytes`; not to be used again after an error.

    Memory stays flat however long the corpus is: a full cache is thrown away, and the frequent chunks are soon back.
    """

    def __init__(self, encode: Encode, separator: Separator, unread: Unread, cache_bytes: int = CACHE_BYTES) -> None:
        """`encode` asks the tokenizer itself; `separator` and `unread` are the tokenizer's."""
        self._encode = encode
        self._separator = separator
        self._unread = unread
        self._cache_bytes = cache_bytes
        self._last: IntArray = np.zeros(0, np.int64)  # chunks of the last call
        self._forget()

    def __call__(self, texts: list[str]) -> tuple[npt.NDArray[Any], IntArray]:
        """The ids [T] of `D` texts one after the other, and how many [D] each text has."""
        if self._used_bytes > self._cache_bytes:
            self._forget()
        chunks = [text.replace("\n", " ").replace("\t", " ").replace("\r", " ").split(" ") for text in texts]
        counts = np.array([len(row) for row in chunks], dtype=np.int64)
        numbers = np.fromiter(map(self._numbers.__getitem__, chain.from_iterable(chunks)), np.int64, int(counts.sum()))
        self._learn()
        self._last = numbers
        lengths = self._lengths[numbers]
        ids = self._ids[ranges(self._begins[numbers], lengths)]
        # Also an empty text has one chunk, so there is no empty row for reduceat to stumble on.
        return ids, np.add.reduceat(lengths, offsets_of(counts)[:-1])

    def unread(self) -> IntArray:
        """[2] unknown tokens and their bytes, as `Unread.counts` tells them, in all texts of the last call."""
        often = np.bincount(self._last, minlength=len(self._unknown))
        counts: IntArray = often @ self._unknown
        return counts

    def _forget(self) -> None:
        self._numbers = _Numbers()
        self._ids, _ = self._encode([])
        self._begins = np.zeros(0, np.int64)
        self._lengths = np.zeros(0, np.int64)
        self._unknown = np.zeros((0, 2), np.int64)
        self._used_bytes = 0

    def _learn(self) -> None:
        """Encode the chunks that were numbered since the last call."""
        new, self._numbers.new = self._numbers.new, []
        ids, lengths = self._encode_chunks(new)
        self._begins = np.concatenate([self._begins, len(self._ids) + offsets_of(lengths)[:-1]])
        self._ids = np.concatenate([self._ids, ids])
        self._lengths = np.concatenate([self._lengths, lengths])
        self._unknown = np.concatenate([self._unknown, self._unread.counts(new, ids, lengths)])
        self._used_bytes += sum(map(sys.getsizeof, new)) + ids.nbytes + ENTRY_BYTES * len(new)

    def _encode_chunks(self, chunks: list[str]) -> tuple[npt.NDArray[Any], IntArray]:
        # A text costs the tokenizer much more than a word in a text, so many chunks are one text, each with the separator behind it.
        word, token = self._separator
        behind = f" {word} "
        ids, _ = self._encode([behind.join([*chunks[i : i + JOINED_CHUNKS], ""]) for i in range(0, len(chunks), JOINED_CHUNKS)])
        separates = ids == token
        ends = np.flatnonzero(separates)
        if len(ends) != len(chunks):
            return self._encode(chunks)  # the separator also stands in one of them
        return ids[~separates], np.diff(ends, prepend=-1) - 1


class _Numbers(dict[str, int]):
    """Chunks are numbered from 0 in the order in which they are first asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.new: list[str] = []

    def __missing__(self, chunk: str) -> int:
        number = self[chunk] = len(self)
        self.new.append(chunk)
        return number


def _normalizer_steps(tokenizer: Tokenizer) -> list[Any]:
    normalizer = tokenizer.normalizer
    if normalizer is None:
        return []
    if not isinstance(normalizer, normalizers.Sequence):
        return [normalizer]
    # It has no iterator of its own; a sequence within a sequence has become one flat sequence.
    return [normalizer[step] for step in range(len(normalizer))]


def _has_space(tokenizer: Tokenizer, content: str) -> bool:
    # Added tokens may also be looked for in the normalized text, where e.g. spaces stand around a Chinese character.
    normalized = tokenizer.normalizer.normalize_str(content) if tokenizer.normalizer else content
    return any(character.isspace() for character in content + normalized)
