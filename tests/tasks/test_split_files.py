"""Which files are which split: found, or refused with what was seen; and what is said of those that are not read."""

import gzip
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from acclimate.data.readers.split_names import by_split
from acclimate.errors import DataError
from acclimate.tasks.classify import Classify
from acclimate.tasks.opened import Data, DataSettings
from acclimate.tasks.task import Task


def rows(count, start=0):
    return "text,label\n" + "".join(f"text number {n},{'ab'[n % 2]}\n" for n in range(start, start + count))


def make(folder, **files):
    for place, (name, content) in enumerate(files.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        content = content if isinstance(content, bytes) else (content or rows(20, 100 * place)).encode()
        (folder / name).write_bytes(content)


def splits(*names):
    return {split: [str(path) for path in paths] for split, paths in by_split(map(Path, names), "d").items()}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["train.csv", "eval.csv", "test.csv", "other.csv"], {"train": ["train.csv"], "dev": ["eval.csv"], "test": ["test.csv"]}),
        (["train.tsv", "devel.tsv"], {"train": ["train.tsv"], "dev": ["devel.tsv"]}),
        (["data/train-00000-of-00001-9c49abcdef012345.parquet"], {"train": ["data/train-00000-of-00001-9c49abcdef012345.parquet"]}),
        (["default/train/0000.parquet", "default/test/0000.parquet"],) * 2,
        (["data/train/part-1.jsonl", "data/train/part-2.jsonl"],) * 2,
        (["train/train.csv", "test/test.csv"],) * 2,
        (["train.parquet/part-00000-c0.parquet", "train.parquet/part-00001-c0.parquet"],) * 2,
        (["train-0.jsonl", "train-1.jsonl", "test-0.jsonl"],) * 2,
        (["train.csv", "validation_matched.csv"], {"train": ["train.csv"], "dev": ["validation_matched.csv"]}),
    ],
)
def test_splits_are_found_by_the_names_of_files_and_folders(names, found):
    if found is names:
        found = {}
        for name in names:
            found.setdefault("train" if "train" in name else "test", []).append(name)
    assert splits(*names) == found


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        (["train.csv", "train.csv.gz"], "train.csv and train.csv.gz are both train"),
        (["train.csv", "train.jsonl"], "train.csv and train.jsonl are both train"),
        (["raw/train.csv", "clean/train.csv"], "raw/train.csv and clean/train.csv could each be train"),
        (["train/a.csv", "train/a.csv.gz"], "the same data twice"),
        (["train/raw/a.csv", "train/clean/a.csv"], "the same data twice"),
        (["train.csv", "dev.csv", "validation.csv"], "dev.csv and validation.csv could each be dev"),
        (["train.csv", "train-1.csv"], "train.csv and train-1.csv could each be train"),
        (["sst2/train/0000.parquet", "cola/train/0000.parquet"], "sst2/train and cola/train could each be train"),
        (["sst2/train.csv", "cola/test.csv"], "lie in different folders"),
        (["train_1.csv", "test_1.csv", "train_2.csv", "test_2.csv"], "may be folds"),
        (["fold1/train.csv", "fold2/train.csv", "fold1/test.csv", "fold2/test.csv"], "fold1/train.csv and fold2/train.csv"),
        (["test/train.csv"], "its folder says one split and its name another"),
        (["train.csv", "dev_matched.tsv", "dev_mismatched.tsv"], r"`dev: d/dev_matched\.tsv`"),
    ],
)
def test_what_could_be_two_things_is_refused_with_what_was_seen(names, seen):
    with pytest.raises(DataError, match=seen):
        splits(*names)


def test_a_download_beside_its_unpacked_copy_is_refused(tmp_path):
    make(tmp_path / "d", **{"train.csv": "", "train.csv.gz": gzip.compress(rows(20).encode()), "test.csv": ""})
    with pytest.raises(DataError, match=r"train\.csv and train\.csv\.gz are both train.*`train: d/train\.csv`"):
        Task.open(Classify(path="d"), tmp_path)


def test_a_folder_named_as_one_split_may_not_hold_several(tmp_path):
    make(tmp_path / "d", **{"train.csv": "", "test.csv": ""})
    for settings in (Classify(train="d"), Classify(train="d/*.csv"), Classify(path="d/*.csv")):
        with pytest.raises(DataError, match=r"files of several splits \(.*train\.csv"):
            Task.open(settings, tmp_path)


@pytest.mark.parametrize("name", ["dev.xlsx", "eval.txt", "dev.arrow", "validation.csv.tar"])
def test_a_split_that_is_not_read_is_never_replaced_by_one_out_of_train(tmp_path, name):
    make(tmp_path / "d", **{"train.csv": "", "test.csv": "", name: "something"})
    with pytest.raises(DataError, match="named like dev, but"):
        Task.open(Classify(path="d"), tmp_path)


