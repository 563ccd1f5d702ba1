"""The store: what stages made, each artifact under the key of what it was made from.

    <root>/artifacts/<first 16 digits of the key>/   complete artifacts; appear by one rename, sealed by their stage.json
    <root>/artifacts/damaged-<...>-<n>/              set aside because a digest did not match
    <root>/work/<...>/                               checkpoints of a stage that is under way; survive a kill
    <root>/cache/                                    token stores, rows from Python, ...: what can be made again
    <root>/locks/                                    one lock file a key, one a reader, one a running study; a lock dies with its process

A folder's name is only the beginning of the key; the whole key stands in `stage.json` and decides.
"""

import logging
import os
import shutil
import stat
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from acclimate.errors import StoreError, UnreadableError
from acclimate.files import (
    TEMPORARY_PREFIX,
    atomic_folder,
    digest_file,
    disk_errors,
    locked,
    mark_used,
    replace_folder,
    unreadable,
    write_text,
)
from acclimate.locks import SILENT, Busy, Patience, acquire, held
from acclimate.mounts import is_shared
from acclimate.study.store.entries import ADAPTER_OF, ARTIFACTS, CACHE, DAMAGED_PREFIX, LOCKS, WORK, Entry
from acclimate.study.store.folder_room import lying, tidy
from acclimate.study.store.keys import short
from acclimate.study.store.leases import leased
from acclimate.study.store.seal import Stamp, seal, sealed_record, stamp_of, stamps

TIDYING = "another acclimate process, which is tidying the store"

log = logging.getLogger(__name__)


