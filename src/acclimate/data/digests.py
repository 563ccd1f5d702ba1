"""The digest of texts, taken as they are read: what was read, and nothing else, is what a key names."""

import hashlib
from collections.abc import Iterable, Iterator

import xxhash


def text_hash(text: str) -> int:
    """64 bits (XXH3) of one text, the same on every machine: equal texts are told by it, and dealt by it."""
    return xxhash.xxh3_64_intdigest(text.encode())


class TextDigest:
    """SHA-256 over texts in order; their lengths keep apart what concatenation would merge."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def add(self, text: str) -> None:
        """One more text."""
        content = text.encode()
        self._sha256.update(len(content).to_bytes(8, "little"))
        self._sha256.update(content)

    def passing(self, texts: Iterable[str]) -> Iterator[str]:
        """The texts as they come, each digested as it goes by."""
        for text in texts:
            self.add(text)
            yield text

    def hexdigest(self) -> str:
        """Of all texts so far, as 64 hexadecimal digits."""
        return self._sha256.hexdigest()
