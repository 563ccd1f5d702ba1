"""A split is a word of its file's name where no file is named as a split: `mydata_train.jsonl`, `test-v2.csv`."""

from pathlib import Path

import pytest

from acclimate.data.readers.one_split import open_one
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.split_names import by_split
from acclimate.errors import DataError
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Task


def splits(*names):
    return {split: [str(path) for path in paths] for split, paths in by_split(map(Path, names), "d").items()}


def make(folder, *names):
    folder.mkdir()
    for place, name in enumerate(names):
        lines = "".join(f"text number {place} {n},{'ab'[n % 2]}\n" for n in range(20))
        (folder / name).write_text(f"text,label\n{lines}")


@pytest.mark.parametrize(
    "names",
    [
        ["mydata_train.jsonl", "mydata_dev.jsonl", "mydata_test.jsonl"],
        ["sst2-train.csv", "sst2-validation.csv", "sst2-test.csv"],
        ["train_v2.csv", "valid_v2.csv", "test_v2.csv"],
        ["My Data Train.csv", "My Data Val.csv", "My Data Test.csv"],
        ["x-train-00000-of-00001.parquet", "x-dev-00000-of-00001.parquet", "x-test-00000-of-00001.parquet"],
    ],
)
def test_a_word_of_the_name_says_the_split(names):
    assert splits(*names) == dict(zip(("train", "dev", "test"), ([name] for name in names), strict=True))


def test_shards_named_by_a_word_are_one_split():
    names = ["x-train-00000-of-00002.parquet", "x-train-00001-of-00002.parquet"]
    assert splits(*names) == {"train": names}


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        (
            ["train_fold0.csv", "test_fold0.csv", "train_fold1.csv", "test_fold1.csv"],
            "train_fold0.csv and train_fold1.csv could each be train",
        ),
        (["a_train.csv", "b_test.csv"], "seem to be of different data sets"),
        (["a_train.csv", "a_train.jsonl"], "the same data twice"),
        (["a_dev.csv", "a_val.csv", "a_train.csv"], "a_dev.csv and a_val.csv could each be dev"),
    ],
)
def test_what_could_be_two_things_by_a_word_is_refused(names, seen):
    with pytest.raises(DataError, match=seen):
        splits(*names)


def test_names_of_splits_come_before_words_and_other_things_are_no_splits():
    assert splits("train.csv", "test.csv", "train_extra.csv") == {"train": ["train.csv"], "test": ["test.csv"]}
    assert splits("a_train.csv", "eval_results.csv", "test_labels.csv") == {"train": ["a_train.csv"]}
    assert splits("my_test.csv") == {}


def test_a_test_file_of_another_name_is_never_replaced_by_rows_of_train(tmp_path):
    make(tmp_path / "d", "train.csv", "my_test.csv")
    with pytest.raises(DataError, match=r"my_test\.csv: is this test\?.*`test: d/my_test\.csv`"):
        Task.open(Classify(path="d"), tmp_path)


def test_a_folder_under_train_with_splits_by_word_is_refused(tmp_path):
    make(tmp_path / "d", "x_train.csv", "x_test.csv")
    with pytest.raises(DataError, match="files of several splits"):
        Task.open(Classify(train="d"), tmp_path)
    assert Task.open(Classify(path="d"), tmp_path).facts.made == ("dev",)


def test_predict_and_evaluate_ask_which_split_by_a_word_is_meant(tmp_path):
    make(tmp_path / "d", "x_train.csv", "x_test.csv")
    with pytest.raises(DataError, match="has train and test; name one with --split"):
        open_one("d", tmp_path, Reading(), None)
    assert [file.name for file in open_one("d", tmp_path, Reading(), "test").files] == ["x_test.csv"]
    make(tmp_path / "e", "ab_test.csv", "monday.csv")
    assert len(open_one("e", tmp_path, Reading(), None).files) == 2


def test_folds_are_named_one_by_one_in_the_mend():
    with pytest.raises(DataError, match=r"`train: d/train0\.csv`, `test: d/test0\.csv`"):
        splits("train0.csv", "train1.csv", "test0.csv", "test1.csv")
