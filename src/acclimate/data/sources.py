"""Finds input files, knows their format and compression, and opens them."""

import difflib
import glob
import gzip
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from acclimate.data.reading import Format
from acclimate.errors import DataError

_FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".txt": "txt",
}
_COMPRESSIONS = (".gz", ".zst")
_ZSTD_CHUNK = 1 << 17  # bytes read from a .zst file at a time


def format_of(path: Path) -> Format | None:
    """The format a name stands for, with any `.gz` or `.zst` left out; None when the ending is not one of ours."""
    name = path.name.lower()
    for ending in _COMPRESSIONS:
        name = name.removesuffix(ending)
    return _FORMATS.get(Path(name).suffix)


def stem_of(path: Path) -> str:
    """The name without compression and format: `train.jsonl.gz` -> `train`."""
    name = path.name
    for ending in _COMPRESSIONS:
        name = name.removesuffix(ending)
    return Path(name).stem


def is_dataset_folder(path: Path) -> bool:
    """Whether a folder was written by `datasets.save_to_disk`, as one split or as several."""
    return path.is_dir() and ((path / "dataset_dict.json").is_file() or ((path / "state.json").is_file() and any(path.glob("*.arrow"))))


def resolve(pattern: str | Sequence[str], root: Path, format: Format | None = None) -> tuple[Path, ...]:
    """The files that a path, a glob (`**` included), a folder or several of these stand for, sorted within each, none twice.

    A folder means every file below it with a known ending (or of `format` when given); hidden files are left out. A folder written by
    `datasets.save_to_disk` stands for itself. Relative paths start at `root`.

    Raises:
        DataError: nothing is there.
    """
    if not isinstance(pattern, str):
        return tuple(dict.fromkeys(path for one in pattern for path in resolve(one, root, format)))
    path = root / Path(pattern).expanduser()
    if path.is_file() or is_dataset_folder(path):
        return (path,)
    if path.is_dir():
        found = _below(path, path.rglob("*"), format)
        if not found:
            endings = ", ".join(_FORMATS)
            raise DataError(f"{path}: the folder holds no {format or 'data'} files (known endings: {endings}, each also .gz or .zst)")
        return found
    if glob.has_magic(pattern):
        matches = (Path(match) for match in glob.iglob(str(path), recursive=True))
        found = tuple(sorted(match for match in matches if match.is_file() and not match.name.startswith(".")))
        if not found:
            raise DataError(f"{path}: no file matches this pattern")
        return found
    raise DataError(f"{path}: no such file or folder{_nearest(path)}")


def one_format(files: Sequence[Path]) -> Format:
    """The format that all these files share, by their endings.

    Raises:
        DataError: an ending is unknown, or there are several formats.
    """
    found: dict[Format, Path] = {}
    for file in files:
        format: Format | None = "hf" if is_dataset_folder(file) else format_of(file)
        if format is None:
            raise DataError(f"{file}: the ending says no known format; name it: `format: jsonl` (or csv, tsv, parquet, txt)")
        found.setdefault(format, file)
    if len(found) > 1:
        files_found = " and ".join(str(file) for file in found.values())
        raise DataError(f"{files_found}: different formats; name one with `format:`, or narrow the path")
    return next(iter(found))


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The decompressed bytes of a file, streamed.

    Raises:
        DataError: the file cannot be opened, or its compressed content is damaged or ends too early.
    """
    try:
        with path.open("rb") as raw:
            if path.name.lower().endswith(".gz"):
                with gzip.open(raw, "rb") as unzipped:
                    # Without this buffer, reading line by line costs a Python call a line.
                    yield io.BufferedReader(unzipped, 1 << 20)
            elif path.name.lower().endswith(".zst"):
                yield io.BufferedReader(_Zstd(raw), 1 << 20)
            else:
                yield raw
    except _Damaged as error:
        raise DataError(f"{path}: the compressed file is damaged or ends too early ({error})") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the compressed file is damaged or ends too early ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _below(folder: Path, paths: Iterator[Path], format: Format | None) -> tuple[Path, ...]:
    seen = (path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    wanted = (path for path in seen if format_of(path) is not None and format in (None, format_of(path)))
    return tuple(sorted(path for path in wanted if path.is_file()))


def _nearest(path: Path) -> str:
    try:
        close = difflib.get_close_matches(path.name, os.listdir(path.parent), n=1)
    except OSError:
        return f" (nor is there a folder {path.parent})"
    return f"; did you mean {close[0]!r}?" if close else ""


class _Damaged(Exception):
    """Compressed bytes that do not decompress, or that stop in the middle."""


class _Zstd(io.RawIOBase):
    """Decompressed bytes of all frames of a .zst file; unlike the library's own stream reader it notices a file that was cut off."""

    def __init__(self, raw: BinaryIO) -> None:
        import zstandard

        self._raw = raw
        self._start_frame = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj
        self._error: type[Exception] = zstandard.ZstdError
        self._frame = self._start_frame()
        self._inside_frame = False
        self._pending = b""  # compressed bytes that belong to the next frame
        self._output = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        while not self._output:
            chunk = self._pending or self._raw.read(_ZSTD_CHUNK)
            self._pending = b""
            if not chunk:
                if self._inside_frame:
                    raise _Damaged("unexpected end of the last frame")
                return 0
            try:
                self._output = memoryview(self._frame.decompress(chunk))
            except self._error as error:
                raise _Damaged(str(error)) from error
            self._inside_frame = not self._frame.eof
            if self._frame.eof:
                self._pending = self._frame.unused_data
                self._frame = self._start_frame()
        size = min(len(buffer), len(self._output))
        buffer[:size] = self._output[:size]
        self._output = self._output[size:]
        return size
