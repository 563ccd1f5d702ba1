"""Words and marks of many texts at once, as 64-bit hashes that are the same on every machine; some 50 MB of text a second.

A word is a run of letters, digits and underscores in lower case, every other sign but white space a mark of its own; beyond ASCII
everything is taken for a letter. The hash of a word is a polynomial over its bytes, which numpy sums for all of them at once.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged

Hashes = NDArray[np.uint64]
BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse and multiplying loses nothing
BLOCK = 1 << 18  # bytes that are looked at together: they fit into a processor's cache
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SPACE, _WORD, _MARK = 0, 1, 2


class _Powers(NamedTuple):
    of_base: Hashes  # [n] BASE ** i
    inverse: Hashes  # [n] BASE ** -i


@cache
def _powers(bits: int) -> _Powers:
    def of(base: int) -> Hashes:
        made = np.full(1 << bits, base, dtype=np.uint64)
        made[0] = 1
        return np.multiply.accumulate(made)

    return _Powers(of(BASE), of(pow(BASE, -1, 1 << 64)))


@cache
def _kinds() -> NDArray[np.uint8]:
    # [256] of each byte: part of a word, a mark, or nothing.
    kinds = np.full(256, _MARK, dtype=np.uint8)
    kinds[: ord(" ") + 1] = _SPACE
    kinds[[*b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *range(128, 256)]] = _WORD
    return kinds


def words_of(texts: Sequence[str]) -> Ragged:
    """The hashes [words and marks] of each text, in order."""
    parts = [_block(block) for block in _blocks([text.lower().encode() for text in texts])]
    if not parts:
        return Ragged(np.zeros(0, np.uint64), np.zeros(1, np.int64))
    lengths = np.concatenate([part.lengths for part in parts])
    return Ragged(np.concatenate([part.values for part in parts]), np.append(0, np.cumsum(lengths)))


def mixed(hashes: Hashes) -> Hashes:
    """Hashes of which each bit depends on all bits of the given ones."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * _MIX
    return hashes ^ (hashes >> np.uint64(31))


def _blocks(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    size = 0
    for text in texts:
        if block and size + len(text) > BLOCK:
            yield block
            block, size = [], 0
        block.append(text)
        size += len(text) + 1
    if block:
        yield block


def _block(texts: list[bytes]) -> Ragged:
    content = np.frombuffer(b" ".join((*texts, b"")), dtype=np.uint8)
    kinds = _kinds()[content]
    in_word = kinds == _WORD
    begins = in_word.copy()
    begins[1:] &= ~in_word[:-1]
    first = np.flatnonzero(begins | (kinds == _MARK))
    lengths = np.array([len(text) + 1 for text in texts])
    # [N + 1] the first word of each text
    offsets = np.append(0, np.searchsorted(first, np.cumsum(lengths)))
    if not len(first):
        return Ragged(np.zeros(0, np.uint64), offsets)
    powers = _powers(max(1, int(len(content) - 1).bit_length()))
    # What lies between two words is zero, so each sum may run up to where the next word begins.
    values = (content.astype(np.uint64) + np.uint64(1)) * (kinds != _SPACE)
    sums = np.add.reduceat(values * powers.of_base[: len(content)], first)
    return Ragged(mixed(sums * powers.inverse[first]), offsets)
