"""The words of raw text, by one simple rule."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.found_words import found_words, words_in


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 5%, ok?", ["It", "'", "s", "5", "%", ",", "ok", "?"]),
        ("a_b  covid-19\n(U.K.)", ["a", "_", "b", "covid", "-", "19", "(", "U", ".", "K", ".", ")"]),
        ("Zoë Zoe\u0308 naïve", ["Zoë", "Zoe\u0308", "naïve"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("😀x😀", ["😀", "x", "😀"]),
        ("", []),
        (" \t\u2003\n", []),
    ],
)
def test_a_word_is_a_run_of_letters_digits_and_marks_or_one_other_character(text, words):
    assert [text[begin:end] for begin, end in words_in(text)] == words


@given(st.text())
def test_words_hold_every_character_but_white_space_once_and_in_order(text):
    spans = words_in(text)
    assert all(begin < end for begin, end in spans)
    assert all(one[1] <= next_[0] for one, next_ in pairwise(spans))
    assert "".join(text[begin:end] for begin, end in spans) == "".join(c for c in text if not c.isspace())
    for begin, end in spans:
        plain = [c.isalnum() or unicodedata.category(c)[0] == "M" for c in text[begin:end]]
        assert all(plain) or end - begin == 1


def test_rows_of_words_stand_one_after_the_other():
    rows = found_words(["one two", "", "x"])
    assert [rows[row].tolist() for row in range(3)] == [[[0, 3], [4, 7]], [], [[0, 1]]]
    assert found_words([]).values.shape == (0, 2)
