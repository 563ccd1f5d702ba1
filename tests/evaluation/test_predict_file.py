"""`predict`: an answer for every row of the input, in order, whatever is in it; nothing overwritten, nothing lost."""

import csv
import io
import json
import os
from pathlib import Path

import pytest

from acclimate.data.corpus import CorpusSettings
from acclimate.errors import DataError, ModelError, SettingsError
from acclimate.evaluation import apply, asked_rows
from acclimate.evaluation.apply import predict_file
from acclimate.modeling.baselines.majority_model import MajorityModel


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a model of two labels in `model/`."""
    monkeypatch.chdir(tmp_path)
    MajorityModel(("neg", "pos"), (0.25, 0.75)).save(tmp_path / "model")
    return tmp_path


def predict(path, out=None, split=None, strict=False, model="model", **reading):
    """(answers, what was said on the way)"""
    stream, said = io.BytesIO(), []
    predict_file(Path(model), CorpusSettings(path=str(path), **reading), out, stream, said.append, split, strict)
    return [json.loads(line) for line in stream.getvalue().decode().splitlines()], "\n".join(said)


def labels(answers):
    return [answer["label"] for answer in answers]


def test_a_line_of_txt_is_a_text_whatever_stands_between(here):
    (here / "new.txt").write_text("one\ntwo\n\nthree\nfour\n")
    answers, said = predict("new.txt")
    assert labels(answers) == ["pos", "pos", None, "pos", "pos"]
    assert [answer["index"] for answer in answers] == [0, 1, 2, 3, 4]
    assert "new.txt:3: the line is blank" in answers[2]["problem"]
    assert "1 of 5 rows has no text that could be read (empty text 1)" in said


@pytest.mark.parametrize("files", [4, 5, 12])
def test_many_small_txt_files_are_read_line_by_line_like_few(here, files):
    (here / "texts").mkdir()
    for number in range(files):
        (here / "texts" / f"{number:02}.txt").write_text("one text\nanother text\n")
    answers, _ = predict("texts")
    assert len(answers) == 2 * files
    assert [answer["index"] for answer in answers] == list(range(2 * files))
    assert (Path(answers[3]["file"]).name, answers[3]["line"]) == ("01.txt", 2)


def test_documents_of_txt_can_be_stated(here):
    (here / "new.txt").write_text("one\ntwo\n\nthree\n")
    assert len(predict("new.txt", documents="blank")[0]) == 2
    assert len(predict("new.txt", documents="file")[0]) == 1


def test_every_row_of_jsonl_is_answered(here):
    lines = [
        '{"text": "good"}', '{"text": ""}', '{"text": null}', '{"text": 3}', '{"text": ["a"]}', "{broken", "[1, 2]", '{"other": "x"}',
        '{"text": "half \\ud800"}', '{"text": "  "}', "12", '{"text": "good again"}',
    ]  # fmt: skip
    (here / "new.jsonl").write_text("\n".join(lines) + "\n")
    answers, said = predict("new.jsonl")
    assert [answer["index"] for answer in answers] == list(range(12))
    assert labels(answers) == ["pos", *[None] * 10, "pos"]
    for number in range(1, 11):
        assert f"new.jsonl:{number + 1}: " in answers[number]["problem"]
        assert answers[number]["probabilities"] is None
    assert "problem" not in answers[0]
    assert "10 of 12 rows have no text that could be read" in said
    assert "empty text 3" in said
    assert "bad JSON 1" in said
    assert "and 7 more" in said


def test_every_row_of_csv_is_answered_also_of_broken_bytes_and_quotes(here):
    rows = [b"id,text", b"1,good", b"2,", b"3,too,many", b"4,caf\xe9", b'5,"two\nlines"', b"6,good again"]
    (here / "new.csv").write_bytes(b"\n".join(rows) + b"\n")
    answers, said = predict("new.csv")
    assert labels(answers) == ["pos", None, None, None, "pos", "pos"]
    assert [answer["index"] for answer in answers] == [0, 1, 2, 3, 4, 5]
    assert "new.csv:4: " in answers[2]["problem"]
    assert "new.csv:5: " in answers[3]["problem"]
    assert "not UTF-8" in answers[3]["problem"]
    assert "3 of 6 rows" in said


def test_bytes_that_are_no_text_inside_of_a_row_cost_no_other_row(here):
    (here / "new.csv").write_bytes(b'id,text\n1,"begins\nand caf\xe9 ends"\n2,good\n')
    answers, _ = predict("new.csv")
    assert labels(answers)[-1] == "pos"
    assert {answer["label"] for answer in answers[:-1]} == {None}
    assert any("not UTF-8" in answer["problem"] for answer in answers[:-1])


def test_null_texts_of_parquet_are_answered(here):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a", None, "", "b"]}), here / "new.parquet")
    answers, _ = predict("new.parquet")
    assert labels(answers) == ["pos", None, None, "pos"]


def test_strict_names_all_bad_rows_and_predicts_nothing(here):
    (here / "new.csv").write_text("id,text\n1,good\n2,\n3,\n")
    with pytest.raises(DataError, match=r"empty text \(2\)(.|\n)*new.csv:3(.|\n)*new.csv:4"):
        predict("new.csv", strict=True)
    (here / "good.csv").write_text("id,text\n1,good\n")
    assert labels(predict("good.csv", strict=True)[0]) == ["pos"]


def test_rows_that_are_skipped_keep_their_numbers(here):
    (here / "new.csv").write_text("id,text\n1,good\n2,\n3,good\n")
    answers, said = predict("new.csv", skip_bad=True)
    assert [answer["index"] for answer in answers] == [0, 2]
    assert "1 of 3 rows" in said
    assert "left out" in said


def test_answers_do_not_depend_on_how_many_are_made_at_once(here, monkeypatch):
    (here / "new.txt").write_text("".join("\n" if number % 3 == 1 else f"text {number}\n" for number in range(20)))
    whole = predict("new.txt")
    monkeypatch.setattr(asked_rows, "CHUNK_TEXTS", 3)
    assert predict("new.txt") == whole
    monkeypatch.setattr(asked_rows, "CHUNK_CHARACTERS", 5)
    assert predict("new.txt") == whole


def test_csv_and_jsonl_hold_the_same(here):
    (here / "new.txt").write_text("one\n\ntwo\n")
    predict("new.txt", out=here / "a.csv")
    predict("new.txt", out=here / "a.jsonl")
    rows = list(csv.DictReader((here / "a.csv").open(newline="", encoding="utf-8")))
    assert [row["label"] for row in rows] == ["pos", "", "pos"]
    assert rows[0] == {"index": "0", "label": "pos", "p_neg": "0.25", "p_pos": "0.75", "problem": ""}
    assert "new.txt:2: the line is blank" in rows[1]["problem"]
    assert labels(map(json.loads, (here / "a.jsonl").read_text().splitlines())) == ["pos", None, "pos"]


def test_a_column_that_is_not_there_is_an_error_and_not_a_problem_of_each_row(here):
    (here / "new.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    with pytest.raises(DataError, match=r"'txet'.*'text' meant"):
        predict("new.jsonl", text="txet")
    (here / "two").mkdir()
    (here / "two" / "a.csv").write_text("id,text\n1,a\n")
    (here / "two" / "b.csv").write_text("id,words\n1,a\n")
    with pytest.raises(DataError, match=r"b.csv:1: no column 'text'"):
        predict("two")


def test_an_empty_file_is_an_error(here):
    (here / "new.jsonl").write_text("")
    with pytest.raises(DataError, match="no row"):
        predict("new.jsonl")


def test_damage_at_the_end_is_known_before_anything_is_predicted(here, monkeypatch):
    import gzip

    whole = gzip.compress("".join(f"text {number}\n" for number in range(5000)).encode())
    (here / "new.txt.gz").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(apply, "load_predictor", lambda folder: pytest.fail("the model was loaded"))
    with pytest.raises(DataError, match="damaged or ends too early"):
        predict("new.txt.gz")


@pytest.mark.parametrize("way", ["itself", "relative", "symlink", "hard link", "in the glob"])
def test_the_input_is_never_overwritten(here, way):
    file = here / "new.jsonl"
    file.write_text('{"text": "a"}\n')
    before = file.read_bytes()
    out = {"itself": file, "relative": Path("model/../new.jsonl")}.get(way, here / "other.jsonl")
    if way == "symlink":
        out.symlink_to(file)
    if way == "hard link":
        os.link(file, out)
    if way == "in the glob":
        out.write_text('{"text": "b"}\n')
    with pytest.raises(SettingsError, match="which is read"):
        predict("*.jsonl" if way == "in the glob" else file, out=out)
    assert file.read_bytes() == before


def test_nothing_is_written_into_the_models_folder_or_the_one_that_is_read(here):
    (here / "texts").mkdir()
    (here / "texts" / "a.txt").write_text("one\n")
    for out in ("model/labels.csv", "model/deeper/labels.csv", "./model/../model/labels.csv"):
        with pytest.raises(SettingsError, match="model's own folder"):
            predict("texts/a.txt", out=Path(out))
    with pytest.raises(SettingsError, match="folder that is read"):
        predict("texts", out=Path("texts/labels.jsonl"))
    (here / "taken.csv").mkdir()
    with pytest.raises(SettingsError, match="folder"):
        predict("texts", out=Path("taken.csv"))
    assert sorted(path.name for path in (here / "model").iterdir()) == ["config.json"]


def test_a_folder_that_cannot_be_written_is_found_before_the_model_is_loaded(here, monkeypatch):
    (here / "new.txt").write_text("one\n")
    (here / "file").write_text("not a folder")
    monkeypatch.setattr(apply, "load_predictor", lambda folder: pytest.fail("the model was loaded"))
    with pytest.raises(OSError):
        predict("new.txt", out=here / "file" / "labels.csv")


def test_a_failed_prediction_leaves_the_old_file_and_no_other(here, monkeypatch):
    (here / "new.txt").write_text("one\n")
    (here / "labels.csv").write_text("old")
    monkeypatch.setattr(MajorityModel, "probabilities", lambda self, texts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict("new.txt", out=here / "labels.csv")
    assert (here / "labels.csv").read_text() == "old"
    assert not list(here.glob(".tmp-*"))


def test_outputs_that_are_no_numbers_are_the_models_fault(here, monkeypatch):
    (here / "new.txt").write_text("one\n\ntwo\n")
    (here / "model" / "config.json").write_text('{"model_type": "acclimate-majority", "labels": ["a", "b"], "shares": [NaN, 0.5]}')
    with pytest.raises(ModelError, match=r"model: the model is broken, not the data.*'shares'"):
        predict("new.txt")
    MajorityModel(("neg", "pos"), (0.25, 0.75)).save(here / "model")
    monkeypatch.setattr(MajorityModel, "probabilities", lambda self, texts: [[0.5, float("inf")] for _ in texts])
    with pytest.raises(ModelError, match=r"outputs are not finite numbers.*new.txt:1"):
        predict("new.txt", out=here / "labels.csv")
    assert not (here / "labels.csv").exists()


@pytest.mark.parametrize("named", ["glob", "folder", "dataset"])
def test_of_several_splits_one_must_be_named(here, named):
    folder = here / "data"
    if named == "dataset":
        from datasets import Dataset, DatasetDict

        rows = {"train": 4, "validation": 2, "test": 3}
        DatasetDict({name: Dataset.from_dict({"text": [name] * count}) for name, count in rows.items()}).save_to_disk(folder)
    else:
        folder.mkdir()
        for name, count in {"train": 4, "valid": 2, "test": 3}.items():
            (folder / f"{name}.csv").write_text("id,text\n" + "1,a\n" * count)
    path = "data/*.csv" if named == "glob" else "data"
    with pytest.raises(DataError, match=r"has train, (dev|validation|valid) and test; name one with --split, e.g. --split test"):
        predict(path)
    assert [len(predict(path, split=split)[0]) for split in ("train", "dev", "test", "validation")] == [4, 2, 3, 2]
    with pytest.raises(DataError, match="no split 'other'; it has train"):
        predict(path, split="other")


def test_a_folder_of_one_split_or_of_none_is_read_whole(here):
    (here / "one").mkdir()
    (here / "one" / "test-00000-of-00002.csv").write_text("id,text\n1,a\n")
    (here / "one" / "test-00001-of-00002.csv").write_text("id,text\n2,b\n")
    assert len(predict("one")[0]) == 2
    assert len(predict("one", split="test")[0]) == 2
    with pytest.raises(DataError, match="no split 'train'"):
        predict("one", split="train")
    (here / "one" / "notes.csv").write_text("id,text\n3,c\n")
    with pytest.raises(DataError, match="files of no split"):
        predict("one")
    with pytest.raises(DataError, match="--split is for folders"):
        predict("one/notes.csv", split="test")


def test_what_was_detected_and_what_was_not_read_is_said(here):
    (here / "data").mkdir()
    (here / "data" / "a.csv").write_text("id;sentence\n1;one text\n2;another text\n")
    (here / "data" / "more.xlsx").write_bytes(b"PK")
    _, said = predict("data")
    assert "delimiter ';'" in said
    assert "text in column 'sentence'" in said
    assert "more.xlsx" in said
    (here / "plain.csv").write_text("id,text\n1,one text\n")
    assert predict("plain.csv")[1] == ""
