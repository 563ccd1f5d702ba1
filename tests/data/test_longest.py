"""Lines, documents and JSON values are bounded: memory goes with what is used, and the error names the setting."""

import gzip
import json
import tracemalloc

import pytest

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.readers.lines import text_lines
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError


def read(path, skip_bad=False, **how):
    source = open_source(path.name, path.parent, Reading(longest=2_000, **how))
    with Problems(skip_bad=skip_bad) as problems:
        return [record.values["text"] for record in source.records(("text",), problems)], problems.counts


CONTENT = {
    "a.txt": "short\n" + "x" * 5_000 + "\nlast\n",
    "a.csv": "text\nshort\n" + "x" * 5_000 + "\nlast\n",
    "a.jsonl": "".join(json.dumps({"text": text}) + "\n" for text in ("short", "x" * 5_000, "last")),
}


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_that_is_too_long_costs_itself_and_names_the_setting(tmp_path, name, encoding):
    path = tmp_path / name
    path.write_text(CONTENT[name], encoding=encoding)
    line = 3 if name == "a.csv" else 2
    settings = {"documents": "line"} if name == "a.txt" else {}
    with pytest.raises(DataError, match=rf"{name}:{line}: this line is longer than 2,000 bytes; .*`longest: 2000`"):
        read(path, **settings)
    assert read(path, skip_bad=True, **settings) == (["short", "last"], {"too long": 1})


def test_old_line_ends_are_bounded_too(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"short\r" + b"x" * 500_000 + b"\rlast\r")
    assert read(tmp_path / "a.txt", skip_bad=True, documents="line") == (["short", "last"], {"too long": 1})


@pytest.mark.parametrize("documents", ["blank", "file"])
def test_a_document_that_is_too_long_names_the_setting(tmp_path, documents):
    (tmp_path / "a.txt").write_text("one line of many\n" * 500 + "\nlast\n")
    with pytest.raises(DataError, match=r"a\.txt:1: the document that begins here is longer than 2,000 bytes.*`documents: line`"):
        read(tmp_path / "a.txt", documents=documents)
    assert read(tmp_path / "a.txt", skip_bad=True, documents="blank") == (["last"], {"too long": 1})


def test_a_json_value_over_many_lines_that_is_too_long_names_the_setting(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"text": "a", "words": ["word"] * 50_000}], indent=1))
    with pytest.raises(DataError, match="a JSON value is longer than 2,000 bytes"):
        read(tmp_path / "a.json")


def test_the_setting_of_a_corpus_raises_the_limit(tmp_path):
    (tmp_path / "a.txt").write_text("x" * 5_000)
    with pytest.raises(DataError, match="longer than 4,000"):
        Corpus.open("c", CorpusSettings(path="a.txt", longest=4_000), tmp_path).scan()
    assert Corpus.open("c", CorpusSettings(path="a.txt", longest=6_000), tmp_path).scan().bytes == 5_000


def test_of_a_line_of_gigabytes_little_is_held(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"x" * (64 << 20)))
    problems = Problems(skip_bad=True)
    tracemalloc.start()
    assert list(text_lines(path, problems, longest=1 << 20)) == [(1, None)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_blank_lines_inside_a_document_count_and_those_behind_it_take_no_memory(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("begin\n" + "\n" * 1_500 + "end" + "\n" * 3_000)
    (text,), _ = read(path, documents="file")
    assert text == "begin\n" + "\n" * 1_500 + "end"
    path.write_text("begin\n" + "\n" * 3_000 + "end\n")
    with pytest.raises(DataError, match=r"a.txt:1: the document that begins here is longer than 2,000 bytes"):
        read(path, documents="file")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('{"text": "a", "text": "b"}', "the key 'text' stands there twice"),
        ('{"text": "a" "label": "b"}', "Expecting ',' delimiter"),
        ('{"text": "a\tb"}', "Invalid control character"),
        ('{"text": nope}', "Expecting value"),
    ],
)
def test_a_fault_in_a_large_document_is_called_by_its_name(tmp_path, row, why):
    path = tmp_path / "a.json"
    path.write_text("[\n" + ",\n".join(['{"text": "first"}', row, *['{"text": "another"}'] * 500]) + "\n]\n")
    with pytest.raises(DataError, match=rf"a\.json:3: {why}"):
        read(path)
