"""The vectors of texts, computed once and kept beside the token stores: whoever asks the same model for the same texts finds them.

<folder>/vectors.bin    [N, E] float32, memory-mapped
<folder>/vectors.json   key, sizes, the seconds that it took, a checksum
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.caches import made_once, mapped, seal_cache
from acclimate.data.hidden_outputs import fits
from acclimate.data.ragged import ranges
from acclimate.data.sequences import Sequences
from acclimate.files import digest_json, read_json
from acclimate.locks import SILENT, Patience

VALUES_FILE, FACTS_FILE = "vectors.bin", "vectors.json"
FLOAT = np.dtype("<f4")
PART = 65_536  # texts whose tokens are looked at at a time


class Kept(NamedTuple):
    """Vectors, and what they took."""

    vectors: NDArray[np.float32]
    """[N, E]; of kept ones a map of the file."""
    seconds: float
    """For which they were computed, now or when they were first asked for."""


def computed(compute: Callable[[], NDArray[np.float32]]) -> Kept:
    """Vectors that are not kept."""
    began = time.monotonic()
    return Kept(compute(), time.monotonic() - began)


@dataclass(frozen=True)
class VectorCache:
    """Where the vectors of one model are kept."""

    folder: Path
    model: str
    """Digest of all that decides a vector besides the tokens that are read: weights, pooling, device, libraries."""
    patience: Patience = SILENT

    def of(self, read: Sequences, width: int, compute: Callable[[], NDArray[np.float32]]) -> Kept:
        """The vectors [N, E] of N texts, of this `width` E: opened where they are kept, else computed and, where the disk has room, kept.

        A second process waits for the first. The key is of the tokens that are read, so prompts, lengths and tokenizers that come to the
        same share them.
        """
        key = digest_json({"model": self.model, "read": _digest(read), "width": width})
        folder = self.folder / key[:32]
        if not fits(folder, len(read) * width * FLOAT.itemsize, FACTS_FILE):
            return computed(compute)
        facts = {"key": key, "rows": len(read), "width": width}

        def write(temporary: Path) -> None:
            vectors, seconds = computed(compute)
            with (temporary / VALUES_FILE).open("wb") as file:
                file.write(np.ascontiguousarray(vectors, FLOAT).data)
            seal_cache(temporary, FACTS_FILE, {**facts, "seconds": seconds}, (VALUES_FILE,))

        made_once(folder, FACTS_FILE, lambda found: all(found.get(name) == value for name, value in facts.items()), write, self.patience)
        values = mapped(folder / VALUES_FILE, FLOAT, len(read) * width)
        return Kept(values.reshape(len(read), width), float(read_json(folder / FACTS_FILE)["seconds"]))


def _digest(read: Sequences) -> str:
    """Of the tokens that are read of each text, special ones included."""
    digest = hashlib.blake2b(digest_size=32)
    digest.update(repr((read.prefix, read.suffix)).encode())
    lengths = np.asarray(read.windows.length, np.int64)
    digest.update(lengths.tobytes())
    for begin in range(0, len(read), PART):
        some = np.arange(begin, min(begin + PART, len(read)))
        digest.update(read.store.tokens[ranges(read.windows.start[some], lengths[some])].astype("<u4").tobytes())
    return digest.hexdigest()
