"""What takes room in a store that is a bucket, and how it is tidied, for `acclimate store ls` and `prune`."""

import logging
import re
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.errors import SettingsError, StoreError
from acclimate.locks import Busy
from acclimate.study.store.bucket import Bucket, Listed
from acclimate.study.store.bucket_work import FILES
from acclimate.study.store.claims import Terms, facts_of
from acclimate.study.store.entries import Entry, adapted, told_by
from acclimate.study.store.keys import SHORT
from acclimate.study.store.seal import RECORD, parsed_record

if TYPE_CHECKING:
    from acclimate.study.store.objects import ObjectStore

DEAD = 10  # leases' length without a renewal, after which nobody asks by a clock of his own any more
LEFTOVER_AGE = 86400.0  # seconds without a write after which files without a mark have no writer any more

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lying:
    """What lies together in a bucket: an artifact, checkpoints, or files that no mark tells of."""

    entry: Entry
    names: tuple[str, ...]  # its objects, the mark first
    record: dict[str, Any] | None  # of an artifact


def lying(bucket: Bucket) -> list[Lying]:
    """All artifacts and checkpoints, in no order that means something."""
    artifacts, work = (_by_key(bucket.list(f"{place}/")) for place in ("artifacts", "work"))
    parts = [part for short, listed in artifacts.items() for part in _parts(bucket, short, listed)]
    return [*parts, *(_checkpoints(bucket, short, listed) for short, listed in work.items())]


def _by_key(listed: Iterable[Listed]) -> dict[str, list[Listed]]:
    found: dict[str, list[Listed]] = {}
    for each in listed:
        found.setdefault(each.name.split("/")[1], []).append(each)
    return found


def _checkpoints(bucket: Bucket, short: str, listed: list[Listed]) -> Lying:
    mark = next((each for each in listed if Path(each.name).name == FILES), None)
    told = None if mark is None else bucket.get(mark.name)
    facts = {} if told is None else facts_of(told)
    ordered = sorted(listed, key=lambda each: each is not mark)  # the mark first
    size, used = sum(each.size for each in listed), max(each.modified for each in listed)
    where = Path(ordered[0].name).parent
    known = re.fullmatch(f"{short}[0-9a-f]{{48}}", str(facts.get("key"))) is not None
    title = str(facts.get("title", ""))
    entry = Entry("work" if known else "temporary", facts["key"] if known else short, "", title, size, used, used, where)
    return Lying(entry, tuple(each.name for each in ordered), None)


def _parts(bucket: Bucket, short: str, listed: list[Listed]) -> Iterable[Lying]:
    by_try: dict[str, list[Listed]] = {}
    mark = None
    for each in listed:
        name = each.name.split("/")[2]
        if name == RECORD:
            mark = each
        else:
            by_try.setdefault(name, []).append(each)
    if mark is not None and (read := bucket.get(mark.name)) is not None:
        record: dict[str, Any] | None = None
        with suppress(StoreError):  # a damaged mark is found, and taken away, by whoever needs its artifact
            record = parsed_record(read.content, mark.name)
        files = by_try.pop(record["seal"][:SHORT], []) if record is not None else []
        yield _lying("artifact" if record is not None else "damaged", short, [mark, *files], record)
    for files in by_try.values():
        yield _lying("temporary", short, files, None)


def _lying(kind: Any, short: str, listed: list[Listed], record: dict[str, Any] | None) -> Lying:
    written = max(each.modified for each in listed)
    key, stage, title, created = (short, "", "", written) if record is None else told_by(record)
    size = sum(each.size for each in listed)
    entry = Entry(kind, key, stage, title, size, created, written, Path(listed[0].name).parent)
    return Lying(entry, tuple(each.name for each in listed), record)


def tidy(store: "ObjectStore", keep: set[str] | None, older_than_days: float | None, dry_run: bool) -> list[Entry]:
    """Remove what is not needed from a bucket, and return it; with `dry_run` only return it, by this machine's clock: nothing is written.

    Always: what killed writers left behind a day ago, and checkpoints of complete artifacts. Artifacts, and checkpoints of unfinished
    ones, only where `keep` (whole keys) is given and does not name them; never those that a running study needs, that are being computed,
    or that an adapter which stays belongs to.

    Raises:
        SettingsError: `older_than_days` is given: a bucket does not know when something was last used.
    """
    if older_than_days is not None:
        raise SettingsError(
            f"--older-than-days: {store.bucket.address} does not know when something was last used; say what is needed with --keep"
        )
    everything = lying(store.bucket)
    now = time.time() if dry_run else _now(store.bucket)
    kept = None if keep is None else {key[:SHORT] for key in keep}
    stays = {part.entry.key: part.record for part in everything if part.record and (kept is None or part.entry.key[:SHORT] in kept)}
    complete = {part.entry.key for part in everything if part.record}
    below = adapted(stays.values(), {part.entry.key: part.record for part in everything if part.record}.get)
    # What is removed is asked about just before: a study may have begun meanwhile.
    looked = _needed(store.bucket, now, store.terms, forget=False) if dry_run else None
    gone, busy = [], 0
    for part in everything:
        entry = part.entry
        if entry.kind in ("artifact", "work"):
            done = entry.kind == "work" and entry.key in complete
            if not done and (kept is None or entry.key[:SHORT] in kept or entry.key in below):
                continue
            if entry.key[:SHORT] in (looked if looked is not None else _needed(store.bucket, now, store.terms)):
                busy += 1
                continue
        elif now - entry.used < LEFTOVER_AGE:
            continue
        try:
            if not dry_run:
                _remove(store, part)
        except Busy:
            busy += 1
            continue
        gone.append(entry)
    if busy:
        log.warning("%d more would go, and stay: a running study needs them", busy)
    return gone


def _remove(store: "ObjectStore", part: Lying) -> None:
    if part.entry.kind not in ("artifact", "work"):
        store.bucket.delete(part.names)
        return
    with store.lock(part.entry.key, timeout=0):
        store.bucket.delete(part.names[:1])  # the mark first: without it nobody takes the rest for an artifact
        store.bucket.delete(part.names[1:])


def _needed(bucket: Bucket, now: float, terms: Terms, forget: bool = True) -> set[str]:
    """The keys, shortened, that running studies hold; the lists of dead ones are removed, unless they are not to be forgotten."""
    found: set[str] = set()
    for each in [*bucket.list("leases/")]:
        if now - each.modified > DEAD * terms.lease:
            if forget:
                bucket.delete([each.name])
        elif (read := bucket.get(each.name)) is not None:
            found.update(map(str, facts_of(read).get("keys", ())))
    return found


def _now(bucket: Bucket) -> float:
    """The time by the clock of the bucket."""
    probe = f"probes/{uuid.uuid4().hex}"
    bucket.put(probe, b"probe")
    now = max(each.modified for each in bucket.list("probes/") if each.name == probe)
    bucket.delete([probe])
    return now