def test_every_file_is_shown_with_its_rows_and_those_of_no_split_are_said(tmp_path):
    names = {"train-0.csv": rows(20), "train-1.csv": rows(30, 100), "test.csv": rows(10, 200), "heldout.csv": "", "README.md": "x"}
    make(tmp_path / "d", **names)
    data = Data.open(DataSettings(task="d"), tmp_path)
    facts = data.facts()["task"]
    assert {Path(name).name: count for name, count in facts["files"]["train"].items()} == {"train-0.csv": 20, "train-1.csv": 30}
    assert facts["files"]["test"] == {str(tmp_path / "d/test.csv"): 10}
    assert sorted(Path(name).name for name in facts["unread"]) == ["README.md", "heldout.csv"]
    said = "\n".join(data.notes())
    assert "heldout.csv" in said
    assert "dev is taken out of train" in said


def test_data_read_twice_is_said_and_a_few_repetitions_are_not(tmp_path):
    make(tmp_path / "d", **{"train/a.csv": rows(20), "train/b.csv": rows(20), "test.csv": rows(10, 200)} | {})
    (tmp_path / "d/test").mkdir()
    (tmp_path / "d/test.csv").rename(tmp_path / "d/test/test.csv")
    data = Data.open(DataSettings(task="d"), tmp_path)
    assert any("train: 20 of 40 texts repeat an earlier one; is the same data read twice? (a.csv, b.csv)" in note for note in data.notes())
    make(tmp_path / "e", **{"train.csv": rows(60) + rows(2)[11:], "test.csv": rows(10, 200)})
    assert not Data.open(DataSettings(task="e"), tmp_path).notes()[1:]


def test_a_corpus_tells_rows_by_file_and_what_is_not_read(tmp_path):
    make(tmp_path / "c", **{"a.txt": "one\ntwo\n", "b/c.txt": "three\n", "empty.txt": b"", "notes.pdf": "x", "old.csv": ""})
    data = Data.open(DataSettings(domain={"path": "c", "format": "txt", "documents": "line"}), tmp_path)
    facts = data.facts()["corpora"]["domain"]
    assert facts["paths"] == {str(tmp_path / "c" / name): count for name, count in {"a.txt": 2, "b/c.txt": 1, "empty.txt": 0}.items()}
    assert facts["files"] == 3
    assert [Path(name).name for name in facts["unread"]] == ["notes.pdf", "old.csv"]
    assert data.notes() == (
        "corpus 'domain': empty.txt holds no record",
        "corpus 'domain': not read, though it lies in the folder: old.csv, nor 1 of unknown endings",
    )


def test_a_dataset_with_two_validation_splits_asks_which(tmp_path):
    def part(start):
        return Dataset.from_dict({"text": [f"text {start} {n}" for n in range(10)], "label": ["ab"[n % 2] for n in range(10)]})

    whole = {name: part(start) for start, name in enumerate(["train", "validation_matched", "validation_mismatched", "test"])}
    DatasetDict(whole).save_to_disk(tmp_path / "mnli")
    with pytest.raises(DataError, match=r"validation_matched and validation_mismatched could each be dev.*`dev: mnli/validation_matched`"):
        Task.open(Classify(path="mnli"), tmp_path)
    task = Task.open(Classify(train="mnli/train", dev="mnli/validation_matched", test="mnli/test"), tmp_path)
    assert (len(task.train), len(task.dev)) == (10, 10)
    del whole["validation_mismatched"]
    DatasetDict(whole | {"unsupervised": part(9)}).save_to_disk(tmp_path / "one")
    task = Task.open(Classify(path="one"), tmp_path)
    assert task.dev.inputs[0][0] == "text 1 0"
    assert [Path(name).name for name in task.facts.unread] == ["one[unsupervised]"]


def test_dataset_folders_of_single_splits_below_one_folder_are_splits(tmp_path):
    for start, name in enumerate(["train", "test"]):
        part = Dataset.from_dict({"text": [f"text {start} {n}" for n in range(40)], "label": ["ab"[n % 2] for n in range(40)]})
        part.save_to_disk(tmp_path / "d" / name)
    task = Task.open(Classify(path="d"), tmp_path)
    assert task.test.inputs[0][0] == "text 1 0"


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt"])
def test_an_empty_file_says_so(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    settings = DataSettings(domain=name) if name == "a.txt" else DataSettings(task=name)
    with pytest.raises(DataError, match="empty"):
        Data.open(settings, tmp_path)
