import gzip

import pytest
import zstandard

from acclimate.data.readers.endings import format_of
from acclimate.data.readers.folders import find, one_format
from acclimate.data.readers.lines import text_lines
from acclimate.data.readers.problems import Problems
from acclimate.errors import DataError


def compressed(data, ending):
    return {"": lambda: data, ".gz": lambda: gzip.compress(data), ".zst": lambda: zstandard.compress(data)}[ending]()


def lines_of(path, **settings):
    with Problems(**settings) as problems:
        return list(text_lines(path, problems)), problems


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_lines_are_the_same_through_every_compression_and_larger_than_any_buffer(tmp_path, ending):
    texts = [f"line {number} é\u2028 {'x' * (number % 400)}" for number in range(20_000)]
    path = tmp_path / f"a.txt{ending}"
    path.write_bytes(compressed("\n".join(texts).encode(), ending))
    lines, _ = lines_of(path)
    assert [text for _, text in lines] == texts
    assert [number for number, _ in lines] == list(range(1, 20_001))


def test_several_zstd_frames_are_one_file(tmp_path):
    path = tmp_path / "a.txt.zst"
    path.write_bytes(zstandard.compress(b"one\ntw") + zstandard.compress(b"o\nthree\n"))
    assert [text for _, text in lines_of(path)[0]] == ["one", "two", "three"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert lines_of(path)[0] == [(1, "one"), (2, "two")]


def test_bad_utf8_names_line_and_byte_offset(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("né\n".encode() + b"ok\nab\xff\n")
    assert path.read_bytes()[9] == 0xFF
    with pytest.raises(DataError, match=r"a\.txt:3: byte 0xff at byte offset 9 "):
        lines_of(path)
    assert lines_of(path, skip_bad=True)[0] == [(1, "né"), (2, "ok"), (3, None)]


def test_globs_folders_and_lists_give_sorted_files_once(tmp_path):
    for name in ("b.txt", "a.txt", "deep/c.txt", ".hidden.txt", "notes.md", "meta.json", "d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    def names(pattern, **settings):
        return [str(path.relative_to(tmp_path)) for path in find(pattern, tmp_path, **settings).files]

    assert names("**/*.txt") == ["a.txt", "b.txt", "deep/c.txt"]
    assert names("*.txt") == ["a.txt", "b.txt"]
    assert names(("b.txt", "*.txt")) == ["b.txt", "a.txt"]
    assert names(".") == ["a.txt", "b.txt", "d.csv", "deep/c.txt"]
    assert names(".", format="csv") == ["d.csv"]


def test_a_missing_path_names_the_nearest(tmp_path):
    (tmp_path / "train.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"did you mean 'train.jsonl'"):
        find("trian.jsonl", tmp_path)
    with pytest.raises(DataError, match="no file matches"):
        find("*.csv", tmp_path)


def test_formats_come_from_endings_and_may_not_be_mixed(tmp_path):
    assert [format_of(tmp_path / name) for name in ("a.JSONL.gz", "a.tsv.zst", "a.parquet", "a.doc")] == ["jsonl", "tsv", "parquet", None]
    with pytest.raises(DataError, match=r"a\.txt and .*b\.csv: different formats"):
        one_format([tmp_path / "a.txt", tmp_path / "b.csv"])
