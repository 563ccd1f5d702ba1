"""A command on a terminal, as a test sees it."""

import os
import pty
import select
import subprocess


def environment(**changes):
    base = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    return {**base, "OMP_NUM_THREADS": "1", "TERM": "xterm-256color", "PYTHONUTF8": "1", **changes}


class Terminal:
    """A command whose standard error is a terminal of 100 columns and 30 lines, and whose standard output is a pipe."""

    def __init__(self, command, **changes):
        ours, theirs = pty.openpty()
        size = {"COLUMNS": "100", "LINES": "30"}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment(**size, **changes), start_new_session=True
        )
        os.close(theirs)
        self._ours, self.shown = ours, ""

    def until(self, wanted):
        """Read until this is shown, or it is the case; without a deadline, as only a study that ends shows nothing more."""
        found = wanted if callable(wanted) else lambda: wanted in self.shown
        while not found() and self._more():
            pass
        return found()

    def end(self):
        """Its exit code and its standard output. The terminal ends with the last process that has it."""
        self.until("\0 never")
        out = self.process.communicate()[0].decode()
        os.close(self._ours)
        return self.process.returncode, out

    def _more(self):
        ready, _, _ = select.select([self._ours], [], [], 0.2)
        if not ready:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
