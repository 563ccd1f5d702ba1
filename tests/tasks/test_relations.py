"""Which texts belong together, as kinds of task tell."""

import numpy as np
import pytest

from acclimate.errors import DataError, SettingsError
from acclimate.tasks import KINDS
from acclimate.tasks.relations import ByClass, ByLabel, ByScore, Examples, Told
from acclimate.tasks.split import Split

NLI = ("contradiction", "entailment", "neutral")


def split(columns, gold, names=()):
    return Split(tuple(map(tuple, columns)), np.asarray(gold), np.arange(len(gold)), (), None, names)


def pairs(rows, names=NLI):
    return split(list(zip(*rows, strict=True))[:2], [names.index(row[2]) for row in rows], names)


PAIRS = pairs([
    ("a", "b", "entailment"), ("a", "x", "contradiction"), ("a", "y", "contradiction"), ("a", "n", "neutral"),
    ("c", "d", "entailment"), ("e", "z", "contradiction"),
])  # fmt: skip


def texts(examples):
    return [[None if row < 0 else examples.texts[row] for row in rows] for rows in examples.rows]


def test_kinds_tell_by_classes_by_scores_and_by_labels():
    found = {kind.model_fields["kind"].default: kind.relates for kind in KINDS}
    assert (found["classify"], found["similarity"], found["pair"], found["tag"]) == (ByClass(), ByScore(), ByLabel(), None)


def test_entailed_pairs_are_ranked_with_contradictions_of_their_first_text():
    by = ByLabel()
    assert by.usual(NLI) == "multiple_negatives"
    found = by.examples(PAIRS, "ranked", Told(), PAIRS)
    assert texts(found) == [["a", "b", "x"], ["c", "d", None]]
    assert found.notes == (
        "1 of 6 pairs are not learned from: neutral says neither together nor apart",
        "1 of 2 pairs have hard negatives",
        "of 1 pairs only the first 1 of their hard negatives are read (`hard_negatives`)",
    )
    assert texts(by.examples(PAIRS, "ranked", Told(hard_negatives=2), PAIRS)) == [["a", "b", "x", "y"], ["c", "d", None, None]]
    assert texts(by.examples(PAIRS, "ranked", Told(hard_negatives=0), PAIRS)) == [["a", "b"], ["c", "d"]]
    assert texts(by.examples(PAIRS, "triplets", Told(), PAIRS)) == [["a", "b", "x"]]


def test_pairs_with_labels_are_together_or_apart():
    by = ByLabel()
    found = by.examples(PAIRS, "labelled", Told(), PAIRS)
    assert found.gold.tolist() == [1, 0, 0, 1, 0]
    same = pairs([("a", "b", "0"), ("c", "d", "1")], ("0", "1"))
    assert by.usual(same.names) == "contrastive"
    assert by.examples(same, "labelled", Told(), same).gold.tolist() == [0, 1]
    assert by.examples(same, "labelled", Told(positive=("0",)), same).gold.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("names", "positive"),
    [
        (("not_entailment", "entailment"), ("entailment",)),
        (("not_duplicate", "is_duplicate"), ("is_duplicate",)),
        (("False", "True"), ("True",)),
        (("irrelevant", "Relevant "), ("Relevant ",)),
        (("10", "1"), ("1",)),
    ],
)
def test_labels_of_texts_that_belong_together_go_by_their_usual_names(names, positive):
    assert ByLabel().positive(names, Told()) == positive


@pytest.mark.parametrize(
    ("names", "positive", "told"),
    [
        (("red", "blue"), (), "say which, `positive: red`"),
        (("yes", "no"), ("yess",), "no label of the task; did you mean 'yes'"),
        (("yes", "no"), ("yes", "no"), "every label"),
    ],
)
def test_labels_that_tell_nothing_are_refused(names, positive, told):
    with pytest.raises(SettingsError, match=told):
        ByLabel().check(names, Told(positive=positive))


def test_scores_are_brought_to_0_to_1_by_those_of_train():
    train, dev = split([["a", "b"], ["c", "d"]], [1.0, 5.0]), split([["e"], ["f"]], [3.0])
    assert ByScore().examples(train, "scored", Told(), train).gold.tolist() == [0, 1]
    assert ByScore().examples(dev, "scored", Told(), train).gold.tolist() == [0.5]


@pytest.mark.parametrize(
    ("by", "found", "shape", "told"),
    [
        (ByClass(), split([["a", "b"]], [0, 1]), "classes", "no two of one label"),
        (ByClass(), split([["a", "b"]], [1, 1]), "classes", "no two of one label"),
        (ByScore(), split([["a"], ["b"]], [1.0]), "scored", "every score is 1"),
        (ByLabel(), pairs([("a", "b", "neutral")]), "ranked", "no two texts belong together"),
        (ByLabel(), pairs([("a", "b", "entailment")]), "labelled", "all together, or all apart"),
        (ByLabel(), pairs([("a", "b", "entailment"), ("c", "b", "entailment")]), "ranked", "the same second text"),
        (ByLabel(), pairs([("a", "b", "entailment"), ("c", "d", "contradiction")]), "triplets", "no triplets"),
    ],
)
def test_texts_among_which_nothing_is_to_be_learned_are_refused(by, found, shape, told):
    with pytest.raises(DataError, match=told):
        by.examples(found, shape, Told(), found)


def test_prompts_stand_before_the_texts_of_their_column():
    led = Examples.of([["a", "b"], ["b", "c"], [None, "d"]]).led("query: ", "")
    assert texts(led) == [["query: a", "b", None], ["query: b", "c", "d"]]
