"""Lines of text files: in which encoding they stand, where they end, and what is said of bytes that are no text.

UTF-8 is the rule. A byte order mark says UTF-8, UTF-16 or UTF-32 by itself; any other encoding has to be stated.
"""

import codecs
import io
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from acclimate.data.readers.compressed import open_bytes
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import LONGEST
from acclimate.errors import DataError

UTF8 = "utf-8"
_MARKS = (  # the longer first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_TEXT = ("undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "mbcs", "oem")  # codecs for other ends
_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"
_FEW = 5  # so many lines that are not UTF-8 may be damage; from there on, with none that is, the file is in another encoding
_HEAD = 1 << 20  # bytes read at a time; in the first of them an old Mac's line ends are told from a long line
_SHOWN = 24  # characters shown around a byte that does not fit


def encoding_called(name: str, where: Path | str) -> str:
    """Python's own name for an encoding, the same for all its aliases.

    Raises:
        DataError: Python knows no text encoding of this name.
    """
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        codec = None
    if codec is None or codec.name in _NO_TEXT or not codec._is_text_encoding:
        raise DataError(f"{where}: `encoding: {name}` is no text encoding that Python knows; e.g. cp1252, latin-1 or utf-16")
    return UTF8 if codec.name == "utf-8-sig" else codec.name


def marked_encoding(path: Path) -> str:
    """The encoding that a file's byte order mark says; UTF-8 where it has none."""
    with open_bytes(path) as file:
        return _marked(file) or UTF8


def too_long(what: str, longest: int) -> str:
    """What to say of something that takes more memory than may be taken."""
    return f"{what} is longer than {longest:,} bytes; if that is right, raise `longest: {longest}`"


def text_lines(path: Path, problems: Problems, encoding: str | None = None, longest: int = LONGEST) -> Iterator[tuple[int, str | None]]:
    """Every line with its number from 1, without its line end; None in place of a line that is no text, which `problems` gets to know.

    Only `\\n` and `\\r\\n` end a line; `\\r` alone does in a file that has no `\\n`. A byte order mark at the start of a line is left out,
    that of the file's first line or of one that `cat` has put in the middle. `encoding` is one of `encoding_called`; None: as marked.
    Of a line of more than `longest` bytes (characters of UTF-16 and the like) no more than that is held, and it is no text.

    Raises:
        DataError: the file is in another encoding than the one that is stated or marked.
    """
    with open_bytes(path, longest=longest) as file:
        marked = _marked(file)
        if encoding and marked and not encoding.startswith(marked):
            raise DataError(f"{path}:1: the file begins with the byte order mark of {marked.upper()}; leave `encoding: {encoding}` out")
        encoding = encoding or marked or UTF8
        wide = _unmarked_wide(file) if encoding == UTF8 else None
        if wide is not None:
            raise DataError(f"{path}:1: every other byte is zero, as in {wide.upper()} without a byte order mark; say `encoding: {wide}`")
        decoded = _narrow if _is_narrow(encoding) else _wide
        with closing(decoded(path, file, problems, encoding, longest)) as lines:  # before the file is closed below it
            for number, text in lines:
                if text is None:
                    yield number, None
                    continue
                if text.endswith("\n"):
                    text = text[:-2] if text.endswith("\r\n") else text[:-1]
                elif text.endswith("\r"):
                    text = text[:-1]
                yield number, text[1:] if text.startswith("\ufeff") else text


def _narrow(path: Path, file: BinaryIO, problems: Problems, encoding: str, longest: int) -> Generator[tuple[int, str | None], None, None]:
    """Lines of an encoding in which the byte 0x0a is a line end and nothing else; one that cannot be decoded costs no other."""
    offset = 0
    other = _Other(encoding)
    for number, (raw, size) in enumerate(_raw_lines(path, file, longest), start=1):
        text: str | None = None
        try:
            if size > longest:
                problems.add("too long", path, number, too_long("this line", longest), raw[:_SHOWN].decode(UTF8, "replace"))
            else:
                text = raw.decode(encoding)
            if text is not None and not raw.isascii():
                other.good(raw, number)
        except UnicodeDecodeError as error:
            kind = "bad UTF-8" if encoding == UTF8 else "bad encoding"
            name = "UTF-8" if encoding == UTF8 else encoding
            fault = f"byte {raw[error.start]:#04x} at byte offset {offset + error.start} is not {name}"
            message = fault + other.bad(raw, number, error.start, fault)
            problems.add(kind, path, number, message, raw.decode(UTF8, "surrogateescape").rstrip("\r\n"))
        yield number, text
        offset += size
    other.judge(path, problems)


def _wide(path: Path, file: BinaryIO, problems: Problems, encoding: str, longest: int) -> Generator[tuple[int, str | None], None, None]:
    """Lines of UTF-16 and its like; where one cannot be decoded, the next could not be found, so the file is refused."""
    number = 0
    reader = io.TextIOWrapper(file, encoding, newline="\n")
    try:
        for number, (text, size) in enumerate(_limited(reader, longest), start=1):
            if size > longest:
                problems.add("too long", path, number, too_long("this line", longest), text[:_SHOWN])
            yield number, None if size > longest else text
    except UnicodeError as error:
        problems.fatal("bad encoding", path, number + 1, f"here or soon after are bytes that are not {encoding} ({error})")
    finally:
        reader.detach()


class _Other:
    """Tells a file with a few damaged lines from one that is in another encoding than the one it is read in."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._good = self._bad = 0  # lines with more than ASCII that can be decoded, and that cannot
        self._first: tuple[int, str, str] | None = None  # line, fault and mend of the first such line
        self._utf8 = encoding != UTF8  # whether all such lines so far would be UTF-8, which no other encoding is by accident

    def good(self, raw: bytes, number: int) -> None:
        self._good += 1
        if self._utf8:
            read = raw.decode(self._encoding).strip()[:_SHOWN]
            self._first = self._first or (
                number,
                f"in {self._encoding} this would read {read!r}",
                f"leave `encoding: {self._encoding}` out",
            )
            try:
                raw.decode(UTF8)
            except UnicodeDecodeError:
                self._utf8 = False

    def bad(self, raw: bytes, number: int, at: int, fault: str) -> str:
        """What to say of a line that cannot be decoded, behind the fault."""
        self._bad += 1
        if self._encoding != UTF8:
            return ""
        if self._good:
            return "; lines before it are, so this one is damaged or comes from another file"
        guess = "latin-1" if any(byte in raw for byte in _NOT_IN_CP1252) else "cp1252"
        read = raw.decode(guess)[max(0, at - _SHOWN // 2) : at + _SHOWN // 2].strip()
        mend = f"in {guess} it would read {read!r}: if that is right say `encoding: {guess}`, else name the encoding that is"
        self._first = self._first or (number, fault, mend)
        return f"; {mend}"

    def judge(self, path: Path, problems: Problems) -> None:
        """At the end of the file: refuse it as a whole where leaving single lines out would be the wrong mend."""
        if self._first is None:
            return
        number, fault, mend = self._first
        if self._encoding == UTF8 and problems.skip_bad and self._bad >= _FEW and not self._good:
            what = f"{fault}, nor are {self._bad - 1:,} lines below, and no line with more than ASCII is: the file is in another encoding"
            problems.fatal("another encoding", path, number, f"{what}; {mend}")
        elif self._utf8 and not self._bad:
            problems.fatal("another encoding", path, number, f"{fault}, but all lines with more than ASCII are UTF-8; {mend}")


def _is_narrow(encoding: str) -> bool:
    try:
        return "\r\n".encode(encoding) == b"\r\n"
    except UnicodeError:
        return False


def _marked(file: BinaryIO) -> str | None:
    start = file.peek(4)  # type: ignore[attr-defined]  # all that `open_bytes` gives are buffered readers
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _unmarked_wide(file: BinaryIO) -> str | None:
    """UTF-16 or UTF-32 that does not say so, seen by its zero bytes: mostly Western letters leave every other byte empty."""
    start = file.peek(4)[:4096]  # type: ignore[attr-defined]
    zeros = [start[place::4].count(0) * 4 > len(start) * 0.6 for place in range(4)]
    patterns = {
        (False, True, True, True): "utf-32-le",
        (True, True, True, False): "utf-32-be",
        (False, True, False, True): "utf-16-le",
        (True, False, True, False): "utf-16-be",
    }
    return patterns.get((zeros[0], zeros[1], zeros[2], zeros[3])) if len(start) >= 4 else None


def _raw_lines(path: Path, file: BinaryIO, longest: int) -> Iterator[tuple[bytes, int]]:
    """Lines and their sizes; of one that is too long the beginning."""
    start = file.peek(4)  # type: ignore[attr-defined]
    return _mac_lines(file, longest) if b"\r" in start and b"\n" not in start and _old_mac(path) else _limited(file, longest)


def _mac_lines(file: BinaryIO, longest: int) -> Iterator[tuple[bytes, int]]:
    pieces: list[bytes] = []
    size = 0
    for chunk in iter(lambda: file.read(1 << 16), b""):
        for number, piece in enumerate(chunk.replace(b"\r\n", b"\r").replace(b"\n", b"\r").split(b"\r")):
            if number:
                yield b"".join(pieces) + b"\r", size + 1
                pieces, size = [], 0
            if size <= longest:
                pieces.append(piece)
            size += len(piece)
    if size:
        yield b"".join(pieces), size


def _limited(file: Any, longest: int) -> Iterator[tuple[Any, int]]:
    """Lines of a file of bytes or of characters, with their sizes; of one that is too long the beginning."""
    most = longest + 1
    for line in iter(partial(file.readline, most), file.read(0)):
        size, end = len(line), line[-1:]
        while size > longest and end not in ("\n", b"\n"):
            rest = file.readline(_HEAD)
            if not rest:
                break
            size, end = size + len(rest), rest[-1:]
        yield line, size


def _old_mac(path: Path) -> bool:
    with open_bytes(path) as file:
        head = file.read(_HEAD)
    return b"\r" in head and b"\n" not in head
