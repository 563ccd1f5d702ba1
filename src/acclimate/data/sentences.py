"""The sentences of a corpus as digests: by them texts are found that share one.

A sentence ends with a line, or where white space follows a full stop, a question or an exclamation mark; its words are separated by white
space and compared in lower case. Those shorter than `LEAST_WORDS` are passed over: they are said by everybody.

    <folder>/sentences.bin  the digests of all sentences one after the other, little-endian uint64
    <folder>/offsets.bin    [D+1] int64: document i has sentences[offsets[i] : offsets[i + 1]]
    <folder>/sentences.json key and sizes, checksums
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.data.caches import made_once, mapped, seal_cache
from acclimate.data.digests import text_hash
from acclimate.data.ragged import IntArray, Ragged
from acclimate.errors import StoreError
from acclimate.files import read_json
from acclimate.locks import SILENT, Patience

LEAST_WORDS = 8
RULES = 1  # raise it when the same text would now have other sentences
SENTENCES_FILE, OFFSETS_FILE, FACTS_FILE = "sentences.bin", "offsets.bin", "sentences.json"
DIGEST_TYPE, OFFSET_TYPE = np.dtype("<u8"), np.dtype("<i8")
CHUNK = 1 << 16  # digests that are written at once, and 16 times as many that are looked up

Digests = NDArray[np.uint64]

_END = re.compile(r"[.!?…]\s+")


def sentences(text: str) -> Iterator[tuple[int, int, int]]:
    """(begin, end, digest) of every sentence of `LEAST_WORDS` words or more, in characters of the text."""
    at = 0
    for line in text.splitlines(keepends=True):
        begin = 0
        for end in (*(found.end() for found in _END.finditer(line)), len(line)):
            sentence = line[begin:end].rstrip()
            words = sentence.lower().split()
            if len(words) >= LEAST_WORDS:
                yield at + begin, at + begin + len(sentence), text_hash(" ".join(words))
            begin = end
        at += len(line)


@dataclass(frozen=True, eq=False)
class SentenceStore:
    """The digests of the sentences of `D` documents, on disk until they are looked at."""

    digests: Ragged
    """[D] rows."""

    @classmethod
    def build(cls, folder: Path, documents: Iterator[str], key: str, patience: Patience = SILENT) -> Self:
        """The store of `documents` at `folder`: opened when it is there under this `key`, else written in one streaming pass.

        Raises:
            DiskFullError: the disk is full.
        """
        made_once(
            folder,
            FACTS_FILE,
            lambda facts: facts.get("key") == key and cls._of(folder, facts) is not None,
            lambda temporary: _write(temporary, documents, key),
            patience,
        )
        return cls._of(folder, read_json(folder / FACTS_FILE))

    @classmethod
    def _of(cls, folder: Path, facts: Any) -> Self:
        try:
            total, count = int(facts["sentences"]), int(facts["documents"])
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{folder / FACTS_FILE}: does not describe sentences; remove the folder, it will be built again") from error
        return cls(Ragged(mapped(folder / SENTENCES_FILE, DIGEST_TYPE, total), mapped(folder / OFFSETS_FILE, OFFSET_TYPE, count + 1)))

    def with_any(self, wanted: Digests) -> IntArray:
        """The documents, ascending, that have a sentence among `wanted`, which is sorted."""
        found = []
        for begin in range(0, len(self.digests.values), 16 * CHUNK):
            place = np.flatnonzero(among(self.digests.values[begin : begin + 16 * CHUNK], wanted))
            found.append(np.unique(np.searchsorted(self.digests.offsets, begin + place, side="right") - 1))
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def among(digests: Digests, wanted: Digests) -> NDArray[np.bool_]:
    """[N] whether each of `digests` [N] is one of `wanted`, which is sorted."""
    if not len(wanted):
        return np.zeros(len(digests), dtype=bool)
    place = np.minimum(np.searchsorted(wanted, digests), len(wanted) - 1)
    found: NDArray[np.bool_] = wanted[place] == digests
    return found


def _write(folder: Path, documents: Iterator[str], key: str) -> None:
    total, count = 0, 0
    with (folder / SENTENCES_FILE).open("wb") as digests_file, (folder / OFFSETS_FILE).open("wb") as offsets_file:
        offsets_file.write(np.zeros(1, OFFSET_TYPE).tobytes())
        digests: list[int] = []
        ends: list[int] = []
        for text in documents:
            digests.extend(digest for _, _, digest in sentences(text))
            ends.append(total + len(digests))
            if len(digests) + len(ends) >= CHUNK:
                digests_file.write(np.array(digests, DIGEST_TYPE).tobytes())
                offsets_file.write(np.array(ends, OFFSET_TYPE).tobytes())
                total, count = total + len(digests), count + len(ends)
                digests, ends = [], []
        digests_file.write(np.array(digests, DIGEST_TYPE).tobytes())
        offsets_file.write(np.array(ends, OFFSET_TYPE).tobytes())
        total, count = total + len(digests), count + len(ends)
    seal_cache(folder, FACTS_FILE, {"key": key, "sentences": total, "documents": count}, (SENTENCES_FILE, OFFSETS_FILE))
