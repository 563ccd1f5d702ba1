import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acclimate.modeling.baselines.tfidf_model import Terms, fit
from acclimate.modeling.baselines.word_list import UNKNOWN, UNKNOWN_WORD, WordList, words_of

TEXTS = st.lists(st.text(st.sampled_from("aAäÄß1_ .-\n'İ中"), max_size=20), min_size=1, max_size=8)


def test_the_most_frequent_words_come_first_and_equals_by_the_alphabet():
    texts = ["b a a c", "C b d"]
    assert WordList.of(texts, 10, 1).words == (UNKNOWN_WORD, "a", "b", "c", "d")
    assert WordList.of(texts, 2, 1).words == (UNKNOWN_WORD, "a", "b")
    assert WordList.of(texts, 10, 2).words == (UNKNOWN_WORD, "a", "b", "c")


def test_a_word_that_was_never_seen_is_unknown_and_a_text_without_a_word_is_one_unknown_word():
    store = WordList.of(["a b"], 10, 1).encode(["B, a x", "", "... !", "a"])
    assert [store[i].tolist() for i in range(4)] == [[2, 1, UNKNOWN], [UNKNOWN], [UNKNOWN], [1]]


@given(TEXTS)
def test_words_are_those_that_tf_idf_counts(texts):
    words = sorted({word for text in texts for word in words_of(text)})
    if not words:
        return  # tf-idf refuses to be fitted to nothing
    model = fit((texts,), np.zeros(len(texts), dtype=np.int64), ("a", "b"), 1.0, Terms(1, 1000), None)
    assert sorted(model.terms) == words


@given(TEXTS, TEXTS)
def test_every_text_has_something_to_read_and_known_words_read_back(train, texts):
    words = WordList.of(train, 1000, 1)
    store = words.encode(texts)
    for text, ids in zip(texts, (store[i] for i in range(len(texts))), strict=True):
        assert len(ids) >= 1
        found = [words.words[number] for number in ids]
        expected = [word if word in words.words else UNKNOWN_WORD for word in words_of(text)]
        assert found == (expected or [UNKNOWN_WORD])
