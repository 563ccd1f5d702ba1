"""The one place for randomness: every random draw is a pure function of a key, so there is no generator state to save.

A key is a sequence of integers and words, e.g. `generator(seed, "mask", step)`. The same key gives the same draws in any process,
in any order, after any resume. Different keys give independent streams (Philox, Salmon et al. 2011, keyed by SHA-256).
"""

import hashlib

import numpy as np


def _digest(key: tuple[int | str, ...]) -> bytes:
    # The type stands in the text: (1, "2") and ("1", 2) are different keys.
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in key)
    return hashlib.sha256(text.encode()).digest()


def generator(*key: int | str) -> np.random.Generator:
    """A NumPy generator for this key, e.g. `generator(seed, "order", epoch).permutation(n)`."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(key)[:16], "little")))


def seed_of(*key: int | str) -> int:
    """A 63-bit seed for this key, for libraries that take an integer (torch, scikit-learn needs `% 2**32`)."""
    return int.from_bytes(_digest(key)[:8], "little") >> 1
