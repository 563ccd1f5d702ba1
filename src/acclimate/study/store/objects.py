"""A store in a bucket of an object store, which several machines share; each keeps what it fetched and made in a folder of its own.

    <address>/artifacts/<first 16 digits of the key>/stage.json        the commit mark, written last: the record of the artifact, sealed
    <address>/artifacts/<...>/<first 16 digits of the seal>/<file>     its files; those of another try lie beside them
    <address>/claims/<...>                                             who computes the key (`claims.py`)
    <address>/work/<...>                                               checkpoints of a key under way (`bucket_work.py`)
    <address>/leases/<name>                                            the keys that a running study needs
    <address>/probes/<name>                                            written to see that it can be, and removed

The folder of a machine is a store as any other, but that large files of models are fetched only when a model is wanted; what
is in the bucket decides. Caches stay on the machine that made them.
"""

import json
import logging
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from acclimate.errors import StoreError, UnreadableError
from acclimate.files import atomic_file, digest_file, digest_json, mark_used, read_json, write_text
from acclimate.locks import SILENT, Busy, Patience, held
from acclimate.study.store.artifacts import Store
from acclimate.study.store.bucket import Bucket
from acclimate.study.store.bucket_room import lying, tidy
from acclimate.study.store.bucket_work import BucketWork
from acclimate.study.store.claims import TERMS, Terms, claimed, renewed
from acclimate.study.store.entries import ADAPTER_OF, Entry
from acclimate.study.store.folder_room import clear, out_of_sight
from acclimate.study.store.keys import SHORT
from acclimate.study.store.seal import RECORD, parsed_record, sealed_record, stamp_of

LARGE = 1 << 20  # bytes of a model's file from which on it waits until the model is wanted
OWNER = "owner"

log = logging.getLogger(__name__)


class _Damaged(Exception):
    """What is in the bucket is not what its record says."""


