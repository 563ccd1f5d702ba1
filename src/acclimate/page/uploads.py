"""Files that are dropped on the page: written into a folder of their own below the page's, never over another one."""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from acclimate.data.readers.endings import format_of, known_endings
from acclimate.errors import SettingsError
from acclimate.files import TEMPORARY_PREFIX, disk_full
from acclimate.inert import inert
from acclimate.page.home import Home
from acclimate.serving.refusals import Refused

FOLDER = "uploads"
LONGEST_NAME = 200  # bytes
SPARE = 64 << 20  # bytes of the disk that stay free


async def keep(home: Home, name: str, announced: int, chunks: AsyncIterator[bytes], most: int, seconds: float) -> str:
    """Write what comes to `uploads/NAME`, and return that path; `announced` bytes, at most `most`, within so many seconds.

    Raises:
        Refused: too large or too slow, or there is no room.
        SettingsError: its name is no data file's, or is taken.
    """
    place = _place(home, name)
    told = f"{inert(name)}: a dropped file may have {most:,} bytes; put it into the folder and name it, or give a larger --max-upload"
    if announced > most:
        raise Refused(413, told)
    if announced + SPARE > shutil.disk_usage(place.parent).free:
        raise Refused(507, disk_full(str(place.parent)))
    written = place.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-upload"
    size = 0
    try:
        with written.open("xb") as file:
            try:
                async with asyncio.timeout(seconds):
                    async for chunk in chunks:
                        size += len(chunk)
                        if size > most:
                            raise Refused(413, told)
                        await asyncio.to_thread(file.write, chunk)
            except TimeoutError:
                raise Refused(408, f"{inert(name)} did not arrive within {seconds:g} seconds") from None
            if size != announced:
                raise Refused(400, f"{inert(name)}: {size:,} of {announced:,} bytes arrived; drop it again")
        try:
            os.link(written, place)  # unlike a rename, never over another file
        except FileExistsError:
            raise _taken(name) from None
    finally:
        written.unlink(missing_ok=True)
    return home.shown(place)


def _place(home: Home, name: str) -> Path:
    if not name or "/" in name or "\\" in name or name.startswith((".", "-", "~")) or inert(name) != name or not name.isprintable():
        raise SettingsError(f"{inert(name)!r}: a plain file name is wanted, such as train.jsonl")
    if any(sign in name for sign in "*?["):
        raise SettingsError(f"{name!r}: the signs * ? [ stand for other names in paths; rename the file")
    if len(name.encode()) > LONGEST_NAME:
        raise SettingsError(f"{name[:40]}...: the name is too long, at most {LONGEST_NAME} bytes")
    if format_of(Path(name)) is None:
        raise SettingsError(f"{name}: no data file by its name; known endings are {known_endings()}")
    folder = home.within(home.root / FOLDER)
    folder.mkdir(exist_ok=True)
    place = home.within(folder / name)
    if place.exists() or place.is_symlink():
        raise _taken(name)
    return place


def _taken(name: str) -> SettingsError:
    return SettingsError(f"{name}: is there already, in {FOLDER}/, and is not written over; rename one of both")
