import difflib
import gzip
import json

import datasets
import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError
from acclimate.tasks.split_files import open_splits


def read(path, columns=("text",), skip_bad=False, **how):
    source = open_source(str(path), path.parent, Reading(**how))
    with Problems(skip_bad) as problems:
        return list(source.records(columns, problems)), problems


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


ROWS = [{"text": 'a "quoted", text\nof two lines', "label": "x"}, {"text": "naïve", "label": "y"}]


def csv_of(rows, delimiter):
    quoted = lambda text: '"' + text.replace('"', '""') + '"'  # noqa: E731
    return "\n".join([delimiter.join(rows[0]), *(delimiter.join(map(quoted, row.values())) for row in rows)]) + "\n"


def bytes_of(format, tmp_path):
    if format == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    if format in ("csv", "tsv"):
        return csv_of(ROWS, "," if format == "csv" else "\t").encode()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "raw")
    return (tmp_path / "raw").read_bytes()


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("format", ["jsonl", "csv", "tsv", "parquet"])
def test_every_format_and_compression_gives_the_same_records(tmp_path, format, ending):
    content = bytes_of(format, tmp_path)
    packed = {"": content, ".gz": gzip.compress(content), ".zst": zstandard.compress(content)}[ending]
    path = write(tmp_path / f"a.{format}{ending}", packed)
    records, _ = read(path, ("text", "label"))
    assert [record.values for record in records] == ROWS
    assert [record.row for record in records] == [0, 1]
    assert open_source(path.name, tmp_path).columns == ("text", "label")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "b"', r"a\.jsonl:2: .* at character 13"),
        ('["b"]', r"a\.jsonl:2: .*this is an array"),
        ('{"txet": "b"}', r"a\.jsonl:2: no 'text' — 'txet' meant\?"),
    ],
)
def test_bad_json_lines_are_named_and_can_be_skipped(tmp_path, line, message):
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n' + line + '\n{"text": "c"}\n')
    with pytest.raises(DataError, match=message):
        read(path)
    records, problems = read(path, skip_bad=True)
    assert [(record.line, record.row, record.values["text"]) for record in records] == [(1, 0, "a"), (3, 2, "c")]
    assert problems.rejected == 1


def test_a_ragged_row_names_its_line_even_after_a_text_of_several_lines(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"one\ntwo",x\nthree\nfour,y\n')
    with pytest.raises(DataError, match=r"ragged row \(1\):\n  .*a\.csv:4: 1 fields where the header has 2"):
        read(path)
    assert [record.line for record in read(path, skip_bad=True)[0]] == [2, 5]


def test_an_unclosed_quote_costs_one_row_and_not_the_rest_of_the_file(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\none,x\n"two,x\nthree,y\nfour,y\n')
    with pytest.raises(DataError, match=r"unclosed quote \(1\):\n  .*a\.csv:3: "):
        read(path)
    records, problems = read(path, skip_bad=True)
    assert [record.values["text"] for record in records] == ["one", "three", "four"]
    assert problems.counts == {"unclosed quote": 1}


def test_a_text_longer_than_the_csv_modules_own_limit_is_read(tmp_path):
    path = write(tmp_path / "a.csv", "text\n" + "x" * 500_000 + "\n")
    assert len(read(path)[0][0].values["text"]) == 500_000


def test_bad_utf8_in_a_table_costs_its_row_only(tmp_path):
    path = write(tmp_path / "a.csv", b"text,label\none,x\ntw\xff,x\nthree,y\n")
    with pytest.raises(DataError, match=r"a\.csv:3: byte 0xff at byte offset 19"):
        read(path)
    assert [record.row for record in read(path, skip_bad=True)[0]] == [0, 2]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_missing_column_is_an_error_that_skipping_cannot_mend(tmp_path, name):
    path = tmp_path / name
    if name == "a.csv":
        write(path, "Text,label\na,b\n")
    else:
        pyarrow.parquet.write_table(pyarrow.table({"Text": ["a"], "label": ["b"]}), path)
    with pytest.raises(DataError, match=r"no column 'text' — 'Text' meant\?; it has 'Text', 'label'"):
        read(path, skip_bad=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "empty"), ("text,text\na,b\n", "names 'text' more than once")],
)
def test_a_csv_header_that_cannot_be_used_is_explained(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "a.csv", content))