class ObjectStore(Store):
    """Artifacts under keys, in the bucket at `address`; `root` is the folder of this machine. Making one asks nobody."""

    def __init__(self, address: str, root: Path, terms: Terms = TERMS) -> None:
        super().__init__(root)
        self.bucket = Bucket(address)
        self.terms = terms
        self._records: dict[str, tuple[bytes, dict[str, Any]]] = {}  # by key, of what was seen in the bucket; it never changes there
        self._works: dict[str, BucketWork] = {}  # by key, of stages that were begun here
        self._checked = False

    # -- artifacts ------------------------------------------------------------------------------------------------------

    def has(self, key: str) -> bool:
        """Whether the artifact stands complete in the bucket; if so, it is fetched, but for the large files of its model.

        What does not fit its digests, fetched twice, has its mark taken away with a warning, and the answer is False. What was finished
        here and did not reach the bucket is brought there by whoever holds the key.
        """
        record = self._record(key)
        if record is None:
            return self.holds(key) and self._brought(key)
        try:
            self._fetch(key, record, large=False)
        except _Damaged as damage:
            self._withdraw(key, str(damage))
            return False
        return True

    def fetch(self, folder: Path) -> None:
        """See that every file of the artifact at `folder` is on this machine.

        Raises:
            StoreError: it is damaged in the bucket, or gone.
        """
        self._fetch_whole(sealed_record(folder)["key"])

    @contextmanager
    def using(self, key: str, patience: Patience = SILENT) -> Iterator[Path]:
        """As of any store; the whole artifact is on this machine then."""
        self._fetch_whole(key, patience)
        with super().using(key, patience) as folder:
            yield folder

    @contextmanager
    def building(self, key: str, record: dict[str, Any]) -> Iterator[Path]:
        """As of any store, and the artifact is brought into the bucket; where that fails, it stays here, and the next try brings it.

        Meanwhile checkpoints are brought there now and then.
        """
        work = self._work_of(key)
        with super().building(key, record) as folder, work.kept_there({"key": key, "title": record.get("title", "")}):
            yield folder
        self._bring(key)
        work.remove()

    def take_up(self, key: str, say: Callable[[str], None] | None = None) -> None:
        """Fetch the checkpoints of this key that another machine has brought, if they go beyond those that are here."""
        assert self.holds(key), "take_up without lock(key)"
        self._prepare()
        try:
            size = self._work_of(key).fetch()
        except StoreError as error:
            log.warning("%s; the stage goes on from what this machine has of it, or begins again", error)
            return
        if size and say is not None:
            say(f"checkpoints that another machine made of {key[:SHORT]} were fetched ({size / 1e6:,.1f} MB)")

    # -- claims ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def lock(
        self, key: str, waiting: Callable[[str], None] | None = None, poll: Callable[[], None] | None = None, timeout: float = -1
    ) -> Iterator[None]:
        """Hold this key on this machine, and then in the bucket."""
        if self.holds(key):
            yield
            return
        what = f"another machine, which is computing {key[:SHORT]}"
        with (
            super().lock(key, waiting, poll, timeout),
            claimed(self.bucket, f"claims/{key[:SHORT]}", self._owner, what, timeout, Patience(waiting, poll), self.terms),
        ):
            yield

    @contextmanager
    def lease(self, keys: Iterable[str], patience: Patience = SILENT) -> Iterator[None]:
        """Keep `prune` away from all that a study needs, on this machine and others."""
        facts = {"token": uuid.uuid4().hex, "keys": sorted(key[:SHORT] for key in keys)}
        name = f"leases/{facts['token']}"
        with super().lease(keys, patience):
            version = self.bucket.put(name, json.dumps(facts).encode())
            with renewed(self.bucket, name, facts, version, self.terms):
                yield

    # -- what a store is asked before work ------------------------------------------------------------------------------

    def check_folder(self) -> None:
        """Refuse a folder that cannot be a store, and a bucket that is not there.

        Raises:
            StoreError: there is no such bucket or no right to it; UnreadableError where it cannot be reached.
        """
        super().check_folder()
        if not self._checked:  # which is asked before every writing
            self.bucket.check()
            self._checked = True

    def check_writable(self) -> None:
        """Write something into the bucket, too."""
        super().check_writable()  # asks check_folder first
        probe = f"probes/{uuid.uuid4().hex}"
        self.bucket.put(probe, b"probe")
        self.bucket.delete([probe])

    # -- looking and tidying --------------------------------------------------------------------------------------------

    def ls(self) -> list[Entry]:
        """Every artifact in the bucket, and what lies beside them, the last written first."""
        self.check_folder()
        return sorted((part.entry for part in lying(self.bucket)), key=lambda entry: (-entry.used, entry.path.as_posix()))

    def prune(self, keep: set[str] | None = None, older_than_days: float | None = None, dry_run: bool = False) -> list[Entry]:
        """Tidy the bucket (`bucket_room.tidy`); the folder of this machine is tidied as any other store, by its own path."""
        self.check_folder()
        return tidy(self, keep, older_than_days, dry_run)

    def _work_of(self, key: str) -> BucketWork:
        if key not in self._works:
            self._works[key] = BucketWork(self.bucket, f"work/{key[:SHORT]}", self._work / key[:SHORT], self.terms)
        return self._works[key]

    # -- there and back -------------------------------------------------------------------------------------------------

    @cached_property
    def _owner(self) -> str:
        """Who claims: this folder, on a machine that was started once. Its processes keep each other out by the locks in it."""
        self._prepare()
        with held(self._locks / f"{OWNER}.lock", "another acclimate process, which is beginning here"):
            file = self.root / OWNER
            if not file.is_file():
                write_text(file, uuid.uuid4().hex)
            name = file.read_text(encoding="utf-8")
        boot = Path("/proc/sys/kernel/random/boot_id")  # an image of this folder may stand on another machine
        return f"{name}-{boot.read_text().strip() if boot.is_file() else ''}"

    def _record(self, key: str) -> dict[str, Any] | None:
        """The record in the bucket; None where there is none."""
        if key not in self._records:
            found = self.bucket.get(_mark(key))
            if found is None:
                return None
            try:
                record = parsed_record(found.content, f"{self.bucket.address}/{_mark(key)}")
            except StoreError as error:
                self._withdraw(key, str(error))
                return None
            if record["key"] != key:
                raise StoreError(f"{self.bucket.address}/{_mark(key)}: holds the artifact {record['key']}, not {key}")
            self._records[key] = found.content, record
        return self._records[key][1]

    def _stands(self, key: str) -> bool:
        return super()._stands(key) or self._record(key) is not None

    def _fetch_whole(self, key: str, patience: Patience = SILENT) -> None:
        record = self._record(key)
        if record is None:
            raise StoreError(f"{self.bucket.address}/{_mark(key)}: there is no such artifact")
        try:
            self._fetch(key, record, large=True, patience=patience)
        except _Damaged as damage:
            self._withdraw(key, str(damage))
            raise StoreError(f"{damage}; the same command computes it again") from damage

    def _fetch(self, key: str, record: dict[str, Any], large: bool, patience: Patience = SILENT) -> None:
        """Have what is in the bucket here; `large` says whether large files of the model are wanted, too."""
        if (before := record.get(ADAPTER_OF)) is not None and self._record(before) is None:
            raise _Damaged(f"{_mark(key)}: holds an adapter, and the model that it belongs to ({before[:SHORT]}) is gone")
        self._prepare()
        folder = self.path(key)
        with held(self._locks / f"{key[:SHORT]}.fetch.lock", f"another acclimate process, which is fetching {key[:SHORT]}", patience):
            if folder.exists() and not _is_of(folder, record):
                clear(out_of_sight(folder))  # a try that another machine's was taken before, or the rest of one that was cut off
            for name, told in record["files"].items():
                if large or told["bytes"] < LARGE or not name.startswith("model/"):
                    self._fetch_file(f"{_place(key, record)}/{name}", folder / name, told)
            if not (folder / RECORD).exists():
                with atomic_file(folder / RECORD) as temporary:
                    temporary.write_bytes(self._records[key][0])
            mark_used(folder)

    def _fetch_file(self, name: str, file: Path, told: dict[str, Any]) -> None:
        if self._is_whole(file, told):
            return
        for _ in range(2):  # what the network damaged is not damaged in the bucket
            with suppress(_Damaged):
                with atomic_file(file) as temporary:
                    if not self.bucket.download(name, temporary):
                        raise _Damaged
                    if temporary.stat().st_size != told["bytes"] or digest_file(temporary) != told["sha256"]:
                        raise _Damaged
                self._verified[file] = stamp_of(file.stat())
                return
        raise _Damaged(f"{self.bucket.address}/{name}: is missing, or not as it was written")

    def _is_whole(self, file: Path, told: dict[str, Any]) -> bool:
        if not file.is_file() or file.stat().st_size != told["bytes"]:
            return False
        stamp = stamp_of(file.stat())
        if self._verified.get(file) != stamp and digest_file(file) != told["sha256"]:
            return False
        self._verified[file] = stamp
        return True

    def _brought(self, key: str) -> bool:
        """Whether the artifact stands whole on this machine alone; it is brought into the bucket then. What else stands there goes."""
        folder = self.path(key)
        if not folder.exists():
            return False
        if self._damage(key) is not None:
            clear(out_of_sight(folder))
            return False
        self._bring(key)
        return True

    def _bring(self, key: str) -> None:
        folder = self.path(key)
        record = sealed_record(folder)
        for name in record["files"]:
            self.bucket.upload(folder / name, f"{_place(key, record)}/{name}")
        content = (folder / RECORD).read_bytes()
        while self.bucket.create(_mark(key), content) is None:
            there = self._record(key)
            if there is not None:
                if there["seal"] != record["seal"]:
                    # Another machine, which had taken our claim when it was not renewed, was quicker; its artifact is the one.
                    self.bucket.delete(f"{_place(key, record)}/{name}" for name in record["files"])
                return

    def _withdraw(self, key: str, reason: str) -> None:
        """Take the mark of a damaged artifact away; its files stay, for whoever wants to look at them, until the bucket is tidied."""
        read = self._records.pop(key, None)
        try:
            with self.lock(key, timeout=0):  # who computes it has perhaps just mended it
                found = self.bucket.get(_mark(key))
                if found is not None and (read is None or found.content == read[0]):
                    self.bucket.delete([_mark(key)])
        except Busy:
            return
        except UnreadableError:
            raise
        except StoreError as error:
            log.warning("%s; it stays there (%s)", reason, error)
            return
        log.warning("%s; its mark is removed from the bucket, it will be computed again", reason)


def _mark(key: str) -> str:
    return f"artifacts/{key[:SHORT]}/{RECORD}"


def _place(key: str, record: dict[str, Any]) -> str:
    # By the seal: two tries at one key never mix, whoever writes when.
    return f"artifacts/{key[:SHORT]}/{record['seal'][:SHORT]}"


def _is_of(folder: Path, record: dict[str, Any]) -> bool:
    with suppress(StoreError):
        return bool(read_json(folder / RECORD)["seal"] == record["seal"])
    return False


def cache_of(address: str) -> Path:
    """The folder of this machine for what lies at an address: below `$ACCLIMATE_CACHE`, or in the user's cache."""
    above = os.environ.get("ACCLIMATE_CACHE") or os.environ.get("XDG_CACHE_HOME")
    base = Path(above) if os.environ.get("ACCLIMATE_CACHE") and above else Path(above or Path.home() / ".cache") / "acclimate"
    plain = address.rstrip("/")
    # Two addresses may be one name, and one address two buckets.
    which = digest_json([plain, os.environ.get("AWS_ENDPOINT_URL", "")])[:8]
    return base / f"{plain.replace('://', '-').replace('/', '-')}-{which}"
