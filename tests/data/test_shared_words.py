"""How alike texts are by their words, counted by hand and by scipy."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from acclimate.data.shared_words import compared, divergence, jaccard, overlap, shared, words_of


def test_the_most_frequent_words_are_counted_without_stop_words_whatever_their_case():
    found = words_of(["The cell, the Cell and a CELL: gene-gene 42 x", "of the gene"], most=2)
    assert found.counts == {"cell": 3, "gene": 3, "42": 1}
    assert found.top == {"cell", "gene"}
    assert found.running == 7


def test_of_equally_frequent_words_the_first_of_the_alphabet_are_taken():
    assert words_of(["zebra yak xenon"], most=2).top == {"xenon", "yak"}


def test_overlap_is_counted_by_hand():
    one, other = words_of(["cell gene virus drug"]), words_of(["gene drug film"])
    assert shared(one, other) == 2
    assert overlap(one, other) == overlap(other, one) == pytest.approx(2 / 3)  # of the three words of the shorter list
    assert jaccard(one, other) == pytest.approx(2 / 5)


def test_only_the_most_frequent_words_are_compared():
    one, other = words_of(["cell cell gene gene rare"], most=2), words_of(["cell cell film film gene"], most=2)
    assert (overlap(one, other), jaccard(one, other)) == (pytest.approx(1 / 2), pytest.approx(1 / 3))


def test_divergence_is_the_square_of_scipys_distance_in_bits():
    one, other = words_of(["cell cell cell gene virus"]), words_of(["gene gene film"])
    either = ["cell", "film", "gene", "virus"]
    counts = [[text.counts.get(word, 0) for word in either] for text in (one, other)]
    assert divergence(one, other) == pytest.approx(jensenshannon(*counts, base=2) ** 2)
    p, q = (np.array(each) / sum(each) for each in counts)
    middle = (p + q) / 2
    by_hand = sum(x * math.log2(x / m) / 2 for text in (p, q) for x, m in zip(text, middle, strict=True) if x)
    assert divergence(one, other) == pytest.approx(by_hand)


def test_divergence_looks_at_how_often_a_word_of_one_list_occurs_in_the_other_text():
    one, other = words_of(["cell cell gene gene film"], most=2), words_of(["film film cell"], most=1)
    assert divergence(one, other) == pytest.approx(jensenshannon([2, 1, 2], [1, 2, 0], base=2) ** 2)


def test_a_text_is_like_itself_and_unlike_one_of_other_words():
    texts = {"a": words_of(["cell gene"]), "b": words_of(["film actor"]), "none": words_of(["of the"])}
    found = compared(texts)
    assert found["overlap"]["a"] == {"a": 1.0, "b": 0.0, "none": 0.0}
    assert found["divergence"]["a"] == {"a": pytest.approx(0, abs=1e-9), "b": pytest.approx(1), "none": 1.0}
    assert found["shared"]["b"]["b"] == 2
    assert all(found[measure]["a"]["b"] == found[measure]["b"]["a"] for measure in found)
