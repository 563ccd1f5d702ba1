import json

import pytest
from pydantic import TypeAdapter

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.errors import DataError


def corpus(tmp_path, path, **settings):
    return Corpus.open("domain", CorpusSettings(path=path, **settings), tmp_path)


def test_a_bare_string_or_list_stands_for_the_path():
    adapter = TypeAdapter(dict[str, CorpusSettings])
    read = adapter.validate_python({"a": "x.txt", "b": ["x.txt", "y.txt"], "c": {"path": "x.txt", "skip_bad": True}})
    assert read["a"] == CorpusSettings(path="x.txt")
    assert read["b"].path == ("x.txt", "y.txt")
    assert read["c"].skip_bad
    kinds = [one.get("type") for one in adapter.json_schema()["$defs"]["CorpusSettings"]["anyOf"]]
    assert kinds == ["string", "array", "object"]


def test_documents_stream_and_facts_count_them(tmp_path):
    (tmp_path / "a.txt").write_text("one two\nthré\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("four\n")
    domain = corpus(tmp_path, "*.txt")
    seen = []
    facts = domain.scan(watch=seen.append)
    assert list(domain.documents()) == seen == ["one two", "thré", "four"]
    assert (facts.documents, facts.words, facts.bytes, facts.files, facts.rejected) == (3, 4, 16, 2, 0)
    assert facts.detected == {"format": "txt", "documents": "line"}
    json.dumps(facts.as_dict())


def test_reading_stops_before_the_end_without_reading_the_rest(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "good"}\n{"text": ""}\n')
    documents = corpus(tmp_path, "a.jsonl").documents()
    assert next(documents) == "good"
    with pytest.raises(DataError, match=r"a\.jsonl:2: 'text' is empty"):
        next(documents)


def test_skipped_documents_are_counted_and_written(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"body": "good"}\n{"body": " "}\n{"body": 3}\n{"body": "\\ud800"}\nno\n')
    with pytest.raises(DataError) as caught:
        corpus(tmp_path, "a.jsonl").scan()
    for kind in ("empty text (1)", "text is not a string (1)", "bad Unicode (1)", "bad JSON (1)"):
        assert kind in str(caught.value)
    domain = corpus(tmp_path, "a.jsonl", skip_bad=True)
    facts = domain.scan(tmp_path / "rejects.jsonl")
    assert list(domain.documents()) == ["good"]
    assert facts.rejected == 4
    assert facts.detected == {"format": "jsonl", "text": "body"}
    assert facts.rejects_file == str(tmp_path / "rejects.jsonl")
    assert [json.loads(line)["line"] for line in (tmp_path / "rejects.jsonl").read_text().splitlines()] == [2, 3, 4, 5]


def test_the_fingerprint_follows_what_is_read_and_neither_names_nor_other_columns(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one", "other": "two"}\n')
    (tmp_path / "b.jsonl").write_text('{"text": "one", "other": "two"}\n')
    (tmp_path / "c.jsonl").write_text('{"text": "one", "other": "tvo"}\n')
    (tmp_path / "d.jsonl").write_text('{"text": "ohe", "other": "two"}\n')
    prints = [corpus(tmp_path, f"{name}.jsonl").fingerprint for name in "abcd"]
    assert prints[0] == prints[1] == prints[2] != prints[3]
    assert corpus(tmp_path, "a.jsonl", text="text", format="jsonl").fingerprint == prints[0]
    assert corpus(tmp_path, "a.jsonl", text="other").fingerprint != prints[0]


def test_unclear_text_columns_are_asked_for(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"foo": "one", "bar": "two"}\n')
    with pytest.raises(DataError, match=r"which column is the text\? .*'foo', 'bar'"):
        corpus(tmp_path, "a.jsonl")


def test_an_empty_corpus_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("\n")
    with pytest.raises(DataError, match="holds no usable document"):
        corpus(tmp_path, "a.txt").scan()


def test_texts_in_memory_can_be_followed_by_files(tmp_path):
    (tmp_path / "a.txt").write_text("three\n")
    task = Corpus.of_texts("task", ["one", "two"], "print", then=corpus(tmp_path, "a.txt"))
    assert list(task.documents()) == list(task.documents()) == ["one", "two", "three"]
    assert task.fingerprint == "print"
