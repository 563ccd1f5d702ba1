import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from acclimate.errors import DataError
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Task

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "tasks"


def write(folder, name, rows):
    lines = [json.dumps({"text": text, "label": label, **dict(*more)}) for text, label, *more in rows]
    (folder / name).write_text("\n".join(lines) + "\n")


def rows(count, start=0, labels="xy"):
    return [(f"text {number}", labels[number % len(labels)]) for number in range(start, start + count)]


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "train.jsonl", rows(40))
    write(tmp_path, "dev.jsonl", rows(10, 100))
    write(tmp_path, "test.jsonl", rows(10, 200))
    return tmp_path


def opened(folder, **settings):
    return Task.open(Classify(**({"path": "."} | settings)), folder, folder / "rejects")


def test_a_folder_with_train_dev_and_test_files_is_read_as_given(folder):
    (folder / "README.md").write_text("x")
    task = opened(folder)
    assert task.names == ("x", "y")
    assert [len(split) for split in (task.train, task.dev, task.test)] == [40, 10, 10]
    assert task.train.inputs[0][3] == "text 3"
    assert task.train.gold.dtype == np.int64
    assert task.test.index.tolist() == list(range(10))
    assert task.facts.made == ()
    assert task.facts.detected == {"format": "jsonl", "text": "text", "label": "label"}
    assert task.facts.label_counts["dev"] == {"x": 5, "y": 5}
    json.dumps(task.facts.as_dict())
    assert task.write_splits(folder / "out") == ()
    assert not (folder / "out").exists()


def test_a_bare_string_stands_for_the_path(folder):
    assert Classify.model_validate(str(folder)) == Classify(path=str(folder))


def test_shards_and_other_names_of_splits_are_known(tmp_path):
    write(tmp_path, "train-00000-of-00002.jsonl", rows(10))
    write(tmp_path, "train-00001-of-00002.jsonl", rows(10, 10))
    write(tmp_path, "validation.jsonl", rows(4, 100))
    write(tmp_path, "test.jsonl", rows(4, 200))
    write(tmp_path, "test_unlabelled.jsonl", rows(4, 300))
    task = opened(tmp_path)
    assert [len(split) for split in (task.train, task.dev, task.test)] == [20, 4, 4]
    assert task.train.index.tolist() == list(range(20))


def test_whole_numbers_and_booleans_are_labels_and_fractions_are_not(folder):
    write(folder, "train.jsonl", [("a", 0), ("b", 1), ("c", True)])
    task = opened(folder, train="train.jsonl", path=None, dev="train.jsonl", test="train.jsonl", duplicates="keep")
    assert task.names == ("0", "1", "true")
    write(folder, "train.jsonl", [("a", 0), ("b", 1.5), ("c", None)])
    with pytest.raises(DataError, match=r"no label \(2\):\n  .*train\.jsonl:2: 'label' is 1\.5"):
        opened(folder)


def test_identical_text_in_train_and_test_stops_and_says_where(folder):
    write(folder, "test.jsonl", [*rows(10, 200), ("text 7", "y")])
    with pytest.raises(DataError, match=r"identical text in train and test \(1\):\n.*test\.jsonl:11: 'text 7' .*train\.jsonl:8.*drop"):
        opened(folder)
    with pytest.raises(DataError, match="identical text"):
        opened(folder, skip_bad=True)


def test_drop_takes_from_train_then_from_dev_and_never_from_test(folder):
    write(folder, "dev.jsonl", [*rows(10, 100), ("text 1", "y"), ("text 2", "x"), ("text 200", "x")])
    write(folder, "test.jsonl", [*rows(10, 200), ("text 2", "x"), ("text 3", "x"), ("text 3", "x")])
    task = opened(folder, duplicates="drop")
    assert task.facts.dropped == {"train": 3, "dev": 2, "test": 0}
    assert [len(split) for split in (task.train, task.dev, task.test)] == [37, 11, 13]
    assert not set(task.train.inputs[0]) & {"text 1", "text 2", "text 3"}
    assert "text 1" in task.dev.inputs[0]
    assert task.facts.duplicates.across == {"train/dev": 2, "train/test": 2, "dev/test": 2}
    assert task.facts.duplicates.within == {"train": 0, "dev": 0, "test": 1}
    assert task.facts.duplicates.conflicting_texts == 1
    kept = opened(folder, duplicates="keep")
    assert [len(split) for split in (kept.train, kept.dev, kept.test)] == [40, 13, 13]
    assert kept.train.index[-1] == task.train.index[-1] == 39


