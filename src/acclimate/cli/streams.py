"""Standard output and error as the verbs use them: harmless on every terminal, in every encoding, and honest about a failure."""

import codecs
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from acclimate.errors import SettingsError
from acclimate.inert import inert, written_out

ESCAPES = "acclimate-escapes"  # what an encoding does not have is written as JSON writes it: readable, and data stays data


STANDARD_OUTPUT = "standard output"


class ReaderGone(Exception):
    """Nobody reads standard output any more. No OSError: libraries that draw on terminals end the program at those by themselves."""


class Harmless:
    """A text stream in which control characters are written out, but for those of what draws on a terminal (`raw`).

    A `lenient` one does not mind what cannot be written: a line about what is going on does not end a night's work.
    """

    def __init__(self, stream: IO[str], lenient: bool = False, clean: bool = True) -> None:
        self.stream, self.lenient = stream, lenient
        self._clean = clean

    def write(self, text: str) -> int:
        """Write text."""
        with self._failing():
            self.stream.write(inert(text) if self._clean else text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several pieces of text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is waiting."""
        with self._failing():
            self.stream.flush()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self.lenient:
                return
            if isinstance(error, BrokenPipeError):
                raise ReaderGone from error
            error.filename = STANDARD_OUTPUT
            raise

    @property
    def buffer(self) -> "Bytes":
        """The same stream for bytes, as honest about a failure."""
        return Bytes(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Bytes:
    """What takes bytes below a text stream."""

    def __init__(self, text: Harmless) -> None:
        self._text = text

    def write(self, data: bytes) -> int:
        """Write bytes."""
        with self._text._failing():
            return self._text.stream.buffer.write(data)  # type: ignore[attr-defined,no-any-return]

    def flush(self) -> None:
        """Write what is waiting."""
        with self._text._failing():
            self._text.stream.buffer.flush()  # type: ignore[attr-defined]


def raw(stream: Any) -> Any:
    """The same stream for what draws on a terminal: its control characters are meant."""
    return Harmless(stream.stream, stream.lenient, clean=False) if isinstance(stream, Harmless) else stream


@contextmanager
def harmless_streams() -> Iterator[None]:
    """Let everything that is printed while the block runs be harmless; at its end standard output has taken it all.

    Raises:
        SettingsError: standard output is closed.
        OSError: it does not take what was printed.
    """
    if sys.stdout is None:  # `>&-`: Python would print into nothing, and a file that is opened might take its place
        raise SettingsError("standard output is closed; let it go to a file or to /dev/null")
    before = sys.stdout, sys.stderr
    out, err = before[0], before[1] if before[1] is not None else open(os.devnull, "w")  # noqa: SIM115
    for stream in (out, err):
        with suppress(AttributeError, ValueError):  # one that a test or a notebook put there
            stream.reconfigure(errors=ESCAPES)  # type: ignore[union-attr]
    sys.stdout, sys.stderr = Harmless(out), Harmless(err, lenient=True)
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout, sys.stderr = before


def gave_way() -> bool:
    """Whether standard output takes no more; if so, nothing more is written to it."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        silence()
        return True
    return False


def silence() -> None:
    """Let nothing more go to standard output, so that Python does not complain about it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(written_out, error.object[error.start : error.end])), error.end


codecs.register_error(ESCAPES, _escaped)
