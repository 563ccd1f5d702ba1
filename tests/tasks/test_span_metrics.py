"""Scores of entities, beside nervaluate's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.ragged import Ragged
from acclimate.tasks.metrics.spans import (
    BOUNDS_F1,
    ENTITY_F1,
    MACRO_F1,
    PARTIAL_F1,
    PRECISION,
    RECALL,
    TOKEN_ACCURACY,
    TOKEN_ACCURACY_WITHOUT_O,
    TYPE_F1,
    entities_of,
    entity_f1,
    tags_of,
)
from acclimate.tasks.split import Split

NAMES = ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER")
SCHEMES = {"strict": ENTITY_F1, "partial": PARTIAL_F1, "ent_type": TYPE_F1, "exact": BOUNDS_F1}


def split_of(gold, names=NAMES):
    return Split(((),), Ragged.of(gold), np.arange(len(gold)), (), None, names)


def said(tags):
    return {"predicted": Ragged.of(tags)}


def spelled(*sentences, names=NAMES):
    return Ragged.of([[names.index(tag) for tag in sentence.split()] for sentence in sentences])


def spans(tags, names=NAMES):
    found, types = entities_of(tags, names), tags_of(names).types
    return [(item, first, last, types[number]) for item, first, last, number in zip(*(each.tolist() for each in found), strict=True)]


def test_entities_begin_at_b_or_where_the_type_changes():
    tags = spelled("O B-PER I-PER O I-LOC I-LOC", "I-PER B-PER I-LOC", "O O", "B-ORG", "I-ORG")
    assert spans(tags) == [
        (0, 1, 2, "PER"), (0, 4, 5, "LOC"), (1, 0, 0, "PER"), (1, 1, 1, "PER"), (1, 2, 2, "LOC"), (3, 0, 0, "ORG"), (4, 0, 0, "ORG"),
    ]  # fmt: skip


def test_of_plain_tags_each_word_is_one():
    names = ("ADJ", "NOUN")
    assert spans(spelled("NOUN NOUN", "ADJ", names=names), names) == [(0, 0, 0, "NOUN"), (0, 1, 1, "NOUN"), (1, 0, 0, "ADJ")]


def test_of_nothing_there_is_none():
    assert spans(Ragged.of([])) == []
    assert spans(Ragged.of([[], []])) == []


@st.composite
def two_taggings(draw):
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    # Mostly the inside of few types, so that entities overlap in many ways.
    tag = st.sampled_from([0, 0, 1, 2, 2, 2, 3, 4, 4, 5, 6])
    one = [draw(st.lists(tag, min_size=length, max_size=length)) for length in lengths]
    other = [[draw(st.sampled_from([each, each, draw(tag)])) for each in sentence] for sentence in one]
    return one, other


@settings(max_examples=80, deadline=None)
@given(two_taggings())
def test_scores_equal_nervaluates(both):
    from nervaluate import Evaluator

    gold, predicted = both
    theirs = Evaluator(*(_dicts(tags) for tags in both), tags=["LOC", "ORG", "PER"], loader="dict").evaluate()
    split, answers = split_of(gold), said(predicted)
    for name, metric in SCHEMES.items():
        assert metric.score(split, answers) == pytest.approx(theirs["overall"][name].f1, abs=1e-12), name
    strict = theirs["overall"]["strict"]
    assert PRECISION.score(split, answers) == pytest.approx(strict.precision, abs=1e-12)
    assert RECALL.score(split, answers) == pytest.approx(strict.recall, abs=1e-12)
    of_types = [theirs["entities"][name]["strict"].f1 if name in theirs["entities"] else 0.0 for name in ("LOC", "ORG", "PER")]
    assert MACRO_F1.score(split, answers) == pytest.approx(np.mean(of_types), abs=1e-12)


def _dicts(tags):
    found: list[list[dict[str, object]]] = [[] for _ in tags]
    for item, first, last, kind in spans(Ragged.of(tags)):
        found[item].append({"label": kind, "start": first, "end": last})
    return found


def test_token_accuracy_with_and_without_o():
    split = split_of(spelled("O O O B-PER I-PER", "O O O O O").values.reshape(2, 5).tolist())
    answers = {"predicted": spelled("O O O B-PER O", "O O O O O")}
    assert TOKEN_ACCURACY.score(split, answers) == 0.9
    assert TOKEN_ACCURACY_WITHOUT_O.score(split, answers) == 0.5
    nothing = {"predicted": spelled("O O O O O", "O O O O O")}
    assert TOKEN_ACCURACY.score(split, nothing) == 0.8
    assert TOKEN_ACCURACY_WITHOUT_O.score(split, nothing) == 0


def test_a_sentence_without_entities_is_right_where_none_is_said():
    split = split_of([[0, 0], [0, 0], [5, 0], [5, 5]])
    assert entity_f1(split, said([[0, 0], [1, 0], [5, 0], [5, 0]])).tolist() == [1, 0, 1, pytest.approx(2 / 3)]
