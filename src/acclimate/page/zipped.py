"""A folder as a zip that is written while it is sent: nothing of it is held, neither in memory nor on the disk."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

PART = 1 << 16  # bytes


class _Sink:
    """Takes what is written, until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None: ...

    def taken(self) -> bytes:
        """What was written since the last time."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found


def zipped(folder: Path, name: str) -> Iterator[bytes]:
    """The files below a folder, under `name/`, links and hidden files left out; weights are not compressed, which saves little."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for at, folders, files in os.walk(folder):
            folders.sort()
            for each in sorted(files):
                file = Path(at, each)
                if file.is_symlink() or not file.is_file() or each.startswith("."):
                    continue
                inside = zipfile.ZipInfo.from_file(file, f"{name}/{file.relative_to(folder).as_posix()}", strict_timestamps=False)
                with file.open("rb") as opened, archive.open(inside, "w", force_zip64=True) as written:
                    while part := opened.read(PART):
                        written.write(part)
                        yield sink.taken()
                yield sink.taken()
    yield sink.taken()
