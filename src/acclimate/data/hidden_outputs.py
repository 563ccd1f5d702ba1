"""What a network that is not trained gives, computed once and memory-mapped: states of frozen layers, logits of a teacher.

    <folder>/values.bin     [R, D] rows one after the other, float32 or float16
    <folder>/outputs.json   key, type, sizes and a checksum

Item i of N has the rows offsets[i] : offsets[i + 1], one for each token or one for all. The folder appears by one rename when complete.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from acclimate.data.caches import made_once, seal_cache
from acclimate.data.ragged import offsets_of, ranges
from acclimate.locks import SILENT, Patience

VALUES_FILE = "values.bin"
FACTS_FILE = "outputs.json"
LARGEST_SHARE = 0.5  # of the room left on the disk

Precision = Literal["float32", "float16"]


@dataclass(frozen=True, eq=False)
class Outputs:
    """The rows of `N` items; they stay on disk until they are looked at."""

    values: npt.NDArray[np.float32] | npt.NDArray[np.float16]
    """[R, D]."""
    offsets: npt.NDArray[np.int64]
    """[N+1] where each item's rows begin."""

    def rows(self, items: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """The rows of these items, one item after the other [sum of their rows, D]."""
        starts = self.offsets[items]
        return self.values[ranges(starts, self.offsets[np.asarray(items) + 1] - starts)].astype(np.float32)

    @classmethod
    def build(
        cls,
        folder: Path,
        key: str,
        counts: npt.NDArray[np.integer],
        width: int,
        precision: Precision,
        parts: Iterator[tuple[npt.NDArray[np.integer], npt.NDArray[np.floating[Any]]]],
        patience: Patience = SILENT,
    ) -> Self:
        """The outputs at `folder`: opened when they are there under this `key`, else computed and written.

        `counts` [N] rows of each item; `parts` gives (items, their rows), every item once, and is begun only when it is needed. An
        interrupted build leaves nothing behind that looks complete; a second process waits for the first.

        Raises:
            DiskFullError: the disk is full.
        """
        offsets = offsets_of(np.asarray(counts, dtype=np.int64))
        facts = _facts(key, offsets, width, precision)

        def write(temporary: Path) -> None:
            path = temporary / VALUES_FILE
            with path.open("wb") as file:
                # Claimed at once: writing to a map of a full disk would kill the process without a word.
                os.posix_fallocate(file.fileno(), 0, max(1, int(offsets[-1]) * width * np.dtype(precision).itemsize))
            values = _map(path, offsets, width, precision, "r+")
            for items, rows in parts:
                values[ranges(offsets[items], offsets[items + 1] - offsets[items])] = rows
            if isinstance(values, np.memmap):
                values.flush()
            seal_cache(temporary, FACTS_FILE, facts, (VALUES_FILE,))

        made_once(folder, FACTS_FILE, lambda found: all(found.get(name) == value for name, value in facts.items()), write, patience)
        return cls(_map(folder / VALUES_FILE, offsets, width, precision, "r"), offsets)


def fits(folder: Path, size: int, facts: str = FACTS_FILE) -> bool:
    """Whether outputs of `size` bytes are at `folder` already, described by its file `facts`, or leave enough room on its disk."""
    return (folder / facts).is_file() or size <= LARGEST_SHARE * shutil.disk_usage(folder.parent).free


def _facts(key: str, offsets: npt.NDArray[np.int64], width: int, precision: Precision) -> dict[str, Any]:
    return {"key": key, "items": len(offsets) - 1, "rows": int(offsets[-1]), "width": width, "dtype": precision}


def _map(path: Path, offsets: npt.NDArray[np.int64], width: int, precision: Precision, mode: Any) -> Any:
    return np.memmap(path, np.dtype(precision), mode, shape=(int(offsets[-1]), width)) if offsets[-1] else np.zeros((0, width), precision)