def test_a_damaged_parquet_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as parquet"):
        read(write(tmp_path / "a.parquet", b"PAR1 no parquet"))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_text_survives_csv_and_jsonl(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("any")
    rows = [{"text": text, "label": "x"} for text in texts]
    for name, content in (("a.csv", csv_of(rows, ",")), ("a.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))):
        records, _ = read(write(folder / name, content), ("text", "label"))
        assert [record.values for record in records] == rows


TEXT = "one\n\n\ntwo a\ntwo b\n   \nthree\n"


@pytest.mark.parametrize(
    ("mode", "documents"),
    [
        ("line", [(1, "one"), (4, "two a"), (5, "two b"), (7, "three")]),
        ("blank", [(1, "one"), (4, "two a\ntwo b"), (7, "three")]),
        ("file", [(1, "one\n\n\ntwo a\ntwo b\n\nthree")]),
    ],
)
def test_the_three_document_modes(tmp_path, mode, documents):
    records, _ = read(write(tmp_path / "a.txt", TEXT), documents=mode)
    assert [(record.line, record.values["text"]) for record in records] == documents


def test_document_modes_are_detected_and_said(tmp_path):
    lines = "".join(f"a sentence, number {number}\n" for number in range(300))
    write(tmp_path / "lines.txt", lines + "\n" + lines)  # one stray blank line does not make paragraphs
    write(tmp_path / "blank.txt", TEXT)
    for number in range(6):
        write(tmp_path / f"contract{number}.txt", TEXT)

    def detected(pattern):
        return open_source(pattern, tmp_path).detected

    assert detected("lines.txt") == {"format": "txt", "documents": "line"}
    assert detected("blank.txt")["documents"] == "blank"
    assert detected("contract*.txt")["documents"] == "file"
    assert open_source("blank.txt", tmp_path, Reading("txt", "line")).detected == {}


def test_a_dataset_folder_gives_names_of_classes_and_splits(tmp_path):
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
    train = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    datasets.DatasetDict({"train": train, "validation": train.select([0]), "unsupervised": train}).save_to_disk(tmp_path / "set")
    records, _ = read(tmp_path / "set", ("text", "label"))
    assert [record.values["label"] for record in records] == ["good", "bad", None]
    splits = open_splits({}, "set", tmp_path, Reading())
    assert list(splits) == ["train", "dev"]
    records, _ = read(tmp_path / "set" / "unsupervised")
    assert [(record.line, record.row) for record in records] == [(1, 0), (2, 1), (3, 2)]


def test_a_missing_hub_dataset_is_one_clear_error(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", no_network)
    with pytest.raises(DataError, match=r"nobody/nothing: no such file or folder here, and the Hugging Face hub cannot be reached"):
        open_source("nobody/nothing", tmp_path)


def test_a_mistyped_path_is_not_looked_for_on_the_hub(tmp_path):
    (tmp_path / "tasks").mkdir()
    with pytest.raises(DataError, match="no such file or folder"):
        open_source("tasks/mine", tmp_path)


def test_what_was_meant_by_a_key_is_looked_for_once_and_not_for_every_row(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_text('{"txet": "a", "label": "x"}\n' * 1_000)
    looked, nearest = [], difflib.get_close_matches
    monkeypatch.setattr(difflib, "get_close_matches", lambda *given, **how: looked.append(given) or nearest(*given, **how))
    with pytest.raises(DataError, match=r"a\.jsonl:1: no 'text' — 'txet' meant\?; it has 'txet', 'label'"), Problems() as problems:
        list(open_source("a.jsonl", tmp_path).records(("text",), problems))
    assert len(looked) <= 1
