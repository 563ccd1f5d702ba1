"""What is printed is harmless, fits every terminal, and is never lost in silence."""

import errno
import io
import os
import sys

import pytest

from acclimate.cli.guard import Guard
from acclimate.cli.streams import raw
from acclimate.errors import BROKEN_PIPE, FAULT, SettingsError


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


def test_control_characters_are_written_out_on_both_streams(capsys):
    def verb():
        print("a\x1b[31mb\rc\u202ed\udc80e\x9bf\tg\nh")
        print("i\x00j", file=sys.stderr)

    code, out, err = ended(capsys, verb)
    assert (code, out) == (0, "a\\u001b[31mb\\u000dc\\u202ed\\udc80e\\u009bf\tg\nh\n")
    assert err == "i\\u0000j\n"


def test_what_draws_on_a_terminal_keeps_its_colours(capsys):
    assert ended(capsys, lambda: raw(sys.stdout).write("\x1b[31mred")) == (0, "\x1b[31mred", "")


def test_control_characters_in_errors_are_written_out(capsys):
    def verb():
        raise SettingsError("x\x1b]0;title\x07.csv: no")

    assert ended(capsys, verb) == (2, "", "error: x\\u001b]0;title\\u0007.csv: no\n")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_what_an_encoding_lacks_is_written_as_json_would(monkeypatch, capsys, encoding):
    written = bytearray()
    monkeypatch.setattr(sys, "stdout", stream(lambda data: written.extend(data) or len(data), encoding))
    assert ended(capsys, lambda: print("│ – 😀"))[0] == 0
    assert bytes(written) == b"\\u2502 \\u2013 \\ud83d\\ude00\n"


@pytest.mark.parametrize("count", [1, 100_000], ids=["at the end", "at once"])
def test_a_full_standard_output_is_an_error(monkeypatch, capsys, count):
    monkeypatch.setattr(sys, "stdout", stream(full))
    code, _, err = ended(capsys, lambda: print("x" * count))
    assert code == 2
    assert err.startswith("error: standard output: no space left on the disk")


def test_a_full_log_does_not_end_the_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", stream(full))
    assert ended(capsys, lambda: print("going on", file=sys.stderr, flush=True) or print("done"))[:2] == (0, "done\n")


def test_a_reader_that_left_is_no_success_and_no_complaint(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", stream(gone))
    assert ended(capsys, lambda: print("x" * 100_000)) == (BROKEN_PIPE, "", "")


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
