"""Which bytes are read as which letters, and what is said of those that are none."""

import pytest

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError

TEXT = "text,label\nnaïve £1,ham\nplain,spam\n"


def texts_of(path, **how):
    source = open_source(str(path), path.parent, Reading(**how))
    with Problems() as problems:
        return [record.values["text"] for record in source.records(("text",), problems)], source


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
def test_a_stated_encoding_is_obeyed_in_every_text_format(tmp_path, name, encoding):
    content = {"a.csv": TEXT, "a.jsonl": '{"text": "naïve £1"}\r\n{"text": "plain"}\n', "a.txt": "naïve £1\nplain\n"}[name]
    path = tmp_path / name
    path.write_bytes(content.encode(encoding))
    how = {"documents": "line"} if name == "a.txt" else {}
    assert texts_of(path, encoding=encoding, **how)[0] == ["naïve £1", "plain"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding_and_it_is_told(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT.encode(encoding))
    texts, source = texts_of(path)
    assert texts == ["naïve £1", "plain"]
    assert source.detected.get("encoding") == (None if encoding == "utf-8-sig" else encoding)


def test_a_byte_that_is_not_utf8_is_named_with_what_it_may_be_and_the_setting(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT.encode("cp1252"))
    with pytest.raises(DataError, match=r"a\.csv:2: byte 0xef .* would read 'naïve £1,ham': .* say `encoding: cp1252`"):
        texts_of(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_utf16_without_a_mark_is_named(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT.encode(encoding))
    with pytest.raises(DataError, match=rf"a\.csv:1: every other byte is zero.*say `encoding: {encoding}`"):
        texts_of(path)


def test_a_file_in_another_encoding_is_refused_even_where_bad_records_may_be_skipped(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(("text\n" + "£1000 prize\nsee you\n" * 6).encode("cp1252"))
    with pytest.raises(DataError, match=r"a\.csv:2: byte 0xa3 .*nor are 5 lines below.*'£1000 prize': .*say `encoding: cp1252`"):
        list(Corpus.open("c", CorpusSettings(path=str(path), skip_bad=True), tmp_path).documents())


def test_damaged_lines_of_a_utf8_file_can_be_skipped(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text\nnaïve\n".encode() + b"bro\xe9ken\n" * 9)
    corpus = Corpus.open("c", CorpusSettings(path=str(path), skip_bad=True), tmp_path)
    assert list(corpus.documents()) == ["naïve"]


def test_a_stated_encoding_that_would_garble_utf8_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT.encode())
    with pytest.raises(DataError, match=r"a\.csv:2: in cp1252 this would read 'naÃ¯ve Â£1,ham'.*leave `encoding: cp1252` out"):
        texts_of(path, encoding="cp1252")
    path.write_bytes(TEXT.encode("utf-8-sig"))
    with pytest.raises(DataError, match="byte order mark of UTF-8"):
        texts_of(path, encoding="cp1252")


def test_an_encoding_that_nobody_knows_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    for name in ("klingon", "rot13", "idna", "", "a\0b"):
        with pytest.raises(DataError, match="is no text encoding that Python knows"):
            open_source("a.txt", tmp_path, Reading(encoding=name))


def test_marks_that_cat_left_in_the_middle_are_no_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("one\n".encode("utf-8-sig") + "two\n".encode("utf-8-sig"))
    assert texts_of(path, documents="line")[0] == ["one", "two"]


def test_the_line_ends_of_an_old_mac_end_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT.replace("\n", "\r").encode())
    assert texts_of(path)[0] == ["naïve £1", "plain"]
    path.write_bytes(b"text\rt\rt\r\rb\rb")  # Python keeps one object for equal single bytes
    assert texts_of(path)[0] == ["t", "t", "b", "b"]
