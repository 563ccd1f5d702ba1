"""Where pairs of texts are found, which mistakes in them are told with file and line, and what is told of texts that several share."""

import csv
import json

import pytest

from acclimate.errors import DataError
from acclimate.tasks.pair import Pair
from acclimate.tasks.task import Task

LABELS = ["entailment", "neutral", "contradiction"]


def rows(names=("premise", "hypothesis", "label"), count=60, start=0):
    numbers = range(start, start + count)
    return [dict(zip(names, (f"first {n // 3}", f"second {n}", LABELS[n % 3]), strict=True)) for n in numbers]


def jsonl(path, records):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def opened(root, **settings):
    return Task.open(Pair(**({"path": "."} | settings)), root, root.with_name(f"{root.name} rejects"))


def refused(root, match, **settings):
    with pytest.raises(DataError, match=match) as caught:
        opened(root, **settings)
    return str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        ("premise", "hypothesis", "label"), ("sentence1", "sentence2", "gold_label"), ("sentence_A", "sentence_B", "entailment_label"),
        ("question1", "question2", "is_duplicate"), ("question", "sentence", "label"), ("question", "answer", "label"),
        ("question", "passage", "answer"), ("query", "passage", "relevance"), ("query", "document", "label"), ("text1", "text2", "label"),
        ("text_a", "text_b", "label"), ("s1", "s2", "class"), ("Text", "Text_B", "Label"), ("links", "rechts", "label"),
    ],
)  # fmt: skip
def test_both_texts_are_found_by_their_usual_names_and_told(tmp_path, names):
    jsonl(tmp_path / "all.jsonl", rows(names))
    task = opened(tmp_path)
    assert {role: task.facts.detected[role] for role in ("text", "text_b", "label")} == dict(
        zip(("text", "text_b", "label"), names, strict=True)
    )
    assert all(one.startswith("first") for one in task.train.inputs[0])
    assert all(other.startswith("second") for other in task.train.inputs[1])
    assert task.names == tuple(sorted(LABELS))


def test_other_columns_beside_a_known_couple_change_nothing(tmp_path):
    jsonl(tmp_path / "all.jsonl", [{"id": n, "genre": "x", **row, "answer": "y"} for n, row in enumerate(rows())])
    assert opened(tmp_path).facts.detected["text_b"] == "hypothesis"


def test_stated_columns_are_taken_and_are_not_told_as_detected(tmp_path):
    jsonl(tmp_path / "all.jsonl", [{**row, "x": row["premise"], "y": row["hypothesis"], "z": row["label"]} for row in rows()])
    task = opened(tmp_path, text="y", text_b="x", label="z")
    assert task.train.inputs[0][0].startswith("second")
    assert not {"text", "text_b", "label"} & set(task.facts.detected)
    assert opened(tmp_path, text="hypothesis", text_b="premise").train.inputs[1][0].startswith("first")


def test_what_is_not_clear_is_asked_for_by_the_names_of_its_settings(tmp_path):
    jsonl(tmp_path / "all.jsonl", [{"x": "a", "y": "b", "z": "c", "label": "d"}])
    refused(tmp_path, "which columns are the two texts\\? Name them with `text:` and `text_b:`; the columns are 'x', 'y', 'z', 'label'")
    refused(tmp_path, "which column is the second text\\? Name it with `text_b:`", text="x")
    refused(tmp_path, "which column is the first text\\? Name it with `text:`", text_b="x")
    refused(tmp_path, "'nope'", text_b="nope")
    jsonl(tmp_path / "all.jsonl", [{"premise": "a", "hypothesis": "b", "z": "c", "y": "d"}])
    refused(tmp_path, "which column is the label\\? Name it with `label:`")
    refused(tmp_path, "the column 'premise' cannot be both text and text_b", text="premise", text_b="premise", label="z")


def test_scores_in_the_place_of_labels_are_told_to_be_of_another_kind(tmp_path):
    jsonl(tmp_path / "all.jsonl", [{"text": f"a {n}", "text_b": "b", "score": n / 7, "genre": "x"} for n in range(30)])
    refused(tmp_path, r"which column is the label\? Name it with `label:`; .* \(pairs with scores are of `kind: similarity`\)")


def test_a_table_without_a_header_takes_the_texts_in_their_order(tmp_path):
    with (tmp_path / "all.csv").open("w", newline="") as file:
        csv.writer(file).writerows([tuple(row.values()) for row in rows()])
    task = opened(tmp_path, path="all.csv", header=False, label="3")
    assert (task.facts.detected["text"], task.facts.detected["text_b"]) == ("1", "2")


