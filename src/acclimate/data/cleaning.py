"""What of a corpus's text is not read: documents and parts that patterns name, and documents that were there before."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated

from pydantic import AfterValidator

DIGEST_BYTES = 16  # of a document, kept while a corpus is read: 100 bytes of memory each, with Python's own


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression as Python's `re` reads it."""


@dataclass
class Cleaned:
    """How many documents a reading has left out; of a corpus of pairs, how many pairs."""

    left_out: int = 0  # a pattern named them, or removing its parts left nothing
    repeated: int = 0  # their text was there before
    held_out: int = 0  # models are judged by them
    leaked: int = 0  # they hold what models are judged by (`leaks: drop`)


@dataclass(frozen=True)
class Cleaning:
    """Which documents are left out, which parts are removed, and whether repetitions are."""

    leave_out: Sequence[str]
    remove: Sequence[str]
    drop_repeated: bool

    def __bool__(self) -> bool:
        return bool(self.leave_out or self.remove or self.drop_repeated)

    def of(self, records: Iterator[tuple[str, ...]], counts: Cleaned) -> Iterator[tuple[str, ...]]:
        """The records that stay, each a document or a pair, without the parts that are removed; `counts` gets to know of the others.

        Two are the same that differ in letters' case or in white space alone. A pair stays or goes as a whole: for either of its texts,
        and as a repetition where both were one before.
        """
        # Python keeps compiled patterns; alternatives in one would be slower and could refer to each other's groups.
        left_out, removed = [re.compile(each) for each in self.leave_out], [re.compile(each) for each in self.remove]
        seen: set[bytes] = set()
        for texts in records:
            if any(pattern.search(text) for pattern in left_out for text in texts):
                counts.left_out += 1
                continue
            for pattern in removed:
                texts = tuple(pattern.sub("", text) for text in texts)
            if self.remove and not all(text.strip() for text in texts):
                counts.left_out += 1
                continue
            if self.drop_repeated:
                plain = "\n".join(" ".join(text.lower().split()) for text in texts)
                digest = blake2b(plain.encode(), digest_size=DIGEST_BYTES).digest()
                if digest in seen:
                    counts.repeated += 1
                    continue
                seen.add(digest)
            yield texts