def test_repetition_within_a_split_and_between_train_and_dev_is_counted_only(folder):
    write(folder, "dev.jsonl", [*rows(10, 100), ("text 0", "x")])
    write(folder, "train.jsonl", [*rows(40), ("text 0", "x")])
    facts = opened(folder).facts
    assert facts.duplicates.within["train"] == 1
    assert facts.duplicates.across["train/dev"] == 1
    assert facts.dropped == {"train": 0, "dev": 0, "test": 0}


def test_labels_outside_the_closed_set_are_named_with_a_likely_mend(folder):
    write(folder, "train.jsonl", [*rows(40), ("other", "x "), ("more", "Y")])
    with pytest.raises(DataError) as caught:
        opened(folder, labels=("x", "y"))
    assert "train.jsonl:41: label 'x ' is not among {'x', 'y'} — trailing space?" in str(caught.value)
    assert "train.jsonl:42: label 'Y' is not among {'x', 'y'} — 'y' meant?" in str(caught.value)
    assert opened(folder, labels=("y", "x"), skip_bad=True).names == ("y", "x")


@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_dev_or_test_label_that_train_never_shows_is_an_error(folder, split):
    write(folder, f"{split}.jsonl", [*rows(10, 300), ("other", "z")])
    with pytest.raises(DataError, match=rf"label not in train \(1\):\n.*{split}\.jsonl:11: the {split} label 'z' is never seen in train"):
        opened(folder)
    with pytest.raises(DataError, match="never seen in train"):
        opened(folder, labels=("x", "y", "z"))
    task = opened(folder, skip_bad=True)
    assert len(getattr(task, split)) == 10
    assert task.facts.problems == {"label not in train": 1}


def test_one_class_only_is_an_error(folder):
    write(folder, "train.jsonl", rows(40, labels="x"))
    with pytest.raises(DataError, match=r"one class only \(1\):\n.*every label in train is 'x'"):
        opened(folder, skip_bad=True)


def test_bad_rows_of_all_splits_come_together_and_can_be_skipped_and_written(folder):
    with (folder / "train.jsonl").open("a") as file:
        file.write('{"text": "", "label": "x"}\n{"text": "good", "label": "x"}\n')
    with (folder / "test.jsonl").open("a") as file:
        file.write("{\n")
    with pytest.raises(DataError, match=r"(?s)empty text \(1\):\n.*train\.jsonl:41: .*bad JSON \(1\):\n.*test\.jsonl:11"):
        opened(folder)
    task = opened(folder, skip_bad=True)
    assert task.facts.rejected == 2
    assert len(Path(task.facts.rejects_file).read_text().splitlines()) == 2
    assert task.train.index[-1] == 41  # the bad row is counted: `index` is the row in the file


def test_missing_splits_are_made_reproducibly_and_written(tmp_path):
    write(tmp_path, "all.jsonl", rows(200, labels="xyxx"))
    task = opened(tmp_path, path="all.jsonl")
    assert [len(split) for split in (task.train, task.dev, task.test)] == [140, 20, 40]
    assert task.facts.made == ("test", "dev")
    assert sorted([*task.train.index, *task.dev.index, *task.test.index]) == list(range(200))
    assert task.fingerprint == opened(tmp_path, path=".").fingerprint
    assert task.fingerprint != opened(tmp_path, split_seed=1).fingerprint
    task.write_splits(tmp_path / "splits")
    again = opened(tmp_path / "splits")
    assert again.train.inputs[0] == task.train.inputs[0]
    assert again.test.gold.tolist() == task.test.gold.tolist()
    written = [json.loads(line) for line in (tmp_path / "splits" / "test.jsonl").read_text().splitlines()]
    assert [row["index"] for row in written] == task.test.index.tolist()


