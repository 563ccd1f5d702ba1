"""How several labels of a text are written, and which mistakes in them are told with file and line."""

import csv
import json

import numpy as np
import pytest

from acclimate.errors import DataError
from acclimate.tasks.multilabel import Multilabel
from acclimate.tasks.task import Task

SETS = [["a"], ["a", "b"], [], ["b", "c"], ["c"], ["a", "c"]]


def jsonl(path, sets, key="labels"):
    path.parent.mkdir(exist_ok=True, parents=True)
    rows = [{"text": f"{path.stem} words {number}", key: labels} for number, labels in enumerate(sets)]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")


def table(path, cells, header=("text", "labels")):
    path.parent.mkdir(exist_ok=True, parents=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(header)
        rows.writerows(
            [(f"{path.stem} words {number}", *(cell if isinstance(cell, tuple) else (cell,))) for number, cell in enumerate(cells)]
        )


def opened(root, **settings):
    return Task.open(Multilabel(**({"path": "."} | settings)), root, root / "rejects")


def refused(root, match, **settings):
    with pytest.raises(DataError, match=match) as caught:
        opened(root, **settings)
    return str(caught.value)


def sets_of(split):
    return [{name for name, holds in zip(split.names, row, strict=True) if holds} for row in split.gold]


def whole(task):
    """The labels of every row of the one file that was split, in its order."""
    found = {}
    for split in (task.train, task.dev, task.test):
        found |= dict(zip(split.index.tolist(), sets_of(split), strict=True))
    return [found[row] for row in sorted(found)]


def test_json_lists_are_sets_of_labels_and_an_empty_one_is_no_label(tmp_path):
    jsonl(tmp_path / "all.jsonl", SETS * 10)
    task = opened(tmp_path, path="all.jsonl")
    assert task.names == ("a", "b", "c")
    assert task.train.gold.dtype == bool
    assert whole(task) == [set(labels) for labels in SETS * 10]
    assert task.facts.detected == {"format": "jsonl", "text": "text", "label": "labels"}
    assert "have no label and" in task.facts.labels_noted[0]
    json.dumps(task.facts.as_dict())


def test_lists_of_whole_numbers_are_in_the_order_of_numbers(tmp_path):
    jsonl(tmp_path / "all.jsonl", [[10, 2], [2], [10], []] * 10)
    assert opened(tmp_path).names == ("2", "10")


def test_the_order_in_which_labels_are_written_changes_nothing(tmp_path):
    jsonl(tmp_path / "one" / "all.jsonl", SETS * 10)
    jsonl(tmp_path / "two" / "all.jsonl", [labels[::-1] for labels in SETS] * 10)
    assert opened(tmp_path / "one").fingerprint == opened(tmp_path / "two").fingerprint


@pytest.mark.parametrize("mark", ["|", ";", ",", "/", "\t", " | ", ", "])
def test_what_stands_between_labels_in_a_cell_is_detected_and_told(tmp_path, mark):
    table(tmp_path / "all.csv", [mark.join(labels) for labels in SETS] * 10)
    task = opened(tmp_path, path="all.csv")
    assert whole(task) == [set(labels) for labels in SETS * 10]
    assert task.facts.detected["separator"].strip("'") == {"\t": "tab"}.get(mark, mark.strip())


@pytest.mark.parametrize(("said", "mark"), [("|", "|"), ("tab", "\t"), ("space", " "), (" and ", " and "), ("::", "::")])
def test_a_separator_may_be_stated(tmp_path, said, mark):
    table(tmp_path / "all.csv", [mark.join(labels) for labels in SETS] * 10)
    task = opened(tmp_path, path="all.csv", separator=said)
    assert whole(task) == [set(labels) for labels in SETS * 10]
    assert "separator" not in task.facts.detected


def test_a_label_a_cell_is_said(tmp_path):
    table(tmp_path / "all.csv", ["a", "b", "c", ""] * 10)
    task = opened(tmp_path, path="all.csv")
    assert task.facts.detected["separator"] == "none (a cell is one label)"
    assert "kind: classify" in task.facts.labels_noted[0]
    assert whole(task)[3] == set()


def test_lists_as_pandas_writes_them_are_read_as_lists(tmp_path):
    table(tmp_path / "all.csv", [str(labels) for labels in SETS] * 10)
    task = opened(tmp_path, path="all.csv")
    assert whole(task) == [set(labels) for labels in SETS * 10]
    assert task.facts.detected["separator"] == "list (lists written as text)"


def test_a_list_beside_other_cells_or_without_commas_is_never_one_class(tmp_path):
    table(tmp_path / "all.csv", ["['a', 'b']", "a", "b"] * 10)
    refused(tmp_path, r"all\.csv:2: \"\['a', 'b'\]\" is a list written as text, and 'a' \(\S*all\.csv:3\) is none")
    table(tmp_path / "all.csv", ["['a' 'b']", "['a']", "['b']"] * 10)
    refused(tmp_path, r"(?s)odd labels \(10\):\n  \S*all\.csv:2: 'labels' is \"\['a' 'b'\]\", which cannot be read as a list")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["Sales/Marketing", "HR", "IT"], "separator: /"),
        (["a|b", "a;b", "a"], "separator: '|'` or `separator: ;"),
        (["toxic insult", "toxic", "insult"], "separator: space"),
    ],
)
def test_a_separator_that_is_not_clear_is_asked_for(tmp_path, cells, said):
    table(tmp_path / "all.csv", cells * 10)
    told = refused(tmp_path, r"all\.csv:2: is '.*' one label or several\? Say `separator: none` if it is one")
    assert said in told


