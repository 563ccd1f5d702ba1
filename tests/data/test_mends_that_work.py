"""What a message advises must work, and is said once."""

import json

import pytest

from acclimate.data.readers.columns import detect_column
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Task

ROWS = [(f"text number {row}", ("neg", "pos")[row % 2]) for row in range(40)]


def refused(folder, settings):
    with pytest.raises(DataError) as caught:
        Task.open(Classify.model_validate(settings), folder)
    return str(caught.value)


def csv_of(rows, head="text,label"):
    return "".join(f"{line}\n" for line in (head, *(f"{text},{label}" for text, label in rows)))


def test_where_many_records_are_bad_their_number_is_said_beside_skip_bad(tmp_path):
    labels = ("N/A", "yes", "no")
    (tmp_path / "a.csv").write_text(csv_of([(text, labels[row % 3]) for row, (text, _) in enumerate(ROWS)]))
    message = refused(tmp_path, "a.csv")
    assert "leaves out 14 of the 40 records" in message
    assert "perhaps a class" in message


def test_skip_bad_is_not_advised_where_it_would_leave_nothing(tmp_path):
    (tmp_path / "train.csv").write_text(csv_of(ROWS))
    (tmp_path / "dev.csv").write_text(csv_of([(f"other {text}", label.title()) for text, label in ROWS]))
    message = refused(tmp_path, {"train": "train.csv", "dev": "dev.csv"})
    assert "'neg' meant?" in message
    assert "`skip_bad" not in message
    assert "no record of" in message


def test_a_file_whose_records_are_all_bad_is_told_once(tmp_path):
    (tmp_path / "a.csv").write_text(csv_of([(f"{text}, and more", label) for text, label in ROWS]))
    message = refused(tmp_path, "a.csv")
    assert "ragged row (40)" in message
    assert "no usable record" not in message


def test_another_encoding_is_told_once(tmp_path):
    (tmp_path / "a.csv").write_bytes(csv_of([(f"{text} caf\xe9", label) for text, label in ROWS]).encode("latin-1"))
    message = refused(tmp_path, {"path": "a.csv", "skip_bad": True})
    assert "encoding: cp1252" in message
    assert "no usable record" not in message
    assert "empty" not in message


def test_where_skipping_leaves_nothing_that_is_said(tmp_path):
    (tmp_path / "a.csv").write_text(csv_of([(text, "") for text, _ in ROWS[:1]] + [("", label) for _, label in ROWS]))
    assert "no usable record" in refused(tmp_path, {"path": "a.csv", "skip_bad": True})


@pytest.mark.parametrize("skip_bad", [True, False])
def test_a_header_in_another_encoding_is_named_with_its_mend(tmp_path, skip_bad):
    (tmp_path / "a.csv").write_bytes(csv_of(ROWS, "text,cat\xe9gorie").encode("latin-1"))
    message = refused(tmp_path, {"path": "a.csv", "skip_bad": skip_bad})
    assert "a.csv:1: byte 0xe9" in message
    assert "encoding: cp1252" in message


def test_a_title_above_rows_with_commas_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "a.csv").write_text("# exported today\n" + csv_of(ROWS))
    message = refused(tmp_path, "a.csv")
    assert "a.csv:1: the first row has one field" in message
    assert "remove it if it is a title" in message


def test_a_table_in_a_txt_file_can_be_read_as_advised(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *ROWS]), encoding="utf-16")
    assert "format: tsv" in refused(tmp_path, "a.txt")
    assert Task.open(Classify.model_validate({"path": "a.txt", "format": "tsv"}), tmp_path).names == ("neg", "pos")


@pytest.mark.parametrize("orient", ["columns", "index", "split", "table"])
def test_the_command_for_what_pandas_writes_gives_its_rows(tmp_path, orient, monkeypatch):
    import pandas

    pandas.DataFrame(ROWS, columns=["text", "label"]).to_json(tmp_path / "a.json", orient=orient)
    message = refused(tmp_path, "a.json")
    if "pandas." not in message:
        assert "jq -c '.data[]' a.json" in message
        return
    command = message.split(": pandas.")[1].splitlines()[0]
    monkeypatch.chdir(tmp_path)
    exec(f"pandas.{command}", {"pandas": pandas})
    source = open_source("a.jsonl", tmp_path, Reading())
    with Problems() as problems:
        assert [record.values["text"] for record in source.records(("text", "label"), problems)] == [text for text, _ in ROWS]


def test_an_object_of_splits_loses_none_of_them(tmp_path):
    rows = [{"text": text, "label": label} for text, label in ROWS]
    (tmp_path / "a.json").write_text(json.dumps({"train": rows, "test": rows}))
    message = refused(tmp_path, "a.json")
    assert "jq -c '.train[]' a.json > train.jsonl" in message
    assert "jq -c '.test[]' a.json > test.jsonl" in message


def test_a_file_of_texts_alone_is_told_to_have_no_labels(tmp_path):
    (tmp_path / "a.csv").write_text("".join(f"{text}\n" for text, _ in [("text", ""), *ROWS]))
    message = refused(tmp_path, "a.csv")
    assert "no column is the label: 'text' is the only one" in message
    assert "which column is the text" not in message


def test_the_only_column_is_the_text_whatever_it_is_called(tmp_path):
    (tmp_path / "a.csv").write_text("".join(f"{text}\n" for text, _ in [("topic", ""), *ROWS]))
    assert detect_column("text", open_source("a.csv", tmp_path, Reading())) == "topic"


def test_labels_that_yaml_takes_for_truth_values_are_named_with_quotes(tmp_path):
    (tmp_path / "a.csv").write_text(csv_of([(text, str(row % 2 == 0)) for row, (text, _) in enumerate(ROWS)]))
    assert "say `labels: ['True', 'False']`" in refused(tmp_path, {"path": "a.csv", "labels": [True, False]})
    assert Task.open(Classify.model_validate({"path": "a.csv", "labels": ["True", "False"]}), tmp_path).names == ("True", "False")


def test_objects_with_commas_between_them_are_told_what_to_add(tmp_path):
    objects = "".join(json.dumps({"text": text, "label": label}) + ",\n" for text, label in ROWS)
    (tmp_path / "a.jsonl").write_text(objects)
    message = refused(tmp_path, "a.jsonl")
    assert "a.jsonl:1: a comma stands behind this object" in message
    assert "one class only" not in message
    (tmp_path / "a.jsonl").write_text(f"[{objects}]")
    assert len(Task.open(Classify(path="a.jsonl"), tmp_path).train) == 28
