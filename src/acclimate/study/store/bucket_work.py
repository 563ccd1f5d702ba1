"""The checkpoints of a stage that is under way, in a bucket: whoever takes it up goes on from there when its machine was lost.

    <address>/work/<first 16 digits of the key>/files.json              what there is, with sizes and digests; written last
    <address>/work/<...>/<first 16 digits of a digest>                  a file

A folder of checkpoints is brought as a whole, each file once; who fetches it has all of it, or goes on from what his machine has.
"""

import json
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from acclimate.errors import Interrupted, StoreError
from acclimate.files import TEMPORARY_PREFIX, atomic_folder, digest_file, read_json, remove_leftovers, write_json
from acclimate.study.store.bucket import Bucket
from acclimate.study.store.claims import Terms, facts_of

FILES = "files.json"
STATE = "state-"  # as training/checkpoint.py names a resumable state, by its step; it imports torch
TURN = ".turn"  # beside the checkpoints of a machine: which bringing they come from
LARGE = 50 * 10**6  # bytes, from which on it is said that a stop waits for them
AT_REST = 20  # times what a bringing took, until the next: a twentieth of the time, the network is busy with them

log = logging.getLogger(__name__)

Stamps = Mapping[str, tuple[int, int, int]]


class BucketWork:
    """The checkpoints of one key: `folder` on this machine, and what of it lies in the bucket under `place`.

    Its holder has the key's claim. Bringings are counted, by all machines together: a machine whose count is not the bucket's has older
    checkpoints, and takes the others.
    """

    def __init__(self, bucket: Bucket, place: str, folder: Path, terms: Terms) -> None:
        self._bucket, self._place, self._folder, self._terms = bucket, place, folder, terms
        self._about: Mapping[str, str] = {}
        self._brought: Stamps = {}  # the files that were brought last
        self._telling = threading.Lock()
        self._there = False  # whether something may lie in the bucket

    def fetch(self) -> int:
        """Have the checkpoints of another machine here, if they go beyond what is here; returns how many bytes that were.

        Raises:
            StoreError: they are not as they were written; what is here stays.
        """
        found = self._bucket.get(f"{self._place}/{FILES}")
        facts = {} if found is None else facts_of(found)
        self._there = found is not None
        if not isinstance(facts.get("files"), dict) or facts.get("turn") == self._turn():
            return 0
        remove_leftovers(self._folder)
        with atomic_folder(self._folder) as fetched:
            for name, told in facts["files"].items():
                if Path(name).is_absolute() or ".." in Path(name).parts:
                    raise StoreError(f"{self._bucket.address}/{self._place}/{FILES}: names a file elsewhere, {name}")
                file = fetched / name
                file.parent.mkdir(parents=True, exist_ok=True)
                if not self._bucket.download(f"{self._place}/{told['sha256'][:16]}", file) or digest_file(file) != told["sha256"]:
                    raise StoreError(f"{self._bucket.address}/{self._place}/{name}: is missing, or not as it was written")
            write_json(fetched / TURN, facts["turn"])
        return sum(told["bytes"] for told in facts["files"].values())

    @contextmanager
    def kept_there(self, about: Mapping[str, str]) -> Iterator[None]:
        """For as long as the block lasts checkpoints are brought now and then; where it ends by a stop, the last one at once.

        `about` says what they are of, to whom looks at the bucket: `key` and `title`.
        """
        self._about = about
        over = threading.Event()

        def bring_now_and_then() -> None:
            wait = self._terms.bring
            while not over.wait(wait):
                began = time.monotonic()
                self._try(over)
                wait = max(self._terms.bring, AT_REST * (time.monotonic() - began))

        thread = threading.Thread(target=bring_now_and_then, name=f"bring {self._place}", daemon=True)
        thread.start()
        try:
            yield
        except Interrupted:
            over.set()
            thread.join()
            self._say_what_a_stop_waits_for()
            self._try(threading.Event())  # the machine may be about to be taken away
            raise
        finally:
            with self._telling:  # what is on its way then is not told of any more, and nobody waits for it
                over.set()

    def remove(self) -> None:
        """Nobody needs them any more."""
        if self._there:
            with suppress(StoreError):  # they take room, until the bucket is tidied
                self._bucket.delete([each.name for each in self._bucket.list(f"{self._place}/")])

    def _say_what_a_stop_waits_for(self) -> None:
        found = self._found()
        size = sum(size for size, *_ in found.values())
        if size > LARGE and found != self._brought:
            log.warning("%.0f MB of checkpoints are brought into %s; a second Ctrl-C leaves them here", size / 1e6, self._bucket.address)

    def _try(self, over: threading.Event) -> None:
        # A network that is gone for a while, or a file that has just given way to a newer one: the next time.
        with suppress(StoreError, OSError):
            self._bring(over)

    def _bring(self, over: threading.Event) -> None:
        found = self._found()
        if not found or found == self._brought:
            return
        self._there = True
        copy = self._folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-bring"
        try:
            files = self._upload(found, copy, over)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
        with self._telling:
            if not over.is_set():
                self._tell(files)
                self._brought = found

    def _tell(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        before = self._bucket.get(f"{self._place}/{FILES}")
        turn = 1 + max(int(facts_of(before).get("turn", 0)) if before is not None else 0, self._turn())
        self._bucket.put(f"{self._place}/{FILES}", json.dumps({**self._about, "turn": turn, "files": files}).encode())
        write_json(self._folder / TURN, turn)
        kept = {f"{self._place}/{FILES}", *(f"{self._place}/{told['sha256'][:16]}" for told in files.values())}
        self._bucket.delete([each.name for each in self._bucket.list(f"{self._place}/") if each.name not in kept])

    def _upload(self, found: Stamps, copy: Path, over: threading.Event) -> dict[str, dict[str, Any]]:
        # Files are replaced while we read, never written to: second names hold fast what stands there now. States come first, for the
        # best weights may be newer than a state, which finds them again, and not older.
        for name in sorted(found, key=lambda name: (f"/{STATE}" not in f"/{name}", name)):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            _hold_fast(self._folder / name, copy / name)
        there = {each.name for each in self._bucket.list(f"{self._place}/")}
        files = {}
        for name in found:
            if over.is_set():
                break
            file, digest = copy / name, digest_file(copy / name)
            if (where := f"{self._place}/{digest[:16]}") not in there:
                self._bucket.upload(file, where)
            files[name] = {"bytes": file.stat().st_size, "sha256": digest}
        return files

    def _found(self) -> Stamps:
        """What a resume needs: all files but those of states before the last."""
        stamps, last = {}, dict[Path, int]()
        for file in sorted(self._folder.rglob("*")):
            name = file.relative_to(self._folder)
            if file.is_file() and not any(part.startswith(TEMPORARY_PREFIX) for part in name.parts) and name.name != TURN:
                status = file.stat()
                stamps[name] = status.st_size, status.st_mtime_ns, status.st_ino
                if (step := _step(name)) is not None:
                    last[name.parent.parent] = max(step, last.get(name.parent.parent, 0))
        return {name.as_posix(): stamp for name, stamp in stamps.items() if _step(name) in (None, last.get(name.parent.parent))}

    def _turn(self) -> int:
        with suppress(StoreError, ValueError, TypeError):
            return int(read_json(self._folder / TURN))
        return 0


def _step(name: Path) -> int | None:
    """Of a file of a resumable state."""
    number = name.parent.name.removeprefix(STATE)
    return int(number) if name.parent.name.startswith(STATE) and number.isdecimal() else None


def _hold_fast(file: Path, other: Path) -> None:
    try:
        os.link(file, other)
    except FileNotFoundError:
        raise
    except OSError:  # a disk that knows no second names
        shutil.copyfile(file, other)