def test_labels_with_commas_stay_whole_where_another_separator_is_used(tmp_path):
    table(tmp_path / "all.csv", ["Arts, Culture|Science", "Science", "Arts, Culture", "Law|Science"] * 10)
    assert opened(tmp_path, path="all.csv").names == ("Arts, Culture", "Law", "Science")


def test_a_closed_set_tells_what_a_separator_is(tmp_path):
    table(tmp_path / "all.csv", ["Sales/Marketing", "HR", "IT"] * 10)
    assert opened(tmp_path, path="all.csv", labels=("HR", "IT", "Sales/Marketing")).facts.detected["separator"].startswith("none")
    assert opened(tmp_path, path="all.csv", labels=("HR", "IT", "Sales", "Marketing")).facts.detected["separator"] == "/"


INDICATORS = [("1", "0", "0"), ("1", "1", "0"), ("0", "0", "0"), ("0", "1", "1"), ("0", "0", "1"), ("1", "0", "1")]


@pytest.mark.parametrize("words", [("0", "1"), ("false", "true"), ("False", "TRUE"), ("0.0", "1.0")])
@pytest.mark.parametrize("stated", [{}, {"labels": ("toxic", "insult", "threat")}])
def test_a_column_of_0_and_1_a_label(tmp_path, words, stated):
    cells = [tuple(words[int(each)] for each in row) for row in INDICATORS * 10]
    table(tmp_path / "all.csv", cells, ("comment_text", "toxic", "insult", "threat"))
    task = opened(tmp_path, path="all.csv", **stated)
    assert task.names == ("toxic", "insult", "threat")
    assert [{"toxic": "a", "insult": "b", "threat": "c"}[name] for name in sorted(whole(task)[1])] == ["b", "a"]
    assert whole(task)[2] == set()
    assert task.facts.detected["labels"] == "toxic, insult, threat (columns of 0 and 1)"
    assert task.facts.detected["text"] == "comment_text"


