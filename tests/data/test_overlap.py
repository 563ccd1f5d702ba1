from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.leaks import Judged, LeakFinder, ngram_overlap


def words(start, stop):
    return " ".join(f"w{number}" for number in range(start, stop))


def test_half_of_the_ngrams_make_an_overlap_and_less_does_not():
    # 19 words hold ten 10-grams; the first 14 words hold five of them, the first 13 four.
    assert ngram_overlap([words(0, 19)], iter([words(0, 14)])) == 1.0
    assert ngram_overlap([words(0, 19)], iter([words(0, 13)])) == 0.0
    assert ngram_overlap([words(0, 19), words(100, 140)], iter([words(0, 30)])) == 0.5


def test_ngrams_do_not_reach_over_the_end_of_a_document():
    assert ngram_overlap([words(0, 10)], iter([words(0, 5), words(5, 10)])) == 0.0
    assert ngram_overlap([words(0, 10)], iter(["x y", words(0, 10), "z"])) == 1.0


def test_short_texts_count_as_one_gram_and_case_and_spacing_do_not_matter():
    assert ngram_overlap(["Short  Text"], iter(["this is a short\ntext here"])) == 1.0
    assert ngram_overlap(["short text"], iter(["text short"])) == 0.0


def test_no_corpus_means_no_overlap():
    assert ngram_overlap([words(0, 12)], iter([])) == 0.0
    assert ngram_overlap([], iter([words(0, 12)])) == 0.0


def slow_overlap(tests, documents, n):
    found = 0
    for test in tests:
        parts = test.split()
        size = min(n, len(parts))
        grams = {tuple(parts[i : i + size]) for i in range(len(parts) - size + 1)} if size else set()
        there = {tuple(d.split()[i : i + size]) for d in documents for i in range(len(d.split()) - size + 1)}
        found += bool(grams) and 2 * len(grams & there) >= len(grams)
    return found / len(tests)


texts = st.lists(st.lists(st.sampled_from("abc"), max_size=12).map(" ".join), min_size=1, max_size=6)


@given(texts, texts, st.integers(1, 4))
def test_the_hashed_count_equals_the_plain_one(tests, documents, n):
    assert ngram_overlap(tests, iter(documents), n) == slow_overlap(tests, documents, n)


def test_a_corpus_larger_than_the_buffer_is_counted_in_full(monkeypatch):
    monkeypatch.setattr("acclimate.data.leaks._BUFFER_WORDS", 25)
    counter = LeakFinder(Judged([words(start, start + 20) for start in range(0, 200, 20)]))
    for start in range(0, 100, 20):
        counter.add(words(start, start + 20))
    assert counter.overlapping().tolist() == [True] * 5 + [False] * 5
