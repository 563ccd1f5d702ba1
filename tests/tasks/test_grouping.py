import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.ragged import Ragged
from acclimate.errors import DataError, SettingsError
from acclimate.stages.pretrain import Pretrain
from acclimate.study.language.study import load_study
from acclimate.study.plan.graph import fingerprint_of
from acclimate.tasks.classify import Classify
from acclimate.tasks.grouping import TextGroups, numbered
from acclimate.tasks.opened import Data, DataSettings
from acclimate.tasks.splits import budget_order, grouped_budget_order
from acclimate.tasks.task import Task

MARKS = r"<<|>>|\[\[|\]\]"

words = st.lists(st.sampled_from(["EMP", "androgen", "receptor", "(", ")", "of"]), min_size=1, max_size=8)
grouped_rows = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 2]), st.integers(0, 30)), min_size=1, max_size=120)


def write(folder, name, rows):
    (folder / name).write_text("".join(json.dumps(dict(zip(("text", "label", "doc"), row, strict=False))) + "\n" for row in rows))


def marked(sentence, first, second):
    """A sentence with two of its words marked, as in relation tasks."""
    parts = sentence.split()
    marks = {first: "<< {} >>", second: "[[ {} ]]"}
    return " ".join(marks.get(place, "{}").format(word) for place, word in enumerate(parts))


def opened(folder, **settings):
    return Task.open(Classify(**({"path": "."} | settings)), folder)


@pytest.fixture
def relations(tmp_path):
    """Sentences of three texts each; two of train stand in test, too, and one of dev."""
    for first, (split, numbers) in enumerate({"train": range(40), "dev": range(60, 70), "test": (*range(80, 98), 3, 7, 60)}.items()):
        rows = [(marked(f"for you the dose {n} of drug", first, 3 + k), "xyz"[k], n) for n in numbers for k in range(3)]
        write(tmp_path, f"{split}.jsonl", rows)
    return tmp_path


@given(words, st.integers(0, 7), st.integers(0, 7))
def test_marks_and_white_space_do_not_part_texts_and_every_other_character_does(sentence, first, second):
    text = " ".join(sentence)
    by = TextGroups(text_without=MARKS)
    other = marked(text, first % len(sentence), second % len(sentence)).replace("( ", "(").replace(" )", "\n)")
    (one, two, three), matched = by.of([[text, other, text + "."]])
    assert one == two != three
    assert matched == 1


def test_texts_of_two_columns_are_one_group_only_where_both_are_equal():
    by = TextGroups(text_without=MARKS)
    groups, _ = by.of([["<< a >> b", "a b", "a"], ["c", "[[ c ]]", "b c"]])
    assert numbered(groups).tolist() == [0, 0, 1]


def test_groups_are_read_for_every_split_and_those_that_stand_in_two_are_counted(relations):
    for group in ("doc", {"text_without": MARKS}):
        facts = opened(relations, group=group).facts
        assert facts.groups == {"train": 40, "dev": 10, "test": 21}
        assert facts.shared_groups == {"train/dev": 0, "train/test": 2, "dev/test": 1}
        assert facts.shared_items == {"train/dev": 0, "train/test": 6, "dev/test": 3}
        leak = ": what was learned of them may flatter the scores"
        assert facts.group_notes == (
            f"2 groups of train stand in test, with 6 test texts{leak}",
            f"1 group of dev stands in test, with 3 test texts{leak}",
        )
    assert (opened(relations).train.groups, opened(relations).facts.groups) == (None, {})


def test_splits_that_acclimate_makes_keep_sentences_together(relations):
    task = opened(relations, path="train.jsonl", group={"text_without": MARKS})
    assert task.facts.made == ("test", "dev")
    assert task.facts.shared_groups == {"train/dev": 0, "train/test": 0, "dev/test": 0}
    loose = opened(relations, path="train.jsonl")
    assert len(loose.test) == 24
    in_test, in_train = ({"".join(filter(str.isdigit, text)) for text in split.inputs[0]} for split in (loose.test, loose.train))
    assert in_test & in_train
    task.write_splits(relations / "splits")
    again = opened(relations / "splits", group="group")
    assert again.facts.groups == task.facts.groups


def test_an_expression_that_matches_nowhere_is_said_and_one_that_leaves_nothing_is_refused(relations):
    assert opened(relations, group={"text_without": "@@"}).facts.group_notes[0] == (
        "`group: {text_without: '@@'}` matches in none of the 213 texts; only those that are equal but for white space are a group"
    )
    with pytest.raises(DataError, match=r"leaves nothing that tells the 213 texts apart, so that all are one group"):
        opened(relations, group={"text_without": ".*"})


def test_a_test_split_that_is_one_group_is_said(relations):
    write(relations, "test.jsonl", [(f"text {n}", "xyz"[n % 3], "one") for n in range(9)])
    assert opened(relations, group="doc").facts.group_notes == ("all 9 test texts are one group: nothing can be compared on them",)


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ('{text_without: "<<|("}', r"5:13: data.task.group.text_without: '<<|(' is not a regular expression: missing )"),
        ("{without: a}", "5:13: data.task.group: unknown key 'without'"),
        ("3", "5:5: data.task.group: should be a word or a mapping, not 3"),
    ],
)
def test_a_group_that_cannot_be_meant_is_an_error_at_its_line(tmp_path, group, said):
    path = tmp_path / "s.yaml"
    path.write_text(f"base: x\nrecipes:\n  a: [finetune]\ndata: {{task: {{path: t,\n    group: {group}}}}}\n")
    with pytest.raises(SettingsError) as refused:
        load_study(path)
    assert f"s.yaml:{said}" in str(refused.value)
    assert "word, not {" not in str(refused.value)


