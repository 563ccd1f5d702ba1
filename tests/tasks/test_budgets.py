"""Label budgets of so many examples of each class."""

import json

import numpy as np
import pytest

from acclimate.data.ragged import Ragged
from acclimate.errors import DataError
from acclimate.settings import per_class
from acclimate.tasks.budgets import by_size, told
from acclimate.tasks.classify import Classify
from acclimate.tasks.multilabel import Multilabel
from acclimate.tasks.similarity import Similarity
from acclimate.tasks.splits import per_class_order
from acclimate.tasks.tag import Tag
from acclimate.tasks.task import Task

ROWS = {"train": 120, "dev": 60, "test": 6}


def opened(kind, tmp_path, row):
    for split, count in ROWS.items():
        rows = (row(number, f"{split}{number}") for number in range(count))
        (tmp_path / f"{split}.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    return Task.open(kind(path=str(tmp_path)), tmp_path)


def counted(split):
    return dict(zip(split.names, np.bincount(split.gold, minlength=len(split.names)).tolist(), strict=True))


@pytest.fixture
def classes(tmp_path):
    def label(number):
        return "rare" if number % 40 == 0 else "often" if number % 3 else "some"

    return opened(Classify, tmp_path, lambda number, text: {"text": text, "label": label(number)})


def test_what_is_such_a_budget():
    assert [per_class(each) for each in ("8 per class", "64 per class")] == [8, 64]
    assert [per_class(each) for each in ("8", "all", "0 per class", "8 per classes", " 8 per class", "8 per class\n\n")] == [None] * 6


def test_every_class_has_so_many_or_all_that_there_are(classes):
    cut = classes.budget("8 per class", 0)
    assert counted(cut.train) == {"often": 8, "rare": 3, "some": 8}
    assert counted(cut.dev) == {"often": 8, "rare": 2, "some": 8}
    assert len(cut.test) == len(classes.test)
    assert len(classes.budget("8 per class", 0, cap_dev=False).dev) == len(classes.dev)
    assert [*by_size(classes, ("all", "8 per class", "15", "30"), 0).items()] == [("15", 15), ("8 per class", 19), ("30", 30), ("all", 120)]


def test_a_smaller_one_is_a_prefix_and_seeds_draw_others(classes):
    few, more = (classes.budget(f"{each} per class", 3).train for each in (4, 9))
    assert few.inputs[0] == more.inputs[0][: len(few)]
    assert set(few.inputs[0]) != set(classes.budget("4 per class", 4).train.inputs[0])
    assert few.inputs == classes.budget("4 per class", 3).train.inputs


def test_more_than_any_class_has_is_an_error(classes):
    with pytest.raises(
        DataError, match=r"100 per class cannot be drawn: no label has so many training examples; 'often' has most of them, 78"
    ):
        classes.budget("100 per class", 0)


def test_what_is_told_of_it(classes):
    first, second = told(classes, "8 per class", 0)
    assert first == "8 per class: 19 of 120 training texts; 1 of 3 have fewer and give all (rare 3)"
    assert "dev has 18 texts, so one answer is 0.056 of accuracy there" in second
    assert "to within 0.23 (95 %)" in second
    assert "to within 0.50 (95 %)" in told(classes, "1 per class", 0)[1]
    assert told(classes, "all", 0) == told(classes, "30", 0) == []


def test_several_labels_are_drawn_until_each_has_so_many(tmp_path):
    names = [["a"], ["a", "b"], ["a", "c"], []]
    task = opened(Multilabel, tmp_path, lambda number, text: {"text": text, "labels": names[number % 4]})
    cut = task.budget("5 per class", 0).train
    assert (np.asarray(cut.gold).sum(axis=0) >= 5).all()
    assert (~np.asarray(cut.gold).any(axis=1)).sum() == 5
    assert len(cut) == 15  # the texts with b and those with c have a already
    assert cut.inputs[0][: len(task.budget("2 per class", 0).train)] == task.budget("2 per class", 0).train.inputs[0]
    first, second = told(task, "5 per class", 3)
    assert "120 training texts (with seed 3; another draws a few more or fewer)" in first
    assert "of the share of texts that are right as a whole there, and a share of one half is known" in second


def test_types_of_entities_are_drawn_until_each_has_so_many_sentences(tmp_path):
    tags = [["B-x", "O"], ["B-x", "B-y"], ["O", "O"], ["B-x", "I-x"]]
    task = opened(Tag, tmp_path, lambda number, text: {"tokens": [text, "and"], "tags": tags[number % 4]})
    cut = task.budget("6 per class", 1).train
    rows = [tuple(cut.gold[number].tolist()) for number in range(len(cut))]
    assert sum(cut.names.index("B-y") in row for row in rows) == sum(row == (0, 0) for row in rows) == 6
    assert len(rows) == 12  # six sentences with y have x, too


def test_groups_are_drawn_one_after_the_other():
    classes, groups = Ragged.single(np.random.default_rng(0).integers(0, 2, 200)), np.arange(200) // 5
    drawn, apart = (per_class_order(classes, 10, each, 0, "train") for each in (groups, None))
    assert np.bincount(classes.values[drawn]).tolist() == [10, 10]
    assert len(set(groups[drawn].tolist())) <= 8 < len(set(groups[apart].tolist()))
    assert per_class_order(classes, 3, groups, 0, "train").tolist() == drawn[:6].tolist()


def test_a_kind_without_classes_refuses(tmp_path):
    task = opened(Similarity, tmp_path, lambda number, text: {"text": text, "text_b": f"b {text}", "score": number % 5})
    with pytest.raises(DataError, match="similarity has no classes; say how many examples in all"):
        task.budget("8 per class", 0)
