"""What is told of a model that tags words."""

import numpy as np
import pytest

from acclimate.data.found_words import found_words
from acclimate.data.ragged import Ragged
from acclimate.tasks.blocks import Mark
from acclimate.tasks.kind import Judged
from acclimate.tasks.span_blocks import LONGEST, confusions, each_type, kinds_of_mistakes, mistakes, sentences, what_accuracy_hides
from acclimate.tasks.split import Split

NAMES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
TEXTS = ("Ann Lee left Rome for New York today", "in Rome it is cold", "nobody was there")
GOLD = ("B-PER I-PER O B-LOC O B-LOC I-LOC O", "O B-LOC O O O", "O O O")
FIRST = ("B-PER O O B-PER O B-LOC I-LOC O", "O B-LOC O O O", "O O B-PER")
SECOND = ("B-LOC O O O O B-LOC I-LOC O", "O B-LOC O O O", "O O O")


def tags(rows, names=NAMES):
    return Ragged.of([[names.index(tag) for tag in row.split()] for row in rows])


def judged_of(*said, gold=GOLD, texts=TEXTS, names=NAMES):
    split = Split((tuple(texts),), tags(gold, names), np.arange(len(texts)), (), None, names, found_words(texts))
    return Judged(split, tuple({"predicted": tags(each, names)} for each in said))


def test_types_are_told_over_all_seeds():
    table = each_type(judged_of(FIRST, SECOND))
    assert table.headings == ("type", "precision", "recall", "F1", "test entities")
    # LOC: 3 entities, of which the first seed finds 2 of 2 said, the second 2 of 3; PER: one, and 3 are said.
    assert table.rows == (("LOC", 4 / 5, 4 / 6, pytest.approx(8 / 11), 3), ("PER", 0, 0, 0, 1))


def test_mistakes_are_told_by_their_kind():
    rows = {row[0]: row[1:] for row in kinds_of_mistakes(judged_of(FIRST, SECOND)).rows}
    assert {name: row[0] for name, row in rows.items()} == {
        "right": 4, "right type, wrong bounds": 1, "right bounds, wrong type": 1, "wrong type and bounds": 1, "missed": 1, "spurious": 1,
    }  # fmt: skip
    assert rows["missed"] == (1, 1 / 8, None)
    assert rows["spurious"] == (1, None, 1 / 8)


def test_what_token_accuracy_hides_is_said_with_its_numbers():
    table = what_accuracy_hides(judged_of(FIRST, SECOND))
    assert "62.5 % of the test words are O" in table.note
    assert "token accuracy of 0.625 and finds no entity" in table.note
    assert table.rows[1][1:] == (10 / 16, 0, 0)
    assert what_accuracy_hides(judged_of(["B-PER"], gold=["B-PER"], texts=["Ann"])) is None


def test_types_are_told_by_what_they_were_taken_for():
    matrix = confusions(judged_of(FIRST, SECOND))
    assert matrix.names == ("LOC", "PER", "no entity")
    assert matrix.counts == ((4, 1, 1), (1, 1, 0), (0, 1, 0))
    table = mistakes(judged_of(FIRST, SECOND))
    assert {row[:3] for row in table.rows} == {("LOC", "PER", 1), ("LOC", "no entity", 1), ("PER", "LOC", 1), ("no entity", "PER", 1)}


def test_sentences_with_mistakes_are_shown_with_what_the_first_seed_said():
    block = sentences(judged_of(FIRST, SECOND))
    assert [item.text for item in block.items] == [TEXTS[0], TEXTS[2]]
    assert block.items[0].right == (Mark(0, 7, "PER"), Mark(13, 17, "LOC"), Mark(22, 30, "LOC"))
    assert block.items[0].said == (Mark(0, 3, "PER"), Mark(13, 17, "PER"), Mark(22, 30, "LOC"))
    assert block.items[1].said == (Mark(11, 16, "PER"),)
    assert sentences(judged_of(GOLD)) is None


def test_a_long_sentence_is_cut_around_its_first_mark():
    words = ["word"] * 2_000
    gold, said = ["O"] * 2_000, ["O"] * 2_000
    gold[1_000] = "B-PER"
    said[1_500] = "B-LOC"
    (item,) = sentences(judged_of([" ".join(said)], gold=[" ".join(gold)], texts=[" ".join(words)])).items
    assert len(item.text) <= LONGEST + 4
    assert item.text[item.right[0].start : item.right[0].end] == "word"
    assert item.said == ()
    assert item.text.startswith("… ")
    assert item.text.endswith(" …")


def test_of_plain_tags_words_are_told():
    names, gold, said = ("DET", "NOUN"), ["DET NOUN"], ["DET DET"]
    judged = judged_of(said, gold=gold, texts=["a cat"], names=names)
    assert confusions(judged).counts == ((1, 0), (1, 0))
    assert each_type(judged).rows == (("DET", 0.5, 1.0, pytest.approx(2 / 3), 1), ("NOUN", None, 0.0, 0.0, 1))
    assert kinds_of_mistakes(judged) is None
    assert sentences(judged) is None
    assert what_accuracy_hides(judged) is None


def test_without_answers_there_is_nothing_to_tell():
    judged = judged_of()
    assert [tell(judged) for tell in (each_type, kinds_of_mistakes, what_accuracy_hides, confusions, mistakes, sentences)] == [None] * 6