# Budgets


@given(grouped_rows, st.integers(0, 4))
def test_a_grouped_budget_takes_whole_groups_but_for_the_last_one(rows, seed):
    labels, groups = (np.array(column) for column in zip(*rows, strict=True))
    order = grouped_budget_order(Ragged.single(labels), numbered(groups), seed, "train")
    assert sorted(order.tolist()) == list(range(len(rows)))
    changes = np.count_nonzero(np.diff(groups[order]))
    assert changes == len(set(groups.tolist())) - 1


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 5]), min_size=1, max_size=150).map(np.array), st.integers(0, 4))
def test_where_every_row_is_a_group_of_its_own_the_order_is_that_of_rows(labels, seed):
    alone = grouped_budget_order(Ragged.single(labels), np.arange(len(labels)), seed, "train")
    assert alone.tolist() == budget_order(Ragged.single(labels), seed, "train").tolist()


@given(grouped_rows, st.integers(0, 4))
def test_a_grouped_budget_has_every_class_once_it_holds_a_smallest_group_of_each(rows, seed):
    labels, groups = (np.array(column) for column in zip(*rows, strict=True))
    sizes = np.bincount(groups)
    enough = sum(min(sizes[groups[labels == label]]) for label in set(labels.tolist()))
    order = grouped_budget_order(Ragged.single(labels), numbered(groups), seed, "train")
    assert set(labels[order[:enough]].tolist()) == set(labels.tolist())


def test_grouped_budgets_follow_the_shares_of_the_classes():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(500), rng.integers(1, 6, 500))
    labels = np.where(rng.random(len(groups)) < 0.5, groups % 3, rng.choice(3, len(groups), p=[0.7, 0.2, 0.1]))
    shares = np.bincount(labels) / len(labels)
    for seed in range(5):
        order = grouped_budget_order(Ragged.single(labels), groups, seed, "train")
        for size in (50, 200, 600):
            taken = np.bincount(labels[order[:size]], minlength=3)
            assert np.abs(taken - size * shares).max() <= 2 * 5, (seed, size)


def test_budgets_of_a_task_are_prefixes_of_larger_ones_have_their_size_and_cap_dev_the_same_way(relations):
    task = opened(relations, group={"text_without": MARKS})
    small, large = task.budget(20, seed=1), task.budget(50, seed=1)
    assert [len(small.train), len(small.dev), len(large.train), len(large.dev), len(small.test)] == [20, 20, 50, 30, 63]
    assert large.train.inputs[0][:20] == small.train.inputs[0]
    for split in (small.train, small.dev):
        assert sorted(np.bincount(numbered(split.groups)).tolist()) == [2, 3, 3, 3, 3, 3, 3]
    assert task.budget(20, seed=2).train.inputs != small.train.inputs


# Text of the task


def test_groups_tell_texts_for_pretraining_apart_but_not_the_labelled_splits(relations):
    texts = [opened(relations, **more) for more in ({}, {"group": "doc"}, {"group": {"text_without": MARKS}})]
    assert len({task.text_fingerprint for task in texts}) == 3
    assert len({task.fingerprint for task in texts}) == 1
    assert texts[0].text == texts[0].train.text_fingerprint


def test_the_corpus_of_a_task_knows_what_belongs_together_and_its_unlabelled_text_stands_by_itself(relations):
    (relations / "more.txt").write_text("one more\nand another\n")
    settings = {"path": ".", "unlabeled": {"path": "more.txt", "documents": "line"}, "group": "doc"}
    data = Data.open(DataSettings.model_validate({"task": settings}), relations)
    whole = Pretrain(corpus="task", include=("dev",)).documents(data)["task"]
    assert len(list(whole.documents())) == 30 + 120 + 2
    assert whole.groups[:4] == ("60", "60", "60", "61")
    assert whole.groups[30:] == tuple(str(n // 3) for n in range(120))
    loose = Data.open(DataSettings.model_validate({"task": settings | {"group": None}}), relations)
    assert not any(Pretrain(corpus="task", include=("dev",)).documents(loose)["task"].groups)
    read = "dev text"
    assert fingerprint_of(read, data, "all", 0) != fingerprint_of(read, loose, "all", 0) == loose.task.dev.fingerprint


@given(st.lists(st.tuples(st.sets(st.integers(0, 3), min_size=1), st.integers(0, 15)), min_size=1, max_size=60), st.integers(0, 3))
def test_grouped_budgets_of_texts_with_several_labels_take_whole_groups_too(rows, seed):
    strata, groups = Ragged.of([sorted(labels) for labels, _ in rows]), numbered(group for _, group in rows)
    order = grouped_budget_order(strata, groups, seed, "train")
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert np.count_nonzero(np.diff(groups[order])) == len(set(groups.tolist())) - 1
