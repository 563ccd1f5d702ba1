"""Answers harm nobody: no formula for a spreadsheet, no command for a terminal, whatever the labels are called."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from acclimate.evaluation.answers import LabelForm
from acclimate.evaluation.writing import CsvWriter, JsonlWriter
from acclimate.inert import cell

LABELS = ("=1+1", "\x1b[2J", "a,b", 'say "x"', "two\nlines", "half \ud800", "ok", "\u202eback", "\x9b31m", "-1")
ONE = "single_label_classification"


def table(labels, outputs, problem=ONE):
    stream = io.BytesIO()
    answers = LabelForm(labels, problem)
    writer = CsvWriter(stream, answers, False)
    for number, row in enumerate(outputs):
        writer.write({"index": number}, answers.of(np.array(row)), "")
    return list(csv.reader(io.StringIO(stream.getvalue().decode(), newline="")))


@pytest.mark.parametrize("value", ["=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "-a", "=cmd|' /C calc'!A0"])
def test_a_formula_is_made_a_text(value):
    assert str(cell(value)).startswith("'")


@pytest.mark.parametrize("value", ["-1", "+1", "-0.5", "1e-05", "pos", "a=b", "", "'quoted", "ä, ö", -1, -0.25])
def test_what_is_no_formula_stays_as_it_is(value):
    assert cell(value) == value


def test_labels_of_every_kind_survive_jsonl():
    stream = io.BytesIO()
    answers = LabelForm(LABELS, ONE)
    for number in range(len(LABELS)):
        JsonlWriter(stream).write({"index": number}, answers.of(np.eye(len(LABELS))[number]), "")
    written = stream.getvalue()
    assert not set(written.decode()) & set("\x1b\x9b\u202e\x7f")
    assert tuple(json.loads(line)["label"] for line in written.decode().splitlines()) == LABELS


def test_labels_of_every_kind_are_harmless_in_csv():
    header, *rows = table(LABELS, np.eye(len(LABELS)))
    assert [row[1] for row in rows] == [
        "'=1+1", "\\u001b[2J", "a,b", 'say "x"', "two\nlines", "half \\ud800", "ok", "\\u202eback", "\\u009b31m", "-1",
    ]  # fmt: skip
    assert len(header) == len(LABELS) + 3
    assert {len(row) for row in rows} == {len(header)}


def test_numbers_are_never_touched():
    assert table(("score",), [[-0.5049903], [-3e-12]], "regression") == [
        ["index", "value", "problem"], ["0", "-0.5049903", ""], ["1", "-3e-12", ""],
    ]  # fmt: skip


def test_several_labels_stand_in_one_cell():
    header, *rows = table(("a,b", "c", "d"), [[0.9, 0.5, 0.51], [0.1, 0.2, 0.3]], "multi_label_classification")
    assert header == ["index", "labels", "p_a,b", "p_c", "p_d", "problem"]
    assert [json.loads(row[1]) for row in rows] == [["a,b", "d"], []]


def test_no_answer_has_the_form_of_an_answer():
    for problem, labels in (
        (ONE, ("a", "b")),
        ("multi_label_classification", ("a", "b")),
        ("regression", ("a",)),
        ("regression", ("a", "b")),
    ):
        answers = LabelForm(labels, problem)
        assert answers.none.keys() == answers.of(np.zeros(len(labels))).keys()
        assert answers.cells(answers.none) == [""] * len(answers.columns)
        assert len(answers.cells(answers.of(np.zeros(len(labels))))) == len(answers.columns)


def test_the_file_is_utf_8_whatever_the_locale_is(tmp_path, monkeypatch):
    from acclimate.data.corpus import CorpusSettings
    from acclimate.evaluation.apply import predict_file
    from acclimate.modeling.baselines.majority_model import MajorityModel

    monkeypatch.chdir(tmp_path)
    MajorityModel(("schön", "日本"), (0.25, 0.75)).save(tmp_path / "model")
    (tmp_path / "ü.txt").write_text("eins\n\n")
    stream = io.BytesIO()
    predict_file(Path("model"), CorpusSettings(path="ü.txt"), None, stream, lambda line: None)
    assert json.loads(stream.getvalue().decode("utf-8").splitlines()[0])["label"] == "日本"
