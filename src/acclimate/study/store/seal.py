"""The seal of an artifact: its `stage.json` holds the digest of every file, and a digest over itself."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acclimate.errors import StoreError
from acclimate.files import TEMPORARY_PREFIX, digest_file, digest_json, read_json, write_json

RECORD = "stage.json"


Stamp = tuple[int, int, int, int]
"""(bytes, modification time in ns, inode, change time in ns): what is the same in all of them has not been written to."""


def seal(folder: Path, key: str, record: dict[str, Any]) -> None:
    """Write the record of a finished artifact: what it is given, the key, the time and the digest of every file."""
    files = {name: {"bytes": size, "sha256": digest_file(folder / name)} for name, (size, *_) in stamps(folder).items() if name != RECORD}
    sealed = {**record, "key": key, "created": datetime.now(UTC).isoformat(timespec="seconds"), "files": files}
    # Through JSON first: a key that is a number is a word when it is read back, and sorts differently.
    sealed = json.loads(json.dumps(sealed, allow_nan=False))
    # The record seals the files, and the seal the record: a flipped digit in a metric is found too.
    write_json(folder / RECORD, {**sealed, "seal": digest_json(sealed)})


def sealed_record(folder: Path) -> dict[str, Any]:
    """The record of an artifact, if it is as it was written.

    Raises:
        StoreError: there is none, or it was changed; UnreadableError where it could not be read.
    """
    return checked_record(read_json(folder / RECORD), folder / RECORD)


def parsed_record(content: bytes, where: object) -> dict[str, Any]:
    """The record in these bytes, read from `where`, if it is as it was written.

    Raises:
        StoreError: it is none, or it was changed.
    """
    try:
        return checked_record(json.loads(content), where)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where}: cannot be read as JSON ({error})") from error


def checked_record(record: Any, where: object) -> dict[str, Any]:
    """A record that was read from `where`, if it is as it was written.

    Raises:
        StoreError: it is none, or it was changed.
    """
    if not isinstance(record, dict) or "seal" not in record:
        raise StoreError(f"{where}: is not the record of an artifact")
    try:
        expected = digest_json({name: value for name, value in record.items() if name != "seal"})
    except ValueError:  # NaN, which is never written
        expected = ""
    if record["seal"] != expected:
        raise StoreError(f"{where}: its content changed since it was written")
    return record


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file that was looked at."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def stamps(folder: Path) -> dict[str, Stamp]:
    """Relative name -> stamp of every file below `folder`, sorted."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.startswith(TEMPORARY_PREFIX):
            found[file.relative_to(folder).as_posix()] = stamp_of(file.stat())
    return found
