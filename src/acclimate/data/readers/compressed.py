"""Opens a file's bytes, decompressed and streamed; what its first bytes show to be no text, or another compression, is refused."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from acclimate.data.readers.endings import COMPRESSIONS, compression_of
from acclimate.data.readers.kinds_of_bytes import HEAD_BYTES, kind_of
from acclimate.errors import DataError

_MOST_WINDOW = 1 << 27  # bytes a .zst or .xz file may make us hold; what `zstd --ultra -22` and `xz -9` need is less
_PIECE = 1 << 16  # compressed bytes taken at a time
_ZSTD_PIECE = 1 << 10  # of zstandard, where 4 bytes may stand for 128 KiB that its library gives all at once
_MOST_OUTPUT = 1 << 20  # decompressed bytes asked for at a time, of libraries that may be asked
_BUFFER = 1 << 20


@contextmanager
def open_bytes(path: Path, wanted: Literal["text", "parquet"] = "text", longest: int = 0) -> Iterator[BinaryIO]:
    """The decompressed bytes of a file, streamed; `longest` raises how much of a compressed file may be held at once.

    Raises:
        DataError: the file cannot be opened, is something else than its name says, or its compressed content is damaged or ends too early.
    """
    compression = compression_of(path)
    window = max(longest, _MOST_WINDOW)
    try:
        with path.open("rb") as raw:
            _check_raw(path, raw.peek(HEAD_BYTES)[:HEAD_BYTES], compression, wanted)
            if compression is None:
                yield raw
                return
            piece = _ZSTD_PIECE if compression == "zstandard" else _PIECE
            # Without this buffer, reading line by line costs a Python call a line.
            content = io.BufferedReader(_Frames(raw, _decompressor(compression, window), piece), _BUFFER)
            _check_content(path, content.peek(HEAD_BYTES)[:HEAD_BYTES], wanted)
            yield content
    except _TooLarge as error:
        raise DataError(f"{path}: {error}") from error
    except _Damaged as error:
        raise DataError(f"{path}: the compressed file is damaged or ends too early ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def what_it_is(path: Path) -> str | None:
    """What a file shows to be that is no text, and the likely mend; None for what may be one.

    Raises:
        DataError: it cannot be opened.
    """
    compression = compression_of(path)
    try:
        with path.open("rb") as raw:
            kind = kind_of(raw.read(HEAD_BYTES))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if compression and kind and kind.name.endswith(compression):
        with open_bytes(path):  # which says what is in it, where that is no text
            return None
    return f"this is {kind.name}; {_about(kind.mend, path)}" if kind else None


def _check_raw(path: Path, head: bytes, compression: str | None, wanted: str) -> None:
    if not head:
        if compression is None and wanted == "text":
            return  # an empty text; its reader says what that means
        raise DataError(f"{path}: the file is empty (0 bytes); was a download interrupted?")
    if compression is None:
        _check_content(path, head, wanted)
        return
    if _MAGIC[compression](head):
        return
    kind = kind_of(head)
    if kind is None:
        ending = path.suffix
        raise DataError(
            f"{path}: the name ends in {ending}, and the file is not compressed with {compression}; leave {ending} out of its name"
        )
    raise DataError(f"{path}: this is {kind.name}, and the name says {compression}; {_about(kind.mend, path)}")


def _check_content(path: Path, head: bytes, wanted: str) -> None:
    kind = kind_of(head)
    if wanted == "parquet":
        if head.startswith(b"PAR1"):
            return
        what = kind.name if kind else "text, or something else" if head else "empty"
        raise DataError(f"{path}: this is no parquet file; it is {what}{f'; {_about(kind.mend, path)}' if kind else ''}")
    if kind is not None:
        inside = f" inside {path.suffix}" if compression_of(path) else ""
        raise DataError(f"{path}: this is no text; it is {kind.name}{inside}; {_about(kind.mend, path)}")


def _about(mend: str, path: Path) -> str:
    return mend.replace("FILE.", f"{path.stem}.").replace("FILE", path.name)


_MAGIC: dict[str, Callable[[bytes], bool]] = {
    "gzip": lambda head: head.startswith(b"\x1f\x8b"),
    # A zstandard file may begin with a frame that is to be skipped (pzstd writes them).
    "zstandard": lambda head: head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F),
    "bzip2": lambda head: head.startswith(b"BZh"),
    "xz": lambda head: head.startswith(b"\xfd7zXZ\0"),
}
assert _MAGIC.keys() == set(COMPRESSIONS.values())


class _Damaged(Exception):
    """Compressed bytes that do not decompress, or that stop in the middle."""


class _TooLarge(Exception):
    """Compressed bytes that can be unpacked with a lot of memory only."""


class _Gzip:
    """zlib's object with the manners of the other libraries' (`needs_input`)."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(31)

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, most)

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data


class _Zstandard:
    """zstandard's object, which gives all that a piece holds at once; it is fed with small pieces therefore."""

    needs_input = True

    def __init__(self, window: int) -> None:
        import zstandard

        self._window = window
        self._error = zstandard.ZstdError
        # The library wants a power of two.
        self._object = zstandard.ZstdDecompressor(max_window_size=min(1 << (window.bit_length() - 1), 1 << 31)).decompressobj()

    def decompress(self, data: bytes, most: int) -> bytes:
        try:
            return self._object.decompress(data)
        except self._error as error:
            if "too much memory" in str(error):
                mend = "`longest:` raises the limit (2147483648 is the most), or pack it anew without --long"
                raise _TooLarge(f"to unpack it takes a window of more than {self._window:,} bytes of memory; {mend}") from error
            raise _Damaged(str(error)) from error

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data


def _decompressor(compression: str, window: int) -> Callable[[], Any]:
    match compression:
        case "gzip":
            return _Gzip
        case "zstandard":
            return lambda: _Zstandard(window)
        case "bzip2":
            return bz2.BZ2Decompressor
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=window)


class _Frames(io.RawIOBase):
    """Decompressed bytes of all frames of a file, of which little is held at a time; a file that was cut off is noticed."""

    def __init__(self, raw: BinaryIO, start_frame: Callable[[], Any], piece: int) -> None:
        self._raw = raw
        self._start_frame = start_frame
        self._piece = piece
        self._frame: Any = None  # None between frames
        self._pending = b""  # compressed bytes that were read and not yet given to a frame
        self._output = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        while not self._output:
            if not self._step():
                return 0
        size = min(len(buffer), len(self._output))
        buffer[:size] = self._output[:size]
        self._output = self._output[size:]
        return size

    def _step(self) -> bool:
        data = b""
        if self._frame is None or self._frame.needs_input:
            data = self._pending or self._raw.read(self._piece)
            self._pending = b""
            if not data:
                if self._frame is not None:
                    raise _Damaged("unexpected end of the last frame")
                return False
        if self._frame is None:
            data = data.lstrip(b"\0")  # some pad the end, and no frame begins so
            if not data:
                return True
            self._frame = self._start_frame()
        try:
            self._output = memoryview(self._frame.decompress(data, _MOST_OUTPUT))
        except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
            if "Memory usage limit" in str(error):
                raise _TooLarge(f"to unpack it takes much memory ({error}); `longest:` raises the limit") from error
            raise _Damaged(str(error)) from error
        if self._frame.eof:
            self._pending = self._frame.unused_data
            self._frame = None
        return True
