"""Items that belong together: by a column, or because their texts are the same but for marks, as those of relation tasks are."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np

from acclimate.data.cleaning import Pattern
from acclimate.data.ragged import IntArray
from acclimate.errors import DataError
from acclimate.settings import Settings
from acclimate.tasks.rows import Rows

DIGEST_BYTES = 12  # of a text that names a group


class TextGroups(Settings):
    """Texts that are the same once these are taken out belong together."""

    text_without: Pattern
    """A regular expression (Python's): what it matches is taken out of a text; what is left, white space ignored, is the group."""

    def of(self, inputs: Sequence[Sequence[str]]) -> tuple[list[str], int]:
        """[N] a name for the group of each item of these columns of text, and in how many items something was taken out."""
        pattern = re.compile(self.text_without)
        names, matched = [], 0
        for texts in zip(*inputs, strict=True):
            left = [pattern.sub("", text) for text in texts]
            matched += any(len(after) < len(text) for after, text in zip(left, texts, strict=True))
            said = "\n".join("".join(text.split()) for text in left)
            names.append(blake2b(said.encode(), digest_size=DIGEST_BYTES).hexdigest())
        return names, matched


Group = str | TextGroups
"""A column, or how the group follows from the texts."""


def numbered(groups: Iterable[Hashable]) -> IntArray:
    """Int64 [N]: groups by number, in the order in which they come first."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(group, len(known)) for group in groups], dtype=np.int64)


def grouped(splits: Mapping[str, Rows], by: TextGroups) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """The rows with the groups that follow from their texts, and what is to be known of that.

    Raises:
        DataError: all texts would be one group.
    """
    found, matched, texts = {}, 0, 0
    names: set[str] = set()
    for split, rows in splits.items():
        groups, its = by.of(rows.inputs)
        found[split] = replace(rows, groups=groups)
        matched, texts = matched + its, texts + len(rows)
        names.update(groups)
    written = f"`group: {{text_without: {by.text_without!r}}}`"
    if len(names) == 1 and texts > 1:
        file = splits["train"].files[0]
        raise DataError(f"{file}: {written} leaves nothing that tells the {texts:,} texts apart, so that all are one group; take out less")
    nothing = f"{written} matches in none of the {texts:,} texts; only those that are equal but for white space are a group"
    return found, () if matched else (nothing,)