def test_json_indicators_may_be_numbers_and_booleans(tmp_path):
    rows = [{"text": f"words {n}", "x": n % 2, "y": n % 3 == 0, "id": n} for n in range(60)]
    (tmp_path / "all.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = opened(tmp_path)
    assert task.names == ("x", "y")
    assert whole(task)[:4] == [{"y"}, {"x"}, set(), {"x", "y"}]


@pytest.mark.parametrize(
    ("value", "said"), [("2", "neither 0 nor 1"), ("yes", "neither 0 nor 1"), ("", "no label"), ("nan", "neither 0 nor 1")]
)
def test_a_column_that_is_not_0_and_1_is_told_with_file_and_line(tmp_path, value, said):
    table(tmp_path / "all.csv", [*INDICATORS * 10, ("1", value, "0")], ("text", "toxic", "insult", "threat"))
    told = refused(tmp_path, rf"{said} \(1\):\n  \S*all\.csv:62: 'insult' is '{value}'", labels=("toxic", "insult", "threat"))
    assert "skip_bad" in told
    assert opened(tmp_path, labels=("toxic", "insult", "threat"), skip_bad=True).facts.rejected == 1


@pytest.mark.parametrize("stated", [{}, {"labels": ("toxic", "insult", "threat")}])
def test_one_bad_value_among_the_first_rows_makes_no_other_column_of_it(tmp_path, stated):
    table(tmp_path / "all.csv", [*INDICATORS * 10, ("1", "7", "0"), *INDICATORS * 10], ("text", "toxic", "insult", "threat"))
    told = refused(tmp_path, r"neither 0 nor 1 \(1\):\n  \S*all\.csv:62: 'insult' is '7'", **stated)
    assert "name the columns that are with `labels:`" in told


def test_ids_and_counts_are_no_labels(tmp_path):
    rows = [(str(number), *flags, str(number % 5)) for number, flags in enumerate(INDICATORS * 10)]
    table(tmp_path / "all.csv", rows, ("comment_text", "id", "toxic", "insult", "threat", "words"))
    assert opened(tmp_path).names == ("toxic", "insult", "threat")


def test_a_label_without_a_column_is_told_where_others_have_one(tmp_path):
    table(tmp_path / "all.csv", INDICATORS * 10, ("text", "toxic", "insult", "threat"))
    refused(tmp_path, r"no column 'thraet', though there is one of the label 'toxic'", labels=("toxic", "insult", "thraet"))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, r"no label \(1\):\n  \S*all\.jsonl:61: 'labels' is missing; where a text has no label, write an empty list"),
        (["a", None], r"no label \(1\):\n  \S*all\.jsonl:61: "),
        (["a", ""], r"no label \(1\):\n  \S*all\.jsonl:61: "),
        (["a", 1.5], r"no label \(1\):\n  \S*all\.jsonl:61: 'labels' is 1\.5"),
        ([["a"]], r"no label \(1\):\n  \S*all\.jsonl:61: "),
        ({"a": 1}, r"no label \(1\):\n  \S*all\.jsonl:61: "),
        (["a", "nan"], r"label of a missing value \(1\):\n  \S*all\.jsonl:61: "),
        (["a", "b", "a"], r"repeated label \(1\):\n  \S*all\.jsonl:61: 'labels' names 'a' twice"),
        (["a", "A"], r"labels that differ in case or white space alone"),
    ],
)
def test_what_is_wrong_with_labels_is_told_with_file_and_line(tmp_path, labels, said):
    jsonl(tmp_path / "all.jsonl", [*SETS * 10, labels])
    refused(tmp_path, said)


def test_unknown_labels_are_told_with_a_likely_mend(tmp_path):
    jsonl(tmp_path / "all.jsonl", [*SETS * 10, ["a", "B"], ["c "]])
    told = refused(tmp_path, r"unknown label \(2\)", labels=("a", "b", "c"))
    assert "all.jsonl:61: label 'B' is not among {'a', 'b', 'c'} — 'b' meant?" in told
    assert "all.jsonl:62: label 'c ' is not among {'a', 'b', 'c'} — trailing space?" in told
    assert opened(tmp_path, labels=("c", "b", "a"), skip_bad=True).names == ("c", "b", "a")


