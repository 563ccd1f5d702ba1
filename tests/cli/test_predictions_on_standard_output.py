"""Predictions go to standard output as bytes, and a failure of it is noticed as it is with text."""

import errno
import io

import pytest

from acclimate.cli.streams import Harmless, ReaderGone


class Failing(io.RawIOBase):
    def __init__(self, number):
        self.number = number

    def writable(self):
        return True

    def write(self, data):
        raise OSError(self.number, "no")


def stream(number):
    return Harmless(io.TextIOWrapper(io.BufferedWriter(Failing(number), 4), write_through=True))


def test_what_is_still_waiting_is_written_where_a_failure_is_noticed():
    out = stream(errno.EPIPE).buffer
    out.write(b"abc")
    with pytest.raises(ReaderGone):
        out.flush()


def test_bytes_go_through_as_they_are():
    below = io.BytesIO()
    out = Harmless(io.TextIOWrapper(below, "ascii"))
    out.buffer.write("schön".encode())
    out.buffer.flush()
    assert below.getvalue().decode() == "schön"
