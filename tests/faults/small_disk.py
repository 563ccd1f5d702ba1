"""A folder as a disk of its own, which has room for so many files and then for none."""

import builtins
import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk:
    """Counts what is made, or opened to be written, below a folder; where more than `room` is, the disk is full."""

    def __init__(self, folder: Path, room: int | None = None) -> None:
        self.folder, self.room, self.asked = folder, room, 0

    @contextmanager
    def mounted(self) -> Iterator["Disk"]:
        """At the layer of files, which works whoever runs the tests; what libraries write by themselves goes into folders made there."""
        with pytest.MonkeyPatch.context() as patch:
            for home, name in ((builtins, "open"), (io, "open")):
                patch.setattr(home, name, self._watched(getattr(home, name), lambda mode="r", *_, **__: not set(mode).isdisjoint("wxa+")))
            patch.setattr(os, "open", self._watched(os.open, lambda flags=0, *_, **__: flags & (os.O_WRONLY | os.O_RDWR)))
            patch.setattr(os, "mkdir", self._watched(os.mkdir, lambda *_, **__: True))
            yield self

    def _watched(self, whole, writes):
        def asked(path, *arguments, **more):
            if (
                not isinstance(path, int)
                and Path(os.path.abspath(os.fsdecode(path))).is_relative_to(self.folder)
                and writes(*arguments, **more)
            ):
                self.asked += 1
                if self.room is not None and self.asked > self.room:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fsdecode(path))
            return whole(path, *arguments, **more)

        return asked
