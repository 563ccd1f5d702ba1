"""What is printed is harmless, fits every terminal, and is never lost in silence."""

import errno
import io
import os
import sys

import pytest

from acclimate.cli.guard import Guard
from acclimate.cli.streams import raw
from acclimate.errors import FAULT


def ended(capsys, verb):
    """(exit code, standard output, standard error) of a verb."""
    code = 0
    try:
        Guard()(verb)()
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


def stream(write, encoding="utf-8"):
    class Device(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            return write(bytes(data))

    return io.TextIOWrapper(io.BufferedWriter(Device()), encoding=encoding)


def full(data):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def gone(data):
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def test_what_draws_on_a_terminal_keeps_its_colours(capsys):
    assert ended(capsys, lambda: raw(sys.stdout).write("\x1b[31mred")) == (0, "\x1b[31mred", "")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_what_an_encoding_lacks_is_written_as_json_would(monkeypatch, capsys, encoding):
    written = bytearray()
    monkeypatch.setattr(sys, "stdout", stream(lambda data: written.extend(data) or len(data), encoding))
    assert ended(capsys, lambda: print("│ – 😀"))[0] == 0
    assert bytes(written) == b"\\u2502 \\u2013 \\ud83d\\ude00\n"


def test_a_closed_standard_output_is_said_before_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    worked = []
    code, _, err = ended(capsys, lambda: worked.append(1))
    assert (code, worked) == (2, [])
    assert "standard output is closed" in err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/cache/x"), "/cache/x: no space left on the disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left"),
        (__import__("shutil").Error([("a", "b", "[Errno 28] No space left on device")]), "no space left"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), "/root/x: Permission denied"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), "No usable temporary directory"),
        (MemoryError(), "out of memory"),
    ],
)
def test_what_the_system_refuses_is_one_line(capsys, error, said):
    def verb():
        raise error

    code, _, err = ended(capsys, verb)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1


def test_a_fault_of_our_own_has_its_traceback_and_its_exit_code(capsys):
    code, _, err = ended(capsys, lambda: [][1])
    assert code == FAULT
    assert "Traceback" in err
    assert "a fault of acclimate" in err