def test_made_splits_keep_groups_and_equal_texts_together(tmp_path):
    write(tmp_path, "all.jsonl", [(f"text {n // 2}", "xy"[n % 2], [("doc", n // 6)]) for n in range(180)])
    task = opened(tmp_path, path="all.jsonl", group="doc")
    assert task.facts.shared_groups == {"train/dev": 0, "train/test": 0, "dev/test": 0}
    assert not set(task.train.inputs[0]) & (set(task.test.inputs[0]) | set(task.dev.inputs[0]))
    assert len(task.test) == pytest.approx(36, abs=6)


def test_a_group_too_large_to_split_is_explained(tmp_path):
    write(tmp_path, "all.jsonl", [(f"text {n}", "xy"[n % 2], [("doc", "one")]) for n in range(50)])
    with pytest.raises(DataError, match="too few to take test out of train without tearing apart groups of 'doc'"):
        opened(tmp_path, path="all.jsonl", group="doc")


def test_budgets_are_nested_and_cap_dev_but_not_test_or_text(folder):
    task = opened(folder)
    small, large = task.budget(4, seed=1), task.budget(20, seed=1)
    assert large.train.inputs[0][:4] == small.train.inputs[0]
    assert np.bincount(large.train.gold).tolist() == [10, 10]
    assert [len(small.dev), len(large.dev), len(small.test)] == [4, 10, 10]
    assert len(task.budget(4, seed=1, cap_dev=False).dev) == 10
    assert small.train.inputs[0] != task.budget(4, seed=2).train.inputs[0]
    assert small.fingerprint not in (task.fingerprint, task.budget(4, seed=2).fingerprint)
    assert small.text_fingerprint == task.text_fingerprint
    assert task.budget("all", seed=1) is task
    assert task.budget(40, seed=0).train.index.tolist() != list(range(40))


def test_a_sample_of_test_is_drawn_once_for_all_runs(folder):
    whole, some = opened(folder), opened(folder, test_examples=4)
    assert len(some.test) == 4
    assert some.test.index.tolist() == sorted(set(some.test.index.tolist()) & set(whole.test.index.tolist()))
    assert (some.facts.examples["test"], some.facts.test_drawn_from, some.facts.split_seed) == (4, 10, 0)
    assert opened(folder, test_examples=4).fingerprint == some.fingerprint != whole.fingerprint
    assert opened(folder, test_examples=4, split_seed=1).test.inputs[0] != some.test.inputs[0]
    assert some.train.inputs[0] == whole.train.inputs[0]
    enough = opened(folder, test_examples=10)
    assert (enough.fingerprint, enough.facts.test_drawn_from) == (whole.fingerprint, None)


@pytest.mark.parametrize("labels", [41, 1, 0, -5, "many"])
def test_budgets_that_cannot_be_drawn_are_errors(folder, labels):
    with pytest.raises(DataError, match="budget"):
        opened(folder).budget(labels, seed=0)


def test_fingerprints_follow_texts_labels_and_rows(folder):
    first = opened(folder)
    write(folder, "test.jsonl", [("text 200", "y"), *rows(9, 201)])
    second = opened(folder)
    assert first.fingerprint != second.fingerprint
    assert first.text_fingerprint == second.text_fingerprint
    write(folder, "train.jsonl", [*rows(39), ("new", "y")])
    assert second.text_fingerprint != opened(folder).text_fingerprint


@pytest.mark.parametrize(
    "settings",
    [
        {"path": "a", "train": "b"},
        {"path": "a", "dev": "b"},
        {"train": "a", "dev_share": 0.5, "test_share": 0.5},
        {"train": "a", "labels": ["x"]},
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings):
    with pytest.raises(ValidationError):
        Classify(**settings)


def test_unclear_columns_and_files_without_labels_are_explained(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"foo": "a", "bar": "b", "baz": "c"}\n')
    with pytest.raises(DataError, match=r"which column is the label\? Name it with `label:`"):
        opened(tmp_path, path="a.jsonl")
    (tmp_path / "a.txt").write_text("a\n")
    with pytest.raises(DataError, match="a txt file has none"):
        opened(tmp_path, path="a.txt")
    (tmp_path / "dev.jsonl").write_text("")
    with pytest.raises(DataError, match="no train file among"):
        opened(tmp_path)


@pytest.mark.measured(0)
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared real data is absent")
def test_real_imdb_has_52_reviews_in_train_and_test():
    task = Task.open(Classify(path="imdb", duplicates="drop"), SHARED)  # that they stop it otherwise is promised above
    assert task.facts.duplicates.across["train/test"] == task.facts.dropped["train"] == 52
    assert (len(task.train) + len(task.dev), len(task.test)) == (24_948, 25_000)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared real data is absent")
@pytest.mark.measured(0)
def test_real_tos100_is_split_with_its_rare_classes_everywhere():
    task = Task.open(Classify(path="tos100"), SHARED)
    assert all(min(counts.values()) >= 20 for counts in task.facts.label_counts.values())
