"""The types of entities in each sentence: the rarest for splits, all of them for label budgets."""

import numpy as np

from acclimate.data.ragged import Ragged
from acclimate.tasks.tag import Tag
from acclimate.tasks.tagged_types import rarest_type, types_of_each

NAMES = ("O", "B-x", "I-x", "B-y", "I-y")
SENTENCES = Ragged.of([[0, 1, 2, 0, 3], [0, 0], [1, 0, 1], [3, 4]])  # x and y, none, x twice, y


def test_of_types_that_equally_many_sentences_have_it_is_the_first():
    types = (SENTENCES.values + 1) // 2
    assert rarest_type(SENTENCES, types).values.tolist() == [1, 0, 1, 2]
    without_the_third = SENTENCES.take(np.array([0, 1, 3]))
    assert rarest_type(without_the_third, (without_the_third.values + 1) // 2).values.tolist() == [1, 0, 2]


def test_each_sentence_has_its_types_once_and_one_without_has_a_class_of_its_own():
    found = types_of_each(SENTENCES, (SENTENCES.values + 1) // 2 - 1, none=2)
    assert [found[row].tolist() for row in range(4)] == [[0, 1], [2], [0], [1]]


def test_a_kind_of_tags_asks_for_both():
    kind = Tag(path=".", scheme="IOB2")
    assert kind.strata(SENTENCES).values.tolist() == [1, 0, 1, 2]
    classes = kind.classes(SENTENCES, NAMES)
    assert classes.names == ("x", "y")
    assert [classes.of[row].tolist() for row in range(4)] == [[0, 1], [2], [0], [1]]
