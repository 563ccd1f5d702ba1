"""A reader that has left, as in `acclimate ... | head -1`, is no success and no complaint."""

import errno
import subprocess
import sys

import pytest
from tests.cli.test_predictions_on_standard_output import stream as failing
from tests.cli.test_streams import ended, gone, stream

from acclimate.cli.streams import STANDARD_OUTPUT, ReaderGone
from acclimate.errors import BROKEN_PIPE


def test_a_reader_that_left_is_no_success_and_no_complaint(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", stream(gone))
    assert ended(capsys, lambda: print("x" * 100_000)) == (BROKEN_PIPE, "", "")


def test_a_reader_that_is_gone_is_told_from_other_failures():
    with pytest.raises(ReaderGone):
        failing(errno.EPIPE).buffer.write(b"more than the buffer holds")
    with pytest.raises(OSError, match="no") as error:
        failing(errno.ENOSPC).buffer.write(b"more than the buffer holds")
    assert error.value.filename == STANDARD_OUTPUT


def test_a_command_of_which_one_line_is_read_ends_with_141_and_without_a_word():
    process = subprocess.Popen([sys.executable, "-m", "acclimate", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "{\n"  # as `head -1`, and more than a pipe holds is still to come
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", BROKEN_PIPE)
