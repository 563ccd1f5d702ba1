"""Test texts that repeat sentences with other marks are noticed, with the expression that brings them together; others are not."""

import numpy as np
import pytest

from acclimate.tasks.classify import Classify
from acclimate.tasks.grouping import TextGroups
from acclimate.tasks.repeated import repeated_sentences, told
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

WORDS = [
    *("aspirin", "inhibits", "binding", "of", "the", "receptor", "in", "(rat)"),
    *("liver", "cells,", "and", "3H-labelled", "dopamine", "does", "not"),
]
MARKS = {
    r"<<|>>|\[\[|\]\]": ("<< {} >>", "[[ {} ]]"),
    r"\]\]|\[\[|<<|>>": ("<<{}>>", "[[{}]]"),
    "</e1>|</e2>|<e1>|<e2>": ("<e1>{}</e1>", "<e2>{}</e2>"),
    r"\[/E1\]|\[E1\]|\$": ("[E1] {} [/E1]", "${}$"),
    "@@|##": ("@@{}@@", "##{}##"),
}


def split(texts, *further):
    return Split((tuple(texts), *map(tuple, further)), np.zeros(len(texts), dtype=np.int64), np.arange(len(texts)), ())


def sentences(count, first=0):
    rng = np.random.default_rng(first)
    return [[f"{n}th", *rng.permutation(WORDS)] for n in range(first, first + count)]


def marked(words, marks, places):
    one, other = (mark.format(words[place]) for mark, place in zip(marks, places, strict=True))
    return " ".join({places[0]: one, places[1]: other}.get(place, word) for place, word in enumerate(words))


def relations(marks, count=30, first=0):
    places = ((1, 4), (4, 1), (7, 12), (2, 9))
    return [marked(words, marks, each) for number, words in enumerate(sentences(count, first)) for each in places[: 1 + number % 4]]


@pytest.mark.parametrize("marks", MARKS.values(), ids=MARKS)
def test_sentences_with_other_marks_are_counted_and_the_expression_brings_them_together(marks):
    texts = relations(marks)
    found = repeated_sentences({"train": split(relations(marks, 10, 500)), "test": split(texts)})
    assert (found.texts, found.sentences, found.in_train) == (len(texts), 30, 0)
    assert len(set(TextGroups(text_without=found.without).of([texts])[0])) == 30


def test_the_marks_of_chemprot_are_proposed_as_one_writes_them():
    marks = ("<< {} >>", "[[ {} ]]")
    found = repeated_sentences({"train": split(["x"]), "test": split([text.replace("( ", "(") for text in relations(marks)])})
    assert sorted(found.without.split("|")) == sorted([r"<<", r">>", r"\[\[", r"\]\]"])
    assert told(found, found.texts, "texts") == (
        f"{found.texts} test texts are 30 sentences, many of them more than once with other marks: verdicts take texts as independent; "
        f"say group: {{text_without: '{found.without}'}}"
    )


def test_sentences_that_stand_in_train_with_other_marks_are_counted():
    one, other = (relations(marks) for marks in (("<< {} >>", "[[ {} ]]"), ("[[ {} ]]", "<< {} >>")))
    found = repeated_sentences({"train": split(other[:10] + one[10:20]), "test": split(one)})
    assert 10 <= found.in_train < len(one)
    assert "stand in train, too" in told(found, len(one), "texts")


def test_texts_of_two_columns_are_looked_at_together():
    texts = relations(("<< {} >>", "[[ {} ]]"))
    assert repeated_sentences({"train": split(["x"], ["y"]), "test": split(texts, texts)}).sentences == 30
    assert repeated_sentences({"train": split(["x"], ["y"]), "test": split(texts, [f"other {n} words" for n in range(len(texts))])}) is None


def test_sentences_that_differ_in_more_than_marks_are_no_repetition_and_neither_is_what_differs_in_care():
    words = sentences(60)
    for texts in (
        [" ".join(each) for each in words],
        [" ".join(each[:last]) for each in words for last in (8, 9)],
        [form(" ".join(each)) for each in words for form in (str, str.upper, lambda text: f"{text}.", lambda text: f"({text})!")],
        ["a << b >>", "<< a >> b", "a b"] * 40,
    ):
        assert repeated_sentences({"train": split(["x"]), "test": split(texts)}) is None


def test_a_few_among_many_are_no_rule_of_the_data():
    plain = [" ".join(words) for words in sentences(600)]
    few = relations(("<< {} >>", "[[ {} ]]"), 8, 1000)
    assert repeated_sentences({"train": split(["x"]), "test": split(plain + few)}) is None
    assert repeated_sentences({"train": split(["x"]), "test": split(plain[:100] + few)}) is not None


def test_where_no_few_marks_make_the_difference_no_expression_is_proposed():
    places = ((1, 4), (4, 1))
    texts = [marked(words, (f"<e{n}>{{}}</e{n}>", f"<f{n}>{{}}</f{n}>"), each) for n, words in enumerate(sentences(30)) for each in places]
    found = repeated_sentences({"train": split(["x"]), "test": split(texts)})
    assert (found.sentences, found.without) == (30, None)
    mend = "a column that names what belongs together, or {text_without: REGEX}"
    assert told(found, 80, "texts").startswith("the first 60 test texts are 30 sentences")
    assert told(found, 80, "texts").endswith(f"say group: {mend}")


@pytest.mark.measured(0)
@pytest.mark.parametrize(("name", "test", "groups"), [("chemprot", 3469, 1397), ("sciie", 974, 397)])
def test_the_sentences_of_relation_tasks_are_found_and_their_groups_are_what_was_said(shared, name, test, groups):
    loose = Task.open(Classify(path=name, duplicates="drop"), shared / "tasks")
    said = rf"{test:,} test texts are {groups:,} sentences, many of them more than once with other marks: "
    note = next(each for each in loose.notes if each.startswith(said))
    assert note.endswith(r"verdicts take texts as independent; say group: {text_without: '<<|>>|\[\[|\]\]'}")
    task = Task.open(Classify(path=name, duplicates="drop", group={"text_without": loose.repeated.without}), shared / "tasks")
    assert (task.facts.groups["test"], task.repeated) == (groups, None)
    assert len(loose.budget(500, 0).train) == len(task.budget(500, 0).train) == 500


@pytest.mark.parametrize("name", ["csabstruct", "covid_fake_news", "sst2"])
@pytest.mark.measured(0)
def test_other_tasks_are_left_alone(shared, name):
    assert Task.open(Classify(path=name, duplicates="drop"), shared / "tasks").repeated is None