def test_a_dev_or_test_label_that_train_never_shows_is_an_error(tmp_path):
    for split in ("train", "dev", "test"):
        jsonl(tmp_path / f"{split}.jsonl", SETS * 4 + ([["a", "z"]] if split == "test" else []))
    refused(tmp_path, r"label not in train \(1\):\n.*test\.jsonl:25: the test label 'z' is never seen in train")
    assert len(opened(tmp_path, skip_bad=True).test) == 24


@pytest.mark.parametrize("nothing", [[], None, "", "-1"])
def test_a_test_split_without_a_label_is_said_once(tmp_path, nothing):
    jsonl(tmp_path / "train.jsonl", SETS * 10)
    jsonl(tmp_path / "test.jsonl", [nothing] * 10)
    assert refused(tmp_path, "the test split has no labels").count("the test split has no labels (") == 1


def test_indicators_that_test_keeps_to_itself_are_said(tmp_path):
    table(tmp_path / "train.csv", INDICATORS * 10, ("text", "toxic", "insult", "threat"))
    table(tmp_path / "test.csv", [("-1", "-1", "-1")] * 10, ("text", "toxic", "insult", "threat"))
    refused(tmp_path, r"the test split has no labels \('toxic', 'insult', 'threat' is -1 in every row\)")


def test_one_label_alone_is_no_set(tmp_path):
    jsonl(tmp_path / "all.jsonl", [["a"], []] * 20)
    refused(tmp_path, "the only label in train is 'a'")


def test_made_splits_are_written_so_that_they_are_read_again(tmp_path):
    table(tmp_path / "data" / "all.csv", [";".join(labels) for labels in SETS] * 20)
    task = opened(tmp_path, path="data/all.csv")
    task.write_splits(tmp_path / "splits")
    again = opened(tmp_path / "splits")
    assert again.names == task.names
    assert (again.test.gold == task.test.gold).all()
    assert again.test.inputs == task.test.inputs


def test_class_numbers_in_lists_of_a_parquet_file_get_their_names(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for number, feature in enumerate(
        (
            {"feature": {"names": ["joy", "anger"], "_type": "ClassLabel"}, "_type": "Sequence"},
            {"feature": {"names": ["joy", "anger"], "_type": "ClassLabel"}, "_type": "List"},
            [{"names": ["joy", "anger"], "_type": "ClassLabel"}],
        )
    ):
        rows = {"text": [f"words {n}" for n in range(60)], "labels": [[0], [1, 0], [], [1]] * 15}
        features = {"text": {"dtype": "string", "_type": "Value"}, "labels": feature}
        about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
        folder = tmp_path / str(number)
        folder.mkdir()
        pq.write_table(pa.table(rows).replace_schema_metadata(about), folder / "all.parquet")
        task = opened(folder)
        assert task.names == ("anger", "joy")
        assert whole(task)[:4] == [{"joy"}, {"anger", "joy"}, set(), {"anger"}]


def test_class_numbers_in_lists_of_a_dataset_get_their_names(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"text": datasets.Value("string"), "labels": datasets.Sequence(datasets.ClassLabel(names=["joy", "anger"]))}
    )
    rows = {"text": [f"words {n}" for n in range(60)], "labels": [[0], [1, 0], [], [1]] * 15}
    datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows, features)}).save_to_disk(str(tmp_path / "set"))
    assert whole(opened(tmp_path, path="set"))[:4] == [{"joy"}, {"anger", "joy"}, set(), {"anger"}]


def test_strata_are_the_labels_of_a_row_and_none():
    strata = Multilabel(path=".").strata(np.array([[True, False], [True, True], [False, False]]))
    assert [strata[row].tolist() for row in range(3)] == [[0], [0, 1], [2]]
