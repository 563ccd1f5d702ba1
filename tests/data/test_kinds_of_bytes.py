"""What stands in the place of a text is told by its first bytes, with the likely mend."""

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import zstandard

from acclimate.data.readers.compressed import open_bytes
from acclimate.data.readers.kinds_of_bytes import kind_of
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError

TEXT = b"text,label\na text,pos\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def tarred(name="a.csv"):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return target.getvalue()


def zipped(*names):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return target.getvalue()


def database(folder):
    with sqlite3.connect(folder / "a.db") as made:
        made.execute("create table a (b)")
    return (folder / "a.db").read_bytes()


def arrow(folder, how):
    table = pa.table({"text": ["a"]})
    if how == "parquet":
        pyarrow.parquet.write_table(table, folder / "a")
    elif how == "feather":
        pyarrow.feather.write_feather(table, folder / "a", compression="uncompressed")
    else:
        with pa.ipc.new_stream(folder / "a", table.schema) as writer:
            writer.write_table(table)
    return (folder / "a").read_bytes()


def first_record(name, folder):
    source = open_source(name, folder)
    with Problems() as problems:
        return next(source.records(source.columns, problems))


KINDS = {
    "Git LFS pointer": lambda _: POINTER,
    "HTML page": lambda _: b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>",
    "error page": lambda _: b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
    "zip archive": lambda _: zipped("a.csv"),
    "Excel workbook": lambda _: zipped("[Content_Types].xml", "xl/workbook.xml"),
    "tar archive": lambda _: tarred(),
    "compressed with gzip": lambda _: gzip.compress(TEXT),
    "compressed with zstandard": lambda _: zstandard.compress(TEXT),
    "compressed with bzip2": lambda _: bz2.compress(TEXT),
    "compressed with xz": lambda _: lzma.compress(TEXT),
    "PDF": lambda _: b"%PDF-1.7\n",
    "SQLite": database,
    "pickle": lambda _: pickle.dumps({"text": ["a"]}),
    "safetensors": lambda _: (40).to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}',
    "parquet": lambda folder: arrow(folder, "parquet"),
    "Arrow (Feather) file": lambda folder: arrow(folder, "feather"),
    "Arrow stream": lambda folder: arrow(folder, "stream"),
    "binary data": lambda _: bytes(range(256)) * 8,
}


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt", "a.parquet"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_text_is_told_from_text_by_its_first_bytes(tmp_path, kind, name):
    if kind == "parquet" and name == "a.parquet":
        return
    (tmp_path / name).write_bytes(KINDS[kind](tmp_path))
    with pytest.raises(DataError) as raised:
        first_record(name, tmp_path)
    assert kind in str(raised.value)
    assert f"{name}: this is no " in str(raised.value)


@pytest.mark.parametrize("name", ["a.xlsx", "a.zip", "a.html", "a.pdf", "a.tar", "a", "a.dat"])
def test_a_file_of_an_unknown_ending_is_told_by_its_bytes_and_not_advised_to_be_read_as_csv(tmp_path, name):
    (tmp_path / name).write_bytes(zipped("xl/workbook.xml"))
    with pytest.raises(DataError, match=r"an Excel workbook .*save it as CSV"):
        open_source(name, tmp_path)
    (tmp_path / name).write_bytes(TEXT)
    with pytest.raises(DataError, match="name it: `format: jsonl`"):
        open_source(name, tmp_path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_every_compression_is_read_under_its_name_and_told_under_another(tmp_path, pack):
    ending = {gzip.compress: ".gz", bz2.compress: ".bz2", lzma.compress: ".xz", zstandard.compress: ".zst"}[pack]
    path = tmp_path / f"a.csv{ending}"
    path.write_bytes(pack(TEXT) + pack(b"more,neg\n"))
    with open_bytes(path) as file:
        assert file.read() == TEXT + b"more,neg\n"
    assert open_source(path.name, tmp_path).columns == ("text", "label")
    path.write_bytes(TEXT)
    with pytest.raises(DataError, match=f"ends in {ending}, and the file is not compressed"):
        first_record(path.name, tmp_path)
    path.write_bytes(POINTER)
    with pytest.raises(DataError, match="git lfs pull"):
        first_record(path.name, tmp_path)
    path.write_bytes(pack(tarred()))
    with pytest.raises(DataError, match="tar archive inside"):
        first_record(path.name, tmp_path)
    path.write_bytes(pack(TEXT * 500)[:-9])
    with pytest.raises(DataError, match="damaged or ends too early"), open_bytes(path) as file:
        file.read()
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"empty \(0 bytes\)"):
        first_record(path.name, tmp_path)


@pytest.mark.parametrize("text", ["", "BZhang wrote", "ORCA", "PAR1,label\n", "<p>an element</p>", '{"text": "a"}', "GIF8", "€ 5", "a\0b"])
def test_texts_are_no_other_kind(text):
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"):
        assert kind_of(text.encode(encoding)) is None