class Store:
    """Artifacts under keys (64 hexadecimal digits). Making a Store touches no file; its folders appear with the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._artifacts = root / ARTIFACTS
        self._work = root / WORK
        self._locks = root / LOCKS
        self._held: set[tuple[int, int, str]] = set()  # (process, thread, short key): makes `lock` reentrant
        self._verified: dict[Path, Stamp] = {}  # with which a file's digest was right

    # -- artifacts ------------------------------------------------------------------------------------------------------

    def path(self, key: str) -> Path:
        """The folder of this artifact, whether it stands there or not."""
        return self._artifacts / short(key)

    def has(self, key: str) -> bool:
        """Whether the artifact stands complete and undamaged.

        Digests are compared once a process (again when a file's size, time, inode or change time is another). A damaged artifact is set
        aside as `damaged-<key>-<n>` with a warning, and the answer is False: the caller computes it again. In a store that may only be
        read it stays where it is.

        Raises:
            StoreError: it cannot be read. That is no damage: nothing is moved.
        """
        folder = self.path(key)
        if not self._stands(key):
            return False
        reason = self._damage(key)
        if reason is None:
            mark_used(folder)
            return True
        try:
            # The lock decides who sets it aside: without it, we could move away what another process has just mended.
            with self.lock(key, timeout=0):
                reason = self._damage(key)
                if reason is not None:
                    self._set_aside(folder, reason)
                return reason is None
        except Busy:
            return False
        except StoreError:
            if self.writable():
                raise
            log.warning("%s; the store cannot be written, so it stays there", reason)
            return False

    def writable(self) -> bool:
        """Whether this process may write into it, or make it where it is not there yet; nothing is written to find out."""
        there = self.root
        while not there.exists() and there != there.parent:
            there = there.parent
        return there.is_dir() and os.access(there, os.W_OK | os.X_OK)

    def check_writable(self) -> None:
        """Write something into every one of its folders, so that it is known before work is spent that they can be written.

        Raises:
            StoreError: they cannot; DiskFullError where there is no room.
        """
        self._prepare()
        try:
            with disk_errors(self.root):
                for folder in (self.root, self._artifacts, self._work, self._locks, self.cache):
                    probe = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-probe"
                    try:
                        probe.write_bytes(b"probe")
                    finally:
                        with suppress(OSError):
                            probe.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def record(self, key: str) -> dict[str, Any]:
        """The `stage.json` of a complete artifact, as it was given to `building` plus key, creation time and digests.

        Raises:
            StoreError: there is no such artifact, or its record is damaged.
        """
        record = sealed_record(self.path(key))
        if record["key"] != key:
            raise StoreError(f"{self.path(key)}: holds the artifact {record['key']}, not {key}")
        return record

    @contextmanager
    def building(self, key: str, record: dict[str, Any]) -> Iterator[Path]:
        """Yield an empty folder that becomes the artifact by one rename when the block ends well, and vanishes when it does not.

        `record` is read when the block ends, so that metrics and costs can be put in meanwhile; it is written as `stage.json`
        together with the key and the digest of every file. The work folder of the key is removed afterwards.
        The caller holds `lock(key)`.

        Raises:
            DiskFullError: no room is left; nothing of the unfinished artifact stays, and its work folder does.
        """
        assert self.holds(key), "building without lock(key)"
        self._prepare()
        with disk_errors(self.root):
            try:
                with atomic_folder(self.path(key), partial(self._publish, key)) as folder:
                    yield folder
                    seal(folder, key, record)
            except Exception:
                # Another machine, which had taken a lease that we could not renew, may have finished it, and tidied our checkpoints away.
                if not (is_shared(self.root) and self._is_whole_here(key)):
                    raise
            for name, stamp in stamps(self.path(key)).items():
                # A rename keeps them; reading back the gigabytes that we have just hashed would prove nothing.
                self._verified[self.path(key) / name] = stamp
        shutil.rmtree(self._work / short(key), ignore_errors=True)

    def fetch(self, folder: Path) -> None:
        """See that every file of the artifact at `folder` is on this machine, as it always is in a folder."""

    def take_up(self, key: str, say: Callable[[str], None] | None = None) -> None:
        """Have the last checkpoints of this key here, whichever machine they are of; in a folder they always are. The caller holds it."""

    def work(self, key: str) -> Path:
        """The folder for this key's checkpoints: made if need be, kept through a kill, removed when the artifact is complete."""
        folder = self._work / short(key)
        self._prepare()
        with disk_errors(self.root):
            if folder.exists() and not folder.is_dir():
                folder.unlink()  # no folder of ours is a file, and a stage must be able to begin
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def cache(self) -> Path:
        """The folder for what can be made again from the data, such as token stores."""
        folder = self.root / CACHE
        self._prepare()
        with disk_errors(self.root):
            folder.mkdir(exist_ok=True)
        return folder

    # -- locks ----------------------------------------------------------------------------------------------------------

    @contextmanager
    def lock(
        self, key: str, waiting: Callable[[str], None] | None = None, poll: Callable[[], None] | None = None, timeout: float = -1
    ) -> Iterator[None]:
        """Hold this key: one computation over all processes. The same thread may take it again; a dead process frees it.

        `waiting` and `poll` are those of `Patience`.

        Raises:
            StoreError: another process holds it for longer than `timeout` seconds (for ever by default).
        """
        if self.holds(key):
            yield
            return
        self._prepare()
        me = _me(key)
        with ExitStack() as stack:
            what = f"another acclimate process, which is computing {short(key)}"
            acquire(stack, self._locks / f"{short(key)}.lock", what, timeout, Patience(waiting, poll))
            self._held.add(me)
            try:
                yield
            finally:
                self._held.discard(me)

    def holds(self, key: str) -> bool:
        """Whether this thread is within `lock(key)`."""
        return _me(key) in self._held

    @contextmanager
    def using(self, key: str, patience: Patience = SILENT) -> Iterator[Path]:
        """Keep `prune` away from an artifact while it is read, without keeping other readers away; yields its folder.

        Raises:
            StoreError: there is no such artifact.
        """
        self._prepare()
        mark = self._locks / f"{short(key)}.use-{uuid.uuid4().hex}"
        with ExitStack() as stack:
            # Marks are made and artifacts are removed under one short lock: no artifact vanishes between look and mark.
            with held(self._locks / "store.lock", TIDYING, patience):
                if not self._stands(key):
                    raise StoreError(f"{self.path(key)}: there is no such artifact")
                stack.enter_context(locked(mark))
            try:
                mark_used(self.path(key))
                yield self.path(key)
            finally:
                stack.close()
                mark.unlink(missing_ok=True)

    @contextmanager
    def lease(self, keys: Iterable[str], patience: Patience = SILENT) -> Iterator[None]:
        """Keep `prune` away from all that a study needs, there already or not, for as long as it runs, and from the cache."""
        self._prepare()
        with ExitStack() as stack:
            with held(self._locks / "store.lock", TIDYING, patience):
                stack.enter_context(leased(self._locks, map(short, keys)))
            yield

    # -- looking and tidying --------------------------------------------------------------------------------------------

    def ls(self) -> list[Entry]:
        """Everything that takes room in the store, the last used first."""
        self.check_folder()
        return lying(self.root)

    def prune(self, keep: set[str] | None = None, older_than_days: float | None = None, dry_run: bool = False) -> list[Entry]:
        """Remove what is not needed, and return it; with `dry_run` only return it.

        Always: what killed processes left behind, checkpoints of complete artifacts, damaged artifacts. Artifacts, and
        checkpoints of unfinished ones, only when `keep` (whole keys) does not name them or `older_than_days` is given
        (and then only those that fit both), but never a model that an adapter which stays belongs to; the cache only by age. What is in
        use (locked) is never touched, nor what a running study needs (`lease`), nor any of the cache while one runs.
        """
        self.check_folder()
        return tidy(self.root, self._prepare, keep, older_than_days, dry_run)

    # -- damage ---------------------------------------------------------------------------------------------------------

    def _damage(self, key: str) -> str | None:
        """What is wrong with the artifact, or None. Raises StoreError where it cannot be read, which says nothing about it."""
        folder = self.path(key)
        try:
            record = sealed_record(folder)
        except UnreadableError:
            raise
        except StoreError as error:
            return str(error)
        if record["key"] != key:
            return f"{folder}: holds another artifact, {record['key']}"
        if (before := record.get(ADAPTER_OF)) is not None and not self._stands(before):
            return f"{folder}: holds an adapter, and the model that it belongs to ({short(before)}) is gone"
        for name, expected in record["files"].items():
            file = folder / name
            try:
                status = file.stat()
                stamp = stamp_of(status)
                if status.st_size != expected["bytes"]:
                    return f"{file}: has {status.st_size} bytes instead of {expected['bytes']}"
                if self._verified.get(file) != stamp:
                    if digest_file(file) != expected["sha256"]:
                        return f"{file}: its content changed since it was written"
                    self._verified[file] = stamp
            except (FileNotFoundError, NotADirectoryError):
                return f"{file}: is missing"
            except OSError as error:
                raise unreadable(file, error) from error
        return None

    def _stands(self, key: str) -> bool:
        folder = self.path(key)
        if _is_folder(folder):
            return True
        # A machine may remember for a while that a name was not there; to list its folder anew is to ask the server.
        return is_shared(self._artifacts) and _is_folder(self._artifacts) and folder.name in os.listdir(self._artifacts)

    def _is_whole_here(self, key: str) -> bool:
        return _is_folder(self.path(key)) and self._damage(key) is None

    def _publish(self, key: str, new: Path, path: Path) -> None:
        # Only where a lease was lost (`lock_at`) one can stand there already: the first is the one, unless it is damaged.
        if not self._is_whole_here(key):
            replace_folder(new, path)

    def _set_aside(self, folder: Path, reason: str) -> None:
        for number in range(1, 1_000_000):
            aside = folder.with_name(f"{DAMAGED_PREFIX}{folder.name}-{number}")
            if not aside.exists():
                break
        try:
            os.replace(folder, aside)
        except OSError as error:
            raise StoreError(f"{reason}; the damaged artifact cannot be set aside as {aside.name} ({error.strerror})") from error
        self._verified = {file: stamp for file, stamp in self._verified.items() if folder not in file.parents}
        log.warning("%s; set aside as %s, it will be computed again", reason, aside.name)

    def check_folder(self) -> None:
        """Refuse a path that cannot be a store.

        Raises:
            StoreError: it is a file.
        """
        if self.root.exists() and not self.root.is_dir():
            raise StoreError(f"{self.root}: is a file, and no store; choose another folder with --store")

    def _prepare(self) -> None:
        self.check_folder()
        try:
            with disk_errors(self.root):
                for folder in (self._artifacts, self._work, self._locks):
                    folder.mkdir(parents=True, exist_ok=True)
                ignore = self.root / ".gitignore"
                if not ignore.exists():
                    write_text(ignore, "*\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(f"{self.root}: the store cannot be written ({error.strerror}); choose another folder with --store")


def _me(key: str) -> tuple[int, int, str]:
    # The process is part of it: a forked child has a copy of the set, but not the lock.
    return os.getpid(), threading.get_ident(), short(key)


def _is_folder(path: Path) -> bool:
    # Unlike Path.is_dir, which says no where it only could not look.
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unreadable(path, error) from error
