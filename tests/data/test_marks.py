"""Marks that stand in a good share of texts are told, and the punctuation of prose is none."""

import pytest

from acclimate.data.marks import Marks, marks_of


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("the << enzyme >> and [[ drug ]].", ("<<", ">>", "[[", "]]")),
        ("@user: so good #yes 😀😀", ("#", "@", "😀😀")),
        ("p < 0.05, a = b + c | d", ("+", "<", "=", "|")),
        ("He said: “no (really) — 5 % of it!!!” ... and/or; isn't it? R&D-wise_", ()),
    ],
)
def test_brackets_symbols_and_signs_of_posts_are_marks_and_the_punctuation_of_prose_is_none(text, marks):
    found = marks_of([text])
    assert (() if found is None else found.names) == marks


def test_only_marks_in_a_tenth_of_the_texts_are_told_the_most_widespread_first():
    texts = ["a @ #", "@", *["plain"] * 17, "{"]
    assert marks_of(texts) == Marks(("@",), 2, 20)
    assert marks_of([]) is None
