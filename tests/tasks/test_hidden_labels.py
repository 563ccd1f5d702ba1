"""Benchmarks and competitions keep the labels of test to themselves: one message says so and how to go on."""

import json

import pytest

from acclimate.data.readers.records import open_source
from acclimate.errors import DataError
from acclimate.tasks.classify import Classify
from acclimate.tasks.labelled import read_labelled
from acclimate.tasks.task import Task

ABSENT = object()


def write(path, labels):
    rows = [
        {"id": number, "text": f"{path.stem} words {number}"} | ({} if name is ABSENT else {"label": name})
        for number, name in enumerate(labels)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")


def refused(root, **settings):
    with pytest.raises(DataError) as caught:
        Task.open(Classify(**settings), root)
    return str(caught.value)


@pytest.mark.parametrize("nothing", [-1, "-1", None, "", " ", "?", "None", "nan", float("nan"), -100, -1.0, ABSENT])
@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_test_split_without_labels_is_said_once_with_the_way_on(tmp_path, nothing, skip_bad):
    write(tmp_path / "d" / "train.jsonl", ["a", "b"] * 20)
    write(tmp_path / "d" / "validation.jsonl", ["a", "b"] * 5)
    write(tmp_path / "d" / "test.jsonl", [nothing] * 10)
    said = refused(tmp_path, path="d", skip_bad=skip_bad)
    assert said.count("the test split has no labels (") == 1
    assert "say `train: d/train.jsonl, dev: d/validation.jsonl` instead of the folder, and acclimate takes test out of train" in said
    assert "skip_bad" not in said
    assert "meant?" not in said
    task = Task.open(Classify(train="d/train.jsonl", dev="d/validation.jsonl"), tmp_path)
    assert (task.facts.made, len(task.test)) == (("test",), 8)


def test_labels_that_train_has_are_labels(tmp_path):
    write(tmp_path / "d" / "train.jsonl", [-1, 0, 1] * 20)
    write(tmp_path / "d" / "test.jsonl", [-1] * 10)
    assert Task.open(Classify(path="d"), tmp_path).test.gold.tolist() == [0] * 10


def test_one_label_that_is_there_makes_the_others_missing_ones(tmp_path):
    write(tmp_path / "d" / "train.jsonl", ["a", "b"] * 20)
    write(tmp_path / "d" / "test.jsonl", [*[None] * 9, "a"])
    assert "no label (9):" in refused(tmp_path, path="d")


def test_dev_and_test_without_labels_leave_train(tmp_path):
    write(tmp_path / "d" / "train-00000-of-00002.jsonl", ["a", "b"] * 20)
    write(tmp_path / "d" / "train-00001-of-00002.jsonl", ["a", "b"] * 20)
    for split in ("dev", "test"):
        write(tmp_path / "d" / f"{split}.jsonl", [-1] * 10)
    said = refused(tmp_path, path="d")
    assert "the dev split has no labels" in said
    assert "the test split has no labels" in said
    assert "say `train: d/train-0000*` instead of the folder, and acclimate takes dev and test out of train" in said


def test_a_split_that_was_named_is_to_be_left_out(tmp_path):
    write(tmp_path / "train.jsonl", ["a", "b"] * 20)
    write(tmp_path / "test.jsonl", [None] * 10)
    said = refused(tmp_path, train="train.jsonl", test="test.jsonl")
    assert "leave out `test:`, and acclimate takes dev and test out of train" in said


def test_a_table_without_the_column_is_no_place_to_guess_another(tmp_path):
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / "train.csv").write_text("id,text,target\n" + "".join(f"{n},words {n},{n % 2}\n" for n in range(40)))
    (tmp_path / "k" / "test.csv").write_text("id,text\n" + "".join(f"{n},more {n}\n" for n in range(40)))
    said = refused(tmp_path, path="k")
    assert "the test split has no labels (no column 'target'); say `train: k/train.csv` instead" in said
    assert "meant?" not in said


def test_train_without_labels_asks_for_the_label_column(tmp_path):
    write(tmp_path / "all.jsonl", [None] * 40)
    said = refused(tmp_path, path="all.jsonl")
    assert "train has no labels ('label' is empty in every row); name the column that holds them with `label:`" in said


def test_a_folder_a_split_is_named_as_such(tmp_path):
    for split, labels in (("train", ["a", "b"] * 10), ("test", [-1] * 10)):
        (tmp_path / "d" / split).mkdir(parents=True)
        for part in ("x", "y"):
            write(tmp_path / "d" / split / f"{part}{split}.jsonl", labels)
    assert "say `train: d/train` instead of the folder" in refused(tmp_path, path="./d/")


def test_scores_of_texts_without_labels_are_refused_in_one_message(tmp_path):
    write(tmp_path / "all.jsonl", [-1] * 10)
    source = open_source("all.jsonl", tmp_path)
    with pytest.raises(DataError, match=r"scores need labels, and there are none \('label' is -1 in every row\)"):
        read_labelled(source, Classify(train="all.jsonl"), {"text": "text", "label": "label"}, ("a", "b"))
