"""Vectors on their way into a file: memory-mapped, resumable, and there under their name only when all are written.

    .NAME.part/lock         held by the process that writes
    .NAME.part/vectors.npy  [N, D] float32, of all rows from the start, filled as far as state.json says
    .NAME.part/state.json   what is encoded how (a key), how far it is, and what was counted so far

A kill leaves this folder behind, and the same command goes on where it was; another one begins anew.
"""

import mmap
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import StoreError
from acclimate.files import atomic_file, disk_errors, locked, read_json, write_json

VALUES, STATE, LOCK = "vectors.npy", "state.json", "lock"
SAVE_SECONDS = 10.0  # between two states on disk; a kill loses no more than this


@dataclass
class VectorFile:
    """N vectors of D numbers that are being written."""

    folder: Path
    key: str
    values: "np.memmap[Any, np.dtype[np.float32]]"
    """[N, D], on disk."""
    state: dict[str, int] = field(default_factory=dict)
    """`rows` that were read, `vectors` that are written, and counts."""
    saved: float = 0.0

    @classmethod
    @contextmanager
    def begun(cls, out: Path, key: str, shape: tuple[int, int]) -> Iterator[Self]:
        """What there is so far under this `key`, or nothing; on any way out of the block its state is kept.

        Raises:
            StoreError: another process writes it.
            DiskFullError: there is no room for all of it.
        """
        folder = out.with_name(f".{out.name}.part")
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK, timeout=0), disk_errors(folder):
            known = _known(folder, key, shape)
            if known is None:
                (folder / STATE).unlink(missing_ok=True)
                _allocate(folder / VALUES, shape)
            values: np.memmap[Any, np.dtype[np.float32]] = np.load(folder / VALUES, mmap_mode="r+")
            file = cls(folder, key, values, known or {}, time.monotonic())
            try:
                yield file
            finally:
                if folder.is_dir():
                    file.save()

    @property
    def rows(self) -> int:
        """How many rows of the input were read."""
        return self.state.get("rows", 0)

    def add(self, vectors: NDArray[np.float32], rows: int, counts: dict[str, int]) -> None:
        """Write the next ones [n, D], of so many rows; `counts` are those of all so far. A state is on disk every ten seconds."""
        begin = self.state.get("vectors", 0)
        self.values[begin : begin + len(vectors)] = vectors
        # At once: what stops this between two lines finds the one state or the other.
        self.state = {"rows": self.rows + rows, "vectors": begin + len(vectors), **counts}
        self.forget()
        if time.monotonic() - self.saved >= SAVE_SECONDS:
            self.save()

    def part(self, begin: int, end: int) -> NDArray[np.float32]:
        """A copy of these vectors [end - begin, D]."""
        part = np.array(self.values[begin:end])
        self.forget()
        return part

    def forget(self) -> None:
        """Let the pages that were touched go from this process's memory, which would grow with the file; they stay the file's."""
        mapped: mmap.mmap = self.values._mmap  # type: ignore[attr-defined]
        mapped.madvise(mmap.MADV_DONTNEED)

    def save(self) -> None:
        """Have the disk take what is written, then the state that says so."""
        self.values.flush()
        write_json(self.folder / STATE, {"key": self.key, "shape": list(self.values.shape), **self.state})
        self.saved = time.monotonic()

    def become(self, out: Path) -> None:
        """Stand at `out`, an npy file."""
        self.save()
        with atomic_file(out) as temporary:
            os.replace(self.folder / VALUES, temporary)

    def remove(self) -> None:
        """Everything is where it belongs."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _known(folder: Path, key: str, shape: tuple[int, int]) -> dict[str, int] | None:
    with suppress(StoreError, OSError, ValueError):
        state: dict[str, Any] = read_json(folder / STATE)
        found = np.load(folder / VALUES, mmap_mode="r").shape
        if state.pop("key", None) == key and tuple(state.pop("shape", ())) == shape == found:
            return state
    return None


def _allocate(path: Path, shape: tuple[int, int]) -> None:
    path.unlink(missing_ok=True)
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    with path.open("rb+") as file:
        # Claimed at once: writing to a map of a full disk would kill the process without a word.
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
