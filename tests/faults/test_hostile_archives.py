"""Archives are never unpacked, and compressed files are streamed, in little memory, to their end or to an error."""

import gzip
import os
import tarfile
import zipfile

import pytest
import zstandard
from tests.data.test_kinds_of_bytes import tarred, zipped
from tests.data.test_lines_of_files import compressed, lines_of

from acclimate.data.readers.compressed import open_bytes
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_compressed_file_that_was_cut_off_is_an_error_and_not_a_shorter_corpus(tmp_path, ending):
    path = tmp_path / f"a.txt{ending}"
    path.write_bytes(compressed(os.urandom(300_000).hex().encode(), ending)[:-1_000])
    with pytest.raises(DataError, match=r"a\.txt.*damaged or ends too early"):
        lines_of(path)


def test_a_small_file_that_stands_for_gigabytes_is_streamed_in_little_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "a.txt.zst"
    writer = zstandard.ZstdCompressor().compressobj()
    with path.open("wb") as file:
        for _ in range(40):
            file.write(writer.compress(b"\0" * (1 << 23)))
        file.write(writer.flush())
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    with open_bytes(path) as file:
        size = sum(len(piece) for piece in iter(lambda: file.read(1 << 20), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 40 << 23
    assert peak < 160 << 20


def test_a_window_that_takes_too_much_memory_is_refused_with_the_setting(tmp_path):
    path = tmp_path / "a.txt.zst"
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=29, enable_ldm=False)
    writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path.write_bytes(writer.compress(b"text\n" * 1000) + writer.flush())
    with pytest.raises(DataError, match=r"a window of more than 134,217,728 bytes.*`longest:`"), open_bytes(path) as file:
        file.read()
    with open_bytes(path, longest=1 << 29) as file:
        assert file.read() == b"text\n" * 1000


@pytest.mark.parametrize("inside", ["../../escaped.csv", "/escaped.csv", "a.csv"])
@pytest.mark.parametrize("pack", [zipped, lambda name: gzip.compress(tarred(name)), tarred], ids=["zip", "tar.gz", "tar"])
def test_an_archive_is_refused_and_nothing_of_it_is_unpacked(tmp_path, monkeypatch, pack, inside):
    packed = pack(inside)
    for library, name in ((zipfile.ZipFile, "__init__"), (tarfile, "open")):
        monkeypatch.setattr(library, name, lambda *_, **__: pytest.fail("it was opened"))
    (tmp_path / "data" / "deep").mkdir(parents=True)
    for ending in ("csv", "csv.gz", "zip", "tar.gz"):
        (tmp_path / "data" / "deep" / f"a.{ending}").write_bytes(packed)
        with pytest.raises(DataError, match="archive"):
            open_source(f"data/deep/a.{ending}", tmp_path)
