"""What takes room in a store, folder by folder, for `acclimate store ls` and `prune`."""

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from acclimate.errors import StoreError
from acclimate.files import TEMPORARY_PREFIX
from acclimate.study.store.seal import sealed_record

ARTIFACTS, WORK, CACHE, LOCKS = "artifacts", "work", "cache", "locks"  # folders of a store
DAMAGED_PREFIX = "damaged-"
ADAPTER_OF = "adapter_of"  # in the record of an artifact that is an adapter: the key of the model that it belongs to

Kind = Literal["artifact", "damaged", "work", "temporary", "cache"]


@dataclass(frozen=True)
class Entry:
    """One folder of a store. Times are seconds since 1970."""

    kind: Kind
    key: str  # the whole key of an artifact; what the folder's name tells of it otherwise
    stage: str  # "" where no record tells it
    title: str  # what it was when it was made, e.g. "DAPT + TAPT, seed 1: pretrain on task"
    size: int  # bytes on disk
    created: float
    used: float  # when it was last verified, read or written
    path: Path


def entries(root: Path) -> Iterator[Entry]:
    """Everything that takes room in the store at `root`, in no order that means something."""
    for folder in _folders(root / ARTIFACTS):
        if folder.name.startswith(DAMAGED_PREFIX):
            yield _entry("damaged", folder, folder.name.removeprefix(DAMAGED_PREFIX).rpartition("-")[0])
        elif not folder.name.startswith(TEMPORARY_PREFIX):
            yield _entry("artifact", folder, folder.name)
    for folder in _folders(root / WORK):
        yield _entry("work", folder, folder.name)
        yield from (_entry("temporary", path, folder.name) for path in _temporaries(folder))
    caches = _folders(root / CACHE)
    yield from (_entry("cache", folder, folder.name) for folder in caches if not folder.name.startswith(TEMPORARY_PREFIX))
    for parent in (root, root / ARTIFACTS, root / CACHE, *caches):
        yield from (_entry("temporary", path, path.name.rpartition("-")[2]) for path in _temporaries(parent))


def adapted(records: Iterable[Mapping[str, Any]], record_of: Callable[[str], Mapping[str, Any] | None]) -> set[str]:
    """The keys of the models that the adapters among these records belong to, and of those that these belong to.

    `record_of` gives the record of an artifact by its key; None where there is none that can be trusted.
    """
    found: set[str] = set()
    ahead = [*records]
    while ahead:
        before = ahead.pop().get(ADAPTER_OF)
        if before is not None and before not in found:
            found.add(before)
            record = record_of(before)
            ahead += [] if record is None else [record]
    return found


def told_by(record: Mapping[str, Any]) -> tuple[str, str, str, float]:
    """Key, stage, title and time of an artifact, by its record."""
    stage = record.get("stage", "")
    created = datetime.fromisoformat(record["created"]).timestamp()
    return record["key"], stage["stage"] if isinstance(stage, dict) else stage, record.get("title", ""), created


def _folders(parent: Path) -> list[Path]:
    return sorted(folder for folder in parent.iterdir() if folder.is_dir() and not folder.is_symlink()) if parent.is_dir() else []


def _temporaries(parent: Path) -> list[Path]:
    return sorted(parent.glob(f"{TEMPORARY_PREFIX}*"))


def _entry(kind: Kind, path: Path, name: str) -> Entry:
    stage, title = "", ""
    created, used, size = 0.0, 0.0, 0
    for file in (path, *path.rglob("*")):
        try:
            status = file.stat()
        except FileNotFoundError:  # another process works here
            continue
        size += status.st_size if stat.S_ISREG(status.st_mode) else 0
        if file == path:
            created = status.st_mtime
        if file == path or kind != "artifact":  # an artifact is never written to; its folder's time is set when it is used
            used = max(used, status.st_mtime)
    if kind in ("artifact", "damaged"):
        with suppress(StoreError):
            name, stage, title, created = told_by(sealed_record(path))
    return Entry(kind, name, stage, title, size, created, used, path)