@pytest.mark.parametrize("value", ["-", "-1", -1])
def test_pairs_without_agreement_are_told_and_can_be_left_out_or_kept(tmp_path, value):
    jsonl(tmp_path / "all.jsonl", [*rows(), {"premise": "a", "hypothesis": "b", "label": value}])
    told = refused(tmp_path, r"no agreement \(1\):\n  \S*all\.jsonl:61: 'label' is '?-1?'?, as SNLI and its kin write it")
    assert "`skip_bad: true`" in told
    facts = opened(tmp_path, skip_bad=True).facts
    assert (facts.rejected, facts.problems) == (1, {"no agreement": 1})
    assert str(value) in opened(tmp_path, odd_labels="keep").names
    assert str(value) in opened(tmp_path, labels=(*LABELS, str(value))).names
    refused(tmp_path, "no agreement", labels=LABELS)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"premise": "", "hypothesis": "b", "label": "neutral"}, "'premise' is empty"),
        ({"premise": "a", "hypothesis": None, "label": "neutral"}, "'hypothesis' is null"),
        ({"premise": "a", "hypothesis": ["b"], "label": "neutral"}, "'hypothesis' is list, a string is wanted"),
        ({"premise": "a", "label": "neutral"}, "hypothesis"),
        ({"premise": "a", "hypothesis": "b", "label": ""}, "'label' is empty"),
        ({"premise": "a", "hypothesis": "b", "label": 4.5}, "'label' is 4.5, .*; pairs with scores are of `kind: similarity`"),
        ({"premise": "premise", "hypothesis": "hypothesis", "label": "label"}, "the row repeats the header"),
    ],
)
def test_bad_rows_are_told_with_file_and_line(tmp_path, record, said):
    jsonl(tmp_path / "all.jsonl", [*rows(), record])
    refused(tmp_path, rf"all\.jsonl:61: .*{said}")


def test_two_pairs_are_the_same_if_both_texts_are(tmp_path):
    jsonl(tmp_path / "train.jsonl", rows())
    jsonl(tmp_path / "test.jsonl", [*rows(count=9, start=60), {"premise": "first 0", "hypothesis": "another", "label": "neutral"}])
    assert opened(tmp_path).facts.duplicates.across == {"train/test": 0}
    jsonl(tmp_path / "test.jsonl", [*rows(count=9, start=60), rows()[4]])
    refused(
        tmp_path, r"identical pair in train and test \(1\):\n  \S*test\.jsonl:10: 'first 1 \| second 4' stands in \S*train\.jsonl:5 too"
    )
    assert opened(tmp_path, duplicates="drop").facts.dropped["train"] == 1


def test_first_texts_that_stand_in_train_are_told_with_the_mend(tmp_path):
    jsonl(tmp_path / "train.jsonl", rows())
    jsonl(tmp_path / "test.jsonl", [{**row, "hypothesis": f"other {n}"} for n, row in enumerate([*rows(count=12, start=51)])])
    shared, repeated = opened(tmp_path).facts.group_notes
    assert shared.startswith("3 of the 4 different first texts of test stand in train, with 9 of its 12 pairs: ")
    assert "`group: premise`" in shared
    assert repeated.startswith("12 test pairs have 4 different first texts: verdicts take pairs as independent; say `group: premise`")
    (told,) = opened(tmp_path, group="premise").facts.group_notes
    assert told.startswith("3 groups of train stand in test, with 9 test pairs")


def test_a_first_text_may_be_the_group_and_stays_in_one_split(tmp_path):
    jsonl(tmp_path / "all.jsonl", rows(count=90))
    task = opened(tmp_path, group="premise")
    assert task.facts.detected["text"] == "premise"
    assert task.facts.group_notes == ()
    parts = [set(split.inputs[0]) for split in task.splits.values()]
    assert not parts[0] & parts[2]
    assert not parts[0] & parts[1]
    assert any("say `group: premise` to keep their pairs in one split" in note for note in opened(tmp_path).facts.group_notes)


def test_a_test_split_without_labels_is_told_and_how_to_go_on(tmp_path):
    jsonl(tmp_path / "train.jsonl", rows())
    jsonl(tmp_path / "test.jsonl", [{"premise": "a", "hypothesis": "b"}])
    refused(tmp_path, r"the test split has no labels \(no column 'label'\); say `train: train\.jsonl` instead of the folder")
    told = refused(tmp_path, r"the test split has no labels", path=None, train="train.jsonl", test="test.jsonl")
    assert "leave out `test:`" in told


def test_a_test_file_that_is_called_unlabelled_is_told_and_how_to_go_on(tmp_path):
    jsonl(tmp_path / "train.jsonl", rows())
    jsonl(tmp_path / "dev.jsonl", rows(start=60, count=12))
    jsonl(tmp_path / "test_unlabelled.jsonl", [{"premise": "a", "hypothesis": "b"}])
    told = refused(tmp_path, r"test_unlabelled\.jsonl: the test split has no labels, as its name says; say `train: \./train\.jsonl`")
    assert "acclimate takes test out of train (or judge by dev: name it `test:`)" in told
    assert opened(tmp_path, path=None, train="train.jsonl", test="dev.jsonl").facts.made == ("dev",)


def test_a_test_split_whose_labels_all_say_no_agreement_is_told_to_have_none(tmp_path):
    jsonl(tmp_path / "train.jsonl", rows())
    jsonl(tmp_path / "test.jsonl", [each | {"label": "-"} for each in rows(start=60, count=12)])
    told = refused(tmp_path, r"the test split has no labels \('label' is - in every row\)")
    assert "skip_bad" not in told


def test_many_decimal_numbers_as_labels_are_told_to_be_scores(tmp_path):
    jsonl(tmp_path / "train.jsonl", [each | {"label": f"{number / 20:.2f}"} for number, each in enumerate(rows())])
    refused(tmp_path, "is 'label' a number to be estimated \\(of pairs of texts that is `kind: similarity`", path=None, train="train.jsonl")
