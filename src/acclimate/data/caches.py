"""What is kept because it took time to compute and can be made again: token files, outputs of frozen layers. Verified when it is opened."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from acclimate.errors import StoreError, UnreadableError
from acclimate.files import atomic_folder, checksum_file, digest_json, mark_used, read_json, remove_leftovers, unreadable, write_json
from acclimate.locks import SILENT, Patience, held

T = TypeVar("T")
log = logging.getLogger(__name__)


def seal_cache(folder: Path, facts_file: str, facts: dict[str, Any], files: Sequence[str]) -> None:
    """Write the facts of a finished cache, with a checksum of each of its files and one over themselves."""
    sealed = {**facts, "checksums": {name: checksum_file(folder / name) for name in files}}
    write_json(folder / facts_file, {**sealed, "seal": digest_json(sealed)})


def sealed_facts(folder: Path, facts_file: str) -> dict[str, Any]:
    """The facts of a cache, if it is as it was written; every byte of it is read, at the speed of memory.

    Raises:
        StoreError: it is missing or damaged; UnreadableError where the machine could not read it.
    """
    facts = read_json(folder / facts_file)
    again = "remove the folder, it will be built again"
    if not isinstance(facts, dict) or facts.pop("seal", None) != _digest(facts) or not isinstance(facts.get("checksums"), dict):
        raise StoreError(f"{folder / facts_file}: does not describe what stands here; {again}")
    for name, expected in facts["checksums"].items():
        file = folder / name
        try:
            found = checksum_file(file)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise StoreError(f"{file}: cannot be read ({error.strerror}); {again}") from error
        except OSError as error:
            raise unreadable(file, error) from error
        if found != expected:
            raise StoreError(f"{file}: is not as it was written; {again}")
    return facts


def made_once(
    folder: Path, facts_file: str, opened: Callable[[dict[str, Any]], T | None], write: Callable[[Path], None], patience: Patience = SILENT
) -> None:
    """See that the cache at `folder` is there and whole: `opened` says whether its facts are those of what is wanted, `write` makes it.

    A damaged one is made again, with a warning; a second process waits for the first. An interrupted one leaves nothing behind.

    Raises:
        DiskFullError: the disk is full.
        UnreadableError: what is there could not be read; it stays.
    """
    with held(folder.with_name(f"{folder.name}.lock"), f"another acclimate process, which is writing {folder.name}", patience):
        if folder.exists():
            with _damage_said():
                if opened(sealed_facts(folder, facts_file)):
                    mark_used(folder)
                    return
        remove_leftovers(folder)
        if folder.exists() and not folder.is_dir():
            folder.unlink()
        with atomic_folder(folder) as temporary:
            write(temporary)


def mapped(path: Path, dtype: np.dtype[Any], length: int) -> npt.NDArray[Any]:
    """The array [length] in a file, on disk until it is looked at.

    Raises:
        StoreError: it is not as long as that, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size == length * dtype.itemsize:
            # An empty file cannot be mapped.
            return np.memmap(path, dtype=dtype, mode="r", shape=(length,)).view(np.ndarray) if length else np.zeros(0, dtype)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); remove the folder, it will be built again") from error
    raise StoreError(f"{path}: has {size} bytes where {length * dtype.itemsize} were written; remove the folder, it will be built again")


@contextmanager
def _damage_said() -> Iterator[None]:
    try:
        yield
    except UnreadableError:
        raise
    except StoreError as error:
        log.warning("%s: it is made again", str(error).partition(";")[0])


def _digest(facts: dict[str, Any]) -> str | None:
    try:
        return digest_json(facts)
    except ValueError:  # NaN, which is never written
        return None
