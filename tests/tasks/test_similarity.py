"""How scores of pairs are written, and which mistakes in them are told with file and line."""

import csv
import json

import numpy as np
import pytest

from acclimate.errors import DataError
from acclimate.tasks.similarity import STRATA, Similarity
from acclimate.tasks.task import Task


def rows(names=("sentence1", "sentence2", "score"), count=60, start=0):
    numbers = range(start, start + count)
    return [dict(zip(names, (f"first {n}", f"second {n}", (n * 7 % 26) / 5), strict=True)) for n in numbers]


def jsonl(path, records):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def opened(root, **settings):
    return Task.open(Similarity(**({"path": "."} | settings)), root, root.with_name(f"{root.name} rejects"))


def refused(root, match, **settings):
    with pytest.raises(DataError, match=match) as caught:
        opened(root, **settings)
    return str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        ("text", "text_b", "score"), ("sentence1", "sentence2", "similarity_score"), ("sentence_A", "sentence_B", "relatedness_score"),
        ("sentence1", "sentence2", "label"), ("question1", "question2", "similarity"), ("query", "passage", "relevance"),
    ],
)  # fmt: skip
def test_texts_and_score_are_found_by_their_usual_names_and_told(tmp_path, names):
    jsonl(tmp_path / "all.jsonl", [{**row, "genre": "x"} for row in rows(names)])
    task = opened(tmp_path)
    found = tuple(task.facts.detected[role] for role in ("text", "text_b", "score"))
    assert found == names
    assert task.train.gold.dtype == np.float64
    assert task.names == ()
    assert task.facts.labels_noted == ("scores from 0 to 5, in the mean 2.47",)
    json.dumps(task.facts.as_dict())


def test_a_score_is_taken_before_a_label(tmp_path):
    jsonl(tmp_path / "all.jsonl", [{"label": "neutral", **row} for row in rows()])
    assert opened(tmp_path).facts.detected["score"] == "score"


def test_a_score_may_be_named_and_what_is_not_clear_is_asked_for(tmp_path):
    jsonl(tmp_path / "all.jsonl", [{"a": f"x {n}", "b": "y", "one": n, "two": -n} for n in range(60)])
    refused(tmp_path, "which column is the score\\? Name it with `score:`; the columns are 'a', 'b', 'one', 'two'")
    assert opened(tmp_path, score="two").train.gold.max() <= 0


def test_numbers_of_tables_are_read_as_they_stand(tmp_path):
    with (tmp_path / "all.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "text_b", "score"])
        writer.writerows([(f"a {n}", f"b {n}", cell) for n, cell in enumerate(["1", " 2.5 ", "-3", "+4.", ".5", "1e-2"] * 8)])
    task = opened(tmp_path, path="all.csv")
    assert {value for split in task.splits.values() for value in split.gold} == {1.0, 2.5, -3.0, 4.0, 0.5, 0.01}


@pytest.mark.parametrize(
    ("score", "kind", "said"),
    [
        ("high", "not a number", r"'score' is 'high', which is no number \(pairs with labels are `kind: pair`\)"),
        (True, "not a number", "'score' is True, which is no number"),
        ([1.0], "not a number", r"'score' is \[1\.0\], which is no number"),
        ("4,5", "not a number", r"'score' is '4,5', which is no number — a decimal comma\? Write 4\.5"),
        ("1_000", "not a number", "'score' is '1_000', which is no number"),
        (None, "no score", "'score' is empty"),
        ("", "no score", "'score' is empty"),
        (" ", "no score", "'score' is ' ', which is no number"),
        ("nan", "not a number", "'score' is 'nan', which is no number"),
        (float("nan"), "no score", "'score' is nan, which is no number"),
        (float("inf"), "not a number", "'score' is inf, and a score must be finite"),
        ("1e400", "not a number", "'score' is '1e400', and a score must be finite"),
        (10**400, "not a number", "and a score must be finite"),
    ],
)
def test_scores_that_are_no_finite_numbers_are_told_with_file_and_line(tmp_path, score, kind, said):
    jsonl(tmp_path / "all.jsonl", [*rows(), {"sentence1": "a", "sentence2": "b", "score": score}])
    told = refused(tmp_path, rf"{kind} \(1\):\n  \S*all\.jsonl:61: .*{said}")
    assert "skip_bad" in told
    assert opened(tmp_path, skip_bad=True).facts.rejected == 1


def test_scores_that_are_all_equal_are_told_with_file_and_line(tmp_path):
    jsonl(tmp_path / "train.jsonl", rows())
    jsonl(tmp_path / "test.jsonl", [{**row, "score": 3} for row in rows(count=9, start=60)])
    refused(tmp_path, r"scores all equal \(1\):\n  \S*test\.jsonl:1: every score of test is 3: there is nothing to judge by")
    jsonl(tmp_path / "test.jsonl", rows(count=9, start=60))
    jsonl(tmp_path / "train.jsonl", [{**row, "score": 0.5} for row in rows()])
    refused(tmp_path, r"\S*train\.jsonl:1: every score of train is 0\.5: there is nothing to learn")


@pytest.mark.parametrize("hidden", [None, -1.0, "-1", ""])
def test_a_test_split_without_scores_is_told_and_how_to_go_on(tmp_path, hidden):
    jsonl(tmp_path / "train.jsonl", rows())
    jsonl(tmp_path / "test.jsonl", [{**row, "score": hidden} for row in rows(count=9, start=60)])
    told = refused(tmp_path, r"the test split has no gold scores \('score' is .* in every row\)")
    assert "and acclimate takes dev and test out of train" in told


def test_splits_and_budgets_hold_every_fifth_of_the_scores(tmp_path):
    jsonl(tmp_path / "all.jsonl", rows(count=300))
    task = opened(tmp_path)
    bounds = np.quantile(task.train.gold, np.arange(1, STRATA) / STRATA)
    for split in (task.dev, task.test, task.budget(20, 0).train):
        counts = np.bincount(np.searchsorted(bounds, split.gold), minlength=STRATA)
        assert counts.min() >= 0.6 * len(split) / STRATA
    again = task.budget(10, 0).train
    assert again.index.tolist() == task.budget(20, 0).train.index[:10].tolist()


def test_pairs_with_equal_texts_and_other_scores_are_counted(tmp_path):
    jsonl(tmp_path / "all.jsonl", [*rows(), {**rows()[0], "score": 4.9}])
    facts = opened(tmp_path).facts
    assert (facts.duplicates.within["train"], facts.duplicates.conflicting_texts) == (1, 1)


def test_made_splits_are_written_with_texts_and_scores(tmp_path):
    jsonl(tmp_path / "all.jsonl", rows())
    opened(tmp_path).write_splits(tmp_path / "splits")
    record = json.loads((tmp_path / "splits" / "train.jsonl").read_text().splitlines()[0])
    assert set(record) == {"text", "text_b", "score", "index"}
    assert isinstance(record["score"], float)


def test_of_numbers_a_recipes_seeds_agree_on_their_mean_and_none_is_wrong():
    columns = [np.array([2.0, 0.0]), np.array([3.0, 1.0]), np.array([2.5, 5.0])]
    assert [Similarity.agreed(columns, row, ()) for row in (0, 1)] == ["2.50", "2.00"]
    assert Similarity.about()["right_is"].startswith("closeness to the score")
