from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.sample import MOST_PIECES, PIECE, Spread, sample_of


def test_a_small_text_is_its_own_sample():
    sample = sample_of(("one", "two three", ""))
    assert (sample.texts, sample.documents, sample.characters, sample.whole) == (("one", "two three", ""), 3, 12, True)


def test_a_large_text_is_sampled_over_all_of_it_within_the_bound():
    spread = Spread(most=1000)
    for number in range(10_000):
        spread.add(f"{number:010}")
    sample = spread.sample()
    numbers = [int(text) for text in sample.texts]
    assert 50 <= len(numbers) <= 100
    assert not sample.whole
    assert (sample.documents, sample.characters) == (10_000, 100_000)
    gaps = {after - before for before, after in pairwise(numbers)}
    assert len(gaps) == 1
    assert numbers[-1] > 10_000 - 2 * gaps.pop()


def test_a_long_document_gives_pieces_from_its_beginning_to_its_end_without_halves_of_words():
    words = [f"word{number}" for number in range(100_000)]
    sample = sample_of((" ".join(words),))
    assert len(sample.texts) == MOST_PIECES
    assert all(len(text) <= PIECE for text in sample.texts)
    found = [word for text in sample.texts for word in text.split()]
    assert set(found) <= set(words)
    assert int(found[0][4:]) < 1000
    assert int(found[-1][4:]) > 99_000
    assert not sample.whole


@given(st.lists(st.text(max_size=30), max_size=60), st.integers(1, 200))
def test_the_sample_never_passes_its_bound_by_more_than_a_document(texts, most):
    spread = Spread(most)
    for text in texts:
        spread.add(text)
    sample = spread.sample()
    assert sum(map(len, sample.texts)) <= max(most, max(map(len, texts), default=0))
    assert sample.whole == (list(sample.texts) == texts)
    assert sample.documents == len(texts)
