"""Scores of written answers: hand-made ones, and what the package rouge-score 0.1.2 gave."""

import numpy as np
import pytest

from acclimate.tasks.generate import Generate, Written, answered
from acclimate.tasks.metrics.written import exact, rouge_l, token_f1
from acclimate.tasks.split import Split


@pytest.mark.parametrize(
    ("found", "gold", "wanted"),
    [
        ("The cat sat on the mat.", "the cat lay on a mat", 0.6666666666666666),
        ("one two three four five", "five four three two one", 0.20000000000000004),
        ("Paris, France", "It is Paris.", 0.4),
        ("", "a", 0.0),
        ("same words", "Same words!", 1.0),
    ],
)
def test_rouge_l_is_that_of_the_package(found, gold, wanted):
    assert rouge_l(found, gold) == pytest.approx(wanted, abs=1e-12)


def test_rouge_l_reads_every_script_and_long_texts():
    assert (
        rouge_l("\u0437\u0430\u043a\u043e\u043d \u0438 \u043f\u043e\u0440\u044f\u0434\u043e\u043a", "\u0417\u0430\u043a\u043e\u043d") == 0.5
    )
    words = [f"w{number}" for number in range(300)]
    assert rouge_l(" ".join(words), " ".join(words[::2])) == pytest.approx(2 * 150 / 450)


def test_words_are_compared_without_case_punctuation_and_articles():
    assert exact("The Beatles!", "beatles") == 1
    assert exact("beatles the", "a Beatles") == 1
    assert exact("two words", "words two") == 0
    assert token_f1("two words", "words, two") == 1
    assert token_f1("two two words", "two") == pytest.approx(0.5)
    assert token_f1("the", "an") == 1
    assert token_f1("", "word") == 0


def test_what_the_vocabulary_cannot_read_is_charged_and_sums_are_divided():
    split = Split((("a", "b"),), ("yes", "no"), np.arange(2), ())
    costs = np.array([[np.log(2) * 6, 2, 3, 0], [np.log(2) * 2, 1, 2, 1]])
    scores = Generate.scores(split, answered(Written(("yes", ""), costs), split))
    assert scores["exact_match"] == scores["token_f1"] == scores["rouge_l"] == 0.5
    assert scores["bits_per_byte"] == pytest.approx((6 + 2 + 8) / 5)
    assert scores["perplexity"] == pytest.approx(2 ** (8 / 3))
