"""Files that are never half written: atomic writes, digests, canonical JSON, locks."""

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import xxhash
from filelock import FileLock, Timeout

from acclimate.errors import AcclimateError, DiskFullError, StoreError, UnreadableError
from acclimate.lease import Lease
from acclimate.mounts import is_shared

TEMPORARY_PREFIX = ".tmp-"


_FULL = re.compile(r"no space left on device|disk quota exceeded|os error (28|122)\b|\[Errno (28|122)\]", re.IGNORECASE)


def is_disk_full(error: BaseException) -> bool:
    """Whether there was no room on a disk, also where a library (shutil, safetensors, pyarrow) wraps the system's error in its own."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or _FULL.search(str(error)) is not None


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn "no space left" into a DiskFullError that names the folder (`path`, or another that the system names) and what to do.

    Raises:
        DiskFullError: the disk or the quota is full.
    """
    try:
        yield
    except AcclimateError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise DiskFullError(disk_full(_full(error, path))) from error
        raise


def _full(error: Exception, path: Path) -> str:
    # What is written on the way to `path` may lie on another disk, as the temporary folder often does.
    named = getattr(error, "filename", None)
    if isinstance(named, str) and os.path.isabs(named) and not Path(named).is_relative_to(path.absolute()):
        return os.path.dirname(named)
    return str(path)


def disk_full(where: str) -> str:
    """What is said where the disk, or a quota on it, is full."""
    return (
        f"{where}: no space left on the disk; the last complete state is kept. "
        "Free some room (`acclimate store prune` helps) and run the same command again."
    )


@contextmanager
def atomic_file(path: Path, lasting: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it is flushed to disk and renamed to `path`.

    What need not outlive a power cut is not flushed (`lasting=False`): waiting for the disk can take longer than the writing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}")
    try:
        with disk_errors(path.parent):
            yield temporary
            if lasting:
                _flush(temporary)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_folder(new: Path, path: Path) -> None:
    """Put the folder `new` at `path`, in the place of one that may stand there."""
    if path.exists():
        # A rename cannot replace a folder that is not empty, so the old one steps aside first, under a name that says whose it is.
        aside = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}")
        os.replace(path, aside)
        os.replace(new, path)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        os.replace(new, path)


@contextmanager
def atomic_folder(path: Path, place: Callable[[Path, Path], None] = replace_folder) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on a clean exit it appears at `path` by one rename.

    A folder that already stands at `path` is replaced; how is what `place` knows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}")
    temporary.mkdir()
    try:
        with disk_errors(path.parent):
            yield temporary
            flush_files(temporary)
            place(temporary, path)
            flush_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def mark_used(folder: Path) -> None:
    """Set a folder's own time, which says when it was last used; in a store that may only be read, nothing says it."""
    with suppress(OSError):
        os.utime(folder)


def remove_leftovers(path: Path) -> None:
    """Remove what a killed `atomic_folder(path)` left; safe under a lock of that folder, for nobody else can be building it."""
    for other in path.parent.glob(f"{TEMPORARY_PREFIX}*"):
        if is_temporary(other.name, path.name):
            shutil.rmtree(other, ignore_errors=True)


def word_of(name: str) -> str:
    """A name as a part of a file's name: letters and digits stay, of the rest dashes and underscores."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)


def is_temporary(name: str, of: str | None = None) -> bool:
    """Whether a file or folder is called as `atomic_file` and `atomic_folder` call what is not complete yet (of the name `of`)."""
    found = re.fullmatch(rf"{re.escape(TEMPORARY_PREFIX)}[0-9a-f]{{32}}-(.*)", name, re.DOTALL)
    return found is not None and of in (None, found[1])


def write_text(path: Path, text: str, lasting: bool = True) -> None:
    """Write a whole UTF-8 text file atomically; half characters, as in a path that is no UTF-8, are written out (`\\udcff`, as in JSON)."""
    with atomic_file(path, lasting) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write readable JSON atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        StoreError: the file is missing or is not JSON.
        UnreadableError: it is there, and the machine could not read it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, RecursionError) as error:
        raise StoreError(f"{path}: cannot be read as JSON ({error})") from error
    except OSError as error:
        raise unreadable(path, error) from error


def read_table(path: Path, columns: Sequence[str] | None = None, filters: Any = None) -> Any:
    """The rows of a Parquet file, by pyarrow's function of this name; to whose older versions a folder `lr=1` on the way is a column."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path, columns=columns, filters=filters, partitioning=None)


def unreadable(path: Path, error: OSError) -> UnreadableError:
    """The error for a file that the machine could not read; whoever meets it leaves everything as it is."""
    return UnreadableError(f"{path}: cannot be read ({error.strerror or error}); nothing was changed: run it again when it can")


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no NaN. Keys are digests of this text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_json(value: Any) -> str:
    """SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    # A path that is no UTF-8 holds half characters.
    return hashlib.sha256(canonical_json(value).encode(errors="surrogatepass")).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checksum:
    """A checksum at the speed of memory (XXH3, 128 bits), for what can be made again: it finds damage, and is no proof against intent."""

    def __init__(self) -> None:
        self._state = xxhash.xxh3_128()

    def add(self, content: Any) -> None:
        """Bytes, or an array of them."""
        self._state.update(content)

    def hexdigest(self) -> str:
        """Of all that was added, as 32 hexadecimal digits."""
        return self._state.hexdigest()


def checksum_file(path: Path) -> str:
    """The `Checksum` of a file's bytes."""
    checksum = Checksum()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum.add(block)
    return checksum.hexdigest()


def lock_at(path: Path) -> FileLock | Lease:
    """A lock on the file `path`, not taken yet: the system's own, or a lease where other machines may have mounted the file system, too.

    A lease may be lost, and then two hold it for a while. That costs time, and no more: what appears, appears by one rename.
    """
    return Lease(path) if is_shared(path.parent) else FileLock(path)


@contextmanager
def locked(path: Path, timeout: float = -1, lock: FileLock | Lease | None = None) -> Iterator[None]:
    """Hold the lock file `path`, waiting up to `timeout` seconds (for ever by default); freed when the process dies.

    Whoever tries again and again gives the same `lock` (`lock_at`): it remembers for how long it has seen a lease stand.

    Raises:
        StoreError: another process holds it for longer than `timeout`.
        UnreadableError: the machine does not give it (rights, a file system without locks); to wait would help nobody.
        DiskFullError: its file finds no room.
    """
    lock = lock or lock_at(path)
    try:
        with disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=timeout)
    except Timeout as error:
        raise StoreError(f"{path}: another acclimate process is using this; wait for it, or choose another --store/--out") from error
    except OSError as error:
        raise UnreadableError(f"{path}: the lock cannot be taken ({error.strerror or error}); choose another --store/--out") from error
    try:
        yield
    finally:
        lock.release()


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_files(folder: Path) -> None:
    """Have the disk take every file below a folder before what follows."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            _flush(file)


def flush_folder(path: Path) -> None:
    """Have the disk take a folder's entries before what follows."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
