"""Digests of input files, remembered by size and time so that a large corpus is hashed once."""

import json
import time
from pathlib import Path

from acclimate.files import digest_file, locked, write_text

_SETTLED_SECONDS = 2.0


class DigestMemory:
    """Remembers the SHA-256 of files in `<folder>/digests.json`; a changed size or modification time means a new digest.

    A memory that cannot be read is started afresh: it only saves time and never decides what is true.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "digests.json"
        self._known = self._read()

    def digest(self, path: Path) -> str:
        """SHA-256 of the file's bytes as 64 hexadecimal digits, from memory when size and time are as they were."""
        before = path.stat()
        name = str(path.resolve())
        remembered = self._known.get(name)
        if remembered is not None and remembered[:2] == (before.st_size, before.st_mtime_ns):
            return remembered[2]
        digest = digest_file(path)
        after = path.stat()
        unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        # A file written a moment ago could change once more within the clock's resolution and look the same: not remembered yet.
        if unchanged and time.time() - after.st_mtime > _SETTLED_SECONDS:
            self._remember(name, (after.st_size, after.st_mtime_ns, digest))
        return digest

    def _remember(self, name: str, entry: tuple[int, int, str]) -> None:
        with locked(self.file.with_suffix(".lock")):
            # Another process may have written meanwhile: its entries are kept.
            self._known = {**self._read(), **self._known, name: entry}
            write_text(self.file, json.dumps(self._known, indent=1) + "\n")

    def _read(self) -> dict[str, tuple[int, int, str]]:
        try:
            stored = json.loads(self.file.read_text(encoding="utf-8"))
            return {str(name): (int(size), int(modified), str(digest)) for name, (size, modified, digest) in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
