"""Tells what a file is from its first bytes: archives, pages, pointers and tables that stand where a text is wanted."""

import codecs
import re
from typing import NamedTuple

HEAD_BYTES = 4096  # as many as `kind_of` looks at


class Kind(NamedTuple):
    """What a file is, for a message: `train.csv is {name}; {mend}`."""

    name: str
    mend: str


_UNPACK = "unpack it, and name what is in it"
_COMPRESSED = "give it a name that ends in {0}, or unpack it"
_AS_TABLE = "save it as CSV (UTF-8), or: pandas.read_excel('FILE').to_csv('FILE.csv', index=False)"
_AS_TEXT = "save it as plain text (.txt, UTF-8)"
_RAW = "download the file itself (the `raw` or `resolve` address), not the page about it"

# First bytes, and what begins with them; looked up in this order.
_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"version https://git-lfs.github.com/spec/", Kind("a Git LFS pointer, not the file it stands for", "fetch the file: git lfs pull")),
    (b"\x1f\x8b", Kind("compressed with gzip", _COMPRESSED.format(".gz"))),
    (b"\x28\xb5\x2f\xfd", Kind("compressed with zstandard", _COMPRESSED.format(".zst"))),
    (b"BZh91AY&SY", Kind("compressed with bzip2", _COMPRESSED.format(".bz2"))),
    (b"\xfd7zXZ\0", Kind("compressed with xz", _COMPRESSED.format(".xz"))),
    (b"\x04\x22\x4d\x18", Kind("compressed with lz4", "unpack it: lz4 -d FILE")),
    (b"\x1f\x9d", Kind("compressed with compress (.Z)", "unpack it: uncompress FILE")),
    (b"PK\x05\x06", Kind("an empty zip archive", "look for the file that was meant")),
    (b"PK\x03\x04", Kind("a zip archive", _UNPACK)),
    (b"PK\x07\x08", Kind("a zip archive", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", _UNPACK)),
    (b"Rar!\x1a\x07", Kind("a rar archive", _UNPACK)),
    (b"%PDF-", Kind("a PDF document", f"{_AS_TEXT}, e.g. pdftotext FILE")),
    (b"{\\rtf", Kind("an RTF document", _AS_TEXT)),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("an old Office document (.xls, .doc)", "save it as CSV or plain text (UTF-8)")),
    (b"SQLite format 3\0", Kind("an SQLite database", "export the table: sqlite3 -header -csv FILE 'select * from TABLE' > FILE.csv")),
    (b"PAR1\x15", Kind("a parquet file", "give it a name that ends in .parquet, or say `format: parquet`")),
    (b"ARROW1", Kind("an Arrow (Feather) file", "pandas.read_feather('FILE').to_parquet('FILE.parquet')")),
    (
        b"\xff\xff\xff\xff",
        Kind("an Arrow stream", "of a folder that `datasets` saved name the folder; else pyarrow.ipc.open_stream('FILE') reads it"),
    ),
    (b"Obj\x01", Kind("an Avro file", "convert it to parquet or jsonl")),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file", "convert it to parquet or csv")),
    (b"\x93NUMPY", Kind("a NumPy array", "texts are wanted: convert it to csv, jsonl or parquet")),
    (b"\x89PNG\r\n\x1a\n", Kind("a PNG picture", "texts are wanted")),
    (b"\xff\xd8\xff", Kind("a JPEG picture", "texts are wanted")),
    (b"GIF89a", Kind("a GIF picture", "texts are wanted")),
    (b"\x7fELF", Kind("a program", "texts are wanted")),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95cq(}\]\x8c\x8aX]", re.DOTALL)  # protocol 2 to 5 and what begins one
_PAGE = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!doctype\s+html|<html)", re.IGNORECASE | re.DOTALL)
_REFUSAL = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<error>\s*<code>", re.IGNORECASE)  # what object stores answer instead of a file
_OFFICE = {
    b"xl/": Kind("an Excel workbook (.xlsx)", _AS_TABLE),
    b"word/": Kind("a Word document (.docx)", _AS_TEXT),
    b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet": Kind("a spreadsheet (.ods)", _AS_TABLE),
    b"mimetypeapplication/vnd.oasis.opendocument.text": Kind("a text document (.odt)", _AS_TEXT),
    b"archive/data.pkl": Kind("a PyTorch file", "texts are wanted"),
    b".npy": Kind("NumPy arrays (.npz)", "texts are wanted: convert them to csv, jsonl or parquet"),
}
_TAR = Kind("a tar archive", f"{_UNPACK}: tar -xf FILE")
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\v\b\x1a\x1b")


def kind_of(head: bytes) -> Kind | None:
    """What begins with these bytes (4 KiB are enough), or None for what may be text.

    A text in UTF-16 or UTF-32 is a text, too.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return _in_zip(head, kind) if magic == b"PK\x03\x04" else kind
    if head[257:262] == b"ustar":
        return _TAR
    if head[8:10] == b'{"' and b"\0" in head[:8] and head[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return Kind("a safetensors file (weights of a model)", "texts are wanted")
    if _PICKLE.match(head):
        return Kind("a Python pickle", "pickles are not opened, for they run code; write parquet, csv or jsonl from it")
    start = head.removeprefix(b"\xef\xbb\xbf")[:1024]
    if _PAGE.match(start):
        return Kind("an HTML page", _RAW)
    if _REFUSAL.match(start):
        return Kind("a server's error page", _RAW)
    return _binary(head)


def _in_zip(head: bytes, otherwise: Kind) -> Kind:
    return next((kind for mark, kind in _OFFICE.items() if mark in head), otherwise)


def _binary(head: bytes) -> Kind | None:
    # NULs stand in UTF-16 and UTF-32 as every second, third or fourth byte; a text in these has no other control characters.
    if b"\0" not in head or head[:2] in (b"\xff\xfe", b"\xfe\xff") or head[:4] == b"\0\0\xfe\xff":
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # its end may be cut
        return None
    except UnicodeDecodeError:
        controls = sum(byte < 32 and byte not in _TEXT_CONTROLS and byte != 0 for byte in head)
        return Kind("binary data of an unknown kind", "a text is wanted") if controls > len(head) // 50 else None
