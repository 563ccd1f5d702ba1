"""Work that is killed at a moment: in a copy of this process, by SIGKILL, before a certain line of Python is run."""

import json
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MOMENTS = 30
SURE = 0.95  # of the lines that were counted are there again: the same work takes a few more or less each time
SEED = 28 if os.environ.get("CI") else random.randrange(10**6)  # in CI the same every time, elsewhere new ones


class Lines:
    """Counts the lines that run while it watches, all the way down; before number `last` the process is killed."""

    def __init__(self, last: int | None = None) -> None:
        self.last, self.count, self.renames = last, 0, list[int]()
        sys.addaudithook(self._asked)  # for good, so in a copy of a process alone

    @contextmanager
    def watched(self) -> Iterator[None]:
        sys.settrace(self._line)
        try:
            yield
        finally:
            sys.settrace(None)

    def _line(self, frame, event, arg):
        if event == "line":
            self.count += 1
            if self.count == self.last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._line

    def _asked(self, event, arguments):
        if event == "os.rename" or (event == "ctypes.dlsym" and arguments[1] == "renameat2"):
            self.renames.append(self.count)


def _copied(work: Callable[[Lines], None], last: int | None) -> tuple[int, Lines | None]:
    # (the signal that ended the copy, what it counted)
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: none of them has a lock that this work would want
        process = os.fork()
    if process == 0:
        try:
            lines = Lines(last)
            work(lines)
            os.write(theirs, json.dumps([lines.count, lines.renames]).encode())
        finally:
            os._exit(0)  # whatever happened: what stands around this test is the parent's
    os.close(theirs)
    with os.fdopen(ours) as counted:
        told = counted.read()
    _, status = os.waitpid(process, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, json.loads(told) if told else None


def killed(work: Callable[[Lines], None], moment: int) -> bool:
    """Whether the work was killed there, and did not end before."""
    return _copied(work, moment)[0] == signal.SIGKILL


def moments(work: Callable[[Lines], None]) -> list[int]:
    """Moments to kill the work at, drawn by SEED: half of them right before or after something is renamed, the others anywhere."""
    number, told = _copied(work, None)
    assert number == 0
    assert told is not None, "the work itself failed"
    lines, renames = told
    drawn = random.Random(SEED)
    around = sorted({line + after for line in renames for after in (0, 1)})
    near = drawn.sample(around, min(MOMENTS // 2, len(around)))
    found = near + drawn.sample(sorted(set(range(1, round(SURE * lines))) - set(near)), MOMENTS - len(near))
    print(f"seed {SEED}: before lines {sorted(found)} of {lines:,}; something is renamed in {renames}")
    return found
