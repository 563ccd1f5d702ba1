"""How alike two texts are: the Jaccard similarity of their sets of word n-grams (shingles), estimated by MinHash (Broder 1997)."""

import re
from functools import cache
from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    from datasketch import MinHash

SHINGLE = 3  # words
PERMUTATIONS = 256  # of the estimate: its standard error is at most 0.031
_WORD = re.compile(r"\w+")


def shingles(text: str) -> set[str]:
    """Every run of three words, in lower case and without marks; what has fewer is one."""
    lower = text.lower()
    words = _WORD.findall(lower) or lower.split()
    return {" ".join(words[place : place + SHINGLE]) for place in range(max(1, len(words) - SHINGLE + 1))}


def signature(text: str) -> "MinHash":
    """Of a text's shingles; `jaccard` of two of them is the estimate. The same on every machine."""
    made = _empty().copy()
    made.update_batch([shingle.encode() for shingle in sorted(shingles(text))])
    return made


@cache
def _empty() -> "MinHash":
    from datasketch import MinHash  # loads much of scipy, and most data has no two texts that need be compared

    return MinHash(PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest, scheme="affine32")
