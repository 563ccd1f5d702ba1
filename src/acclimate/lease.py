"""A lock for file systems that several machines have mounted, where the system's own may be known to one machine alone.

It is a file that is made where there is none, and touched again and again for as long as its process lives. Whose process is dead on this
machine is free at once; else it is free for whoever has seen it stand untouched for `LEASE` seconds by his own clock. Who was only held up
for so long goes on beside the other: that must cost no more than time.

(filelock's leases wait for ever where a file system cannot exchange two names, as NFS cannot; they promise more than is needed here.)
"""

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

from filelock import Timeout

LEASE = 60.0  # seconds that it was seen to stand untouched, after which it is free
DEAD = 5 * LEASE  # the same of one that nobody was there to watch, by the clock of the file system
POLL = 0.2  # seconds between two looks


class Lease:
    """A lease of the file `path`. Whoever tries again and again uses one: it remembers for how long it has seen the file stand."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts = {"token": uuid.uuid4().hex, "host": _host(), "pid": os.getpid(), "start": _start_of(os.getpid())}
        self._seen: tuple[object, float] = (None, 0.0)
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, timeout: float = -1) -> None:
        """Take it, waiting up to `timeout` seconds (for ever by default).

        Raises:
            Timeout: somebody held it for longer.
            OSError: the file system does not give it.
        """
        start = time.monotonic()
        while not (self._made() or (self._freed() and self._made())):
            waited = time.monotonic() - start
            if 0 <= timeout <= waited:
                raise Timeout(str(self._path))
            time.sleep(min(POLL, timeout - waited) if timeout >= 0 else POLL)
        self._thread = threading.Thread(target=self._renew, name=f"lease {self._path.name}", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give it back."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()  # else it might make anew, as one that was lost, what is removed here
        with suppress(OSError):  # what cannot be removed is free after a while
            if self._is_ours():
                self._path.unlink()

    def _made(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, json.dumps(self._facts).encode())
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return True

    def _freed(self) -> bool:
        """Whether what stands there was let go, or was a dead one's and is removed now."""
        try:
            with self._path.open("rb") as file:  # to open it is to ask the server, where a look alone may tell what was so a minute ago
                status, content = os.fstat(file.fileno()), file.read()
        except FileNotFoundError:
            return True
        stamp = status.st_ino, status.st_mtime_ns, status.st_ctime_ns
        if stamp != self._seen[0]:
            self._seen = stamp, time.monotonic()
        if not (_is_dead(content) or time.monotonic() - self._seen[1] >= LEASE or self._is_long_dead(status.st_mtime)):
            return False
        aside = self._path.with_name(f"{self._path.name}.dead-{uuid.uuid4().hex}")
        try:
            os.rename(self._path, aside)  # of several that have waited one gets it
            if aside.read_bytes() != content:  # another's, who was quicker: it is put back, unless a third has taken the place
                with suppress(OSError):
                    os.link(aside, self._path)
            aside.unlink()
        except FileNotFoundError:
            pass
        return True

    def _is_long_dead(self, touched: float) -> bool:
        if time.time() - touched <= DEAD:
            return False
        # The clocks of machines need not agree, and the file system has but one.
        probe = self._path.with_name(f"{self._path.name}.clock-{uuid.uuid4().hex}")
        try:
            probe.touch()
            return probe.stat().st_mtime - touched > DEAD
        finally:
            probe.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._done.wait(LEASE / 3):
            try:
                if not self._is_ours():
                    return  # it was taken when we could not renew it: what we do is done twice
                os.utime(self._path)
            except FileNotFoundError:
                with suppress(OSError):
                    if not self._made():
                        return
            except OSError:
                continue  # a server that does not answer for a while

    def _is_ours(self) -> bool:
        return str(self._facts["token"]).encode() in self._path.read_bytes()


def _is_dead(content: bytes) -> bool:
    """Whether these are the words of a process of this machine that is no more."""
    with suppress(ValueError, TypeError, KeyError):
        told = json.loads(content)
        return bool(told["host"] == _host() and _start_of(int(told["pid"])) != told["start"])
    return False


@cache
def _host() -> str:
    """This machine since it was started, as its processes see each other (containers do not)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return f"{socket.gethostname()}-{uuid.uuid4().hex}"  # nobody then takes us for dead but by the clock
    return f"{socket.gethostname()}-{boot}-{space}"


def _start_of(process: int) -> str | None:
    """When a process was started, in ticks (proc(5)): numbers are used again, and this tells whose it is. None where there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
