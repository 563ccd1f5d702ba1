"""What lies in a store's folder and is not needed: how it is told, and how it goes. `bucket_room` does the same of a bucket."""

import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from acclimate.errors import StoreError
from acclimate.files import TEMPORARY_PREFIX
from acclimate.locks import Busy, acquire
from acclimate.study.store.entries import ARTIFACTS, LOCKS, WORK, Entry, adapted, entries
from acclimate.study.store.keys import SHORT, short
from acclimate.study.store.leases import leases
from acclimate.study.store.seal import sealed_record

CACHE_LEFTOVER_AGE = 3600.0  # seconds without a write after which a temporary folder of the cache has no writer any more

log = logging.getLogger(__name__)


def tidy(
    root: Path, prepare: Callable[[], None], keep: set[str] | None, older_than_days: float | None, dry_run: bool
) -> list[Entry]:  # fmt: skip
    """Remove from the store at `root` what `Store.prune` says, and return it; `prepare` makes the folders that locks need."""
    now = time.time()
    kept = None if keep is None else {short(key) for key in keep}
    removed, busy = [], 0
    every = [(entry, _wanted(root, entry, kept, older_than_days, now)) for entry in lying(root)]
    stays = (_trusted(entry.path) for entry, wanted in every if wanted and entry.kind == "artifact")
    below = {short(key) for key in adapted(filter(None, stays), lambda key: _trusted(root / ARTIFACTS / short(key)))}
    for entry, wanted in every:
        if wanted or (entry.kind == "artifact" and entry.path.name in below):
            continue
        prepare()
        try:
            with ExitStack() as stack:
                _claim(stack, root, entry)
                if not entry.path.exists():  # somebody else removed it meanwhile
                    continue
                removed.append(entry)
                gone = None if dry_run else out_of_sight(entry.path)
        except Busy:
            busy += 1
            continue
        if gone is not None:
            clear(gone)
    if busy:
        log.warning("%d more would go, and stay: a running study needs them", busy)
    return removed


def lying(root: Path) -> list[Entry]:
    """Everything that takes room in the store at `root`, the last used first."""
    return sorted(entries(root), key=lambda entry: (-entry.used, entry.path.name))


def _wanted(root: Path, entry: Entry, kept: set[str] | None, older_than_days: float | None, now: float) -> bool:
    old = older_than_days is not None and now - entry.used > older_than_days * 86400
    if entry.kind == "temporary":
        return _in_cache(root, entry) and now - entry.used < CACHE_LEFTOVER_AGE
    if entry.kind == "damaged" or (entry.kind == "work" and (root / ARTIFACTS / entry.path.name).is_dir()):
        return False
    if entry.kind == "cache" or kept is None:
        return not old
    return entry.path.name in kept or not (older_than_days is None or old)


def _claim(stack: ExitStack, root: Path, entry: Entry) -> None:
    # Raises Busy where another process, or this one, computes, reads or needs it.
    locks = root / LOCKS
    name = entry.path.name if entry.kind in ("artifact", "work") else entry.key[:SHORT]
    known = re.fullmatch(r"[0-9a-f]{16}", name) is not None
    if known and entry.kind != "cache":
        acquire(stack, locks / f"{name}.lock", name, 0)
    acquire(stack, locks / "store.lock", "another acclimate process", -1)
    needed = leases(locks)
    if needed is not None and (_in_cache(root, entry) or (entry.kind in ("artifact", "work") and name in needed)):
        raise Busy(f"{entry.path}: a running study needs it")
    if entry.kind == "artifact":
        for mark in locks.glob(f"{name}.use-*"):
            with ExitStack() as reader:
                acquire(reader, mark, name, 0)
            mark.unlink(missing_ok=True)  # its process is dead


def _in_cache(root: Path, entry: Entry) -> bool:
    return root / ARTIFACTS not in entry.path.parents and root / WORK not in entry.path.parents


def _trusted(folder: Path) -> dict[str, Any] | None:
    with suppress(StoreError):  # what is damaged needs nothing any more
        return sealed_record(folder)
    return None


def out_of_sight(path: Path) -> Path:
    """Move what is to go aside by one rename, so that a kill in the middle leaves no half artifact."""
    gone = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-gone")
    try:
        os.replace(path, gone)
    except OSError as error:
        raise StoreError(f"{path}: cannot be removed ({error.strerror})") from error
    return gone


def clear(gone: Path) -> None:
    """Remove a file or a folder, as far as it goes."""
    if gone.is_dir():
        shutil.rmtree(gone, ignore_errors=True)
    else:
        with suppress(OSError):
            gone.unlink()
