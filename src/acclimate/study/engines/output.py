"""What worker processes print, a line at a time: a live view in the parent would be torn by lines that go to the terminal directly."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

STDOUT, STDERR = 1, 2


class Output:
    """The parent's end of a pipe into which one worker prints."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._ours, self.theirs = Pipe(duplex=False)
        self._thread = threading.Thread(target=self._pass_on, args=(say,), daemon=True)

    def listen(self) -> None:
        """Pass lines on from now on; called when the worker has its own copy of the other end."""
        self.theirs.close()  # or the end of the worker would not be the end of the pipe
        self._thread.start()

    def close(self) -> None:
        """Wait for the last lines of a worker that has ended."""
        self._thread.join(timeout=2)  # a grandchild may hold the pipe for longer

    def _pass_on(self, say: Callable[[str], None]) -> None:
        # What is printed may be anything, and its lines may be progress bars that return to the line's begin.
        with suppress(OSError), os.fdopen(os.dup(self._ours.fileno()), encoding="utf-8", errors="replace", newline="\n") as lines:
            self._ours.close()
            for line in lines:
                shown = line.rstrip("\r\n").rpartition("\r")[2]
                if shown.strip():
                    say(shown)


def send_output_to(output: Connection | None) -> None:
    """In a worker: print into this pipe, or (None) on standard error; standard output is for the study's results."""
    os.dup2(STDERR if output is None else output.fileno(), STDOUT)
    if output is not None:
        os.dup2(output.fileno(), STDERR)
        output.close()
