"""Text is chosen as the papers say, whatever chunks it comes in, and never what is judged by."""

import json
import re
from collections import Counter
from itertools import pairwise
from math import log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.corpus import Corpus
from acclimate.data.digests import text_hash
from acclimate.data.selection import bm25, candidates, dsir, ranked
from acclimate.data.selection.candidates import Candidates
from acclimate.data.selection.ranked import KEPT, Best, Budget, Nearest
from acclimate.data.selection.settings import Selection
from acclimate.data.selection.words import BLOCK, words_of
from acclimate.randomness import generator
from acclimate.stages import Selecting

TEXTS = st.lists(st.text(st.sampled_from("abZ19_ .,!\n\té漢\0"), max_size=20), max_size=8)


def among(*corpora, judged=()):
    read = [Corpus.of_texts(str(place), texts, "x") for place, texts in enumerate(corpora)]
    return Candidates(read, frozenset(map(text_hash, judged)))


def drawn_texts(count, words=60, seed=0):
    draws = np.random.default_rng(seed)
    usual = 1 / np.arange(1, words + 1)
    return [" ".join(f"w{word}" for word in draws.choice(words, draws.integers(3, 20), p=usual / usual.sum())) for _ in range(count)]


def told(text):
    # The same words and marks, by a regular expression.
    return re.findall(rb"[a-z0-9_\x80-\xff]+|[^\x00-\x20a-z0-9_\x80-\xff]", text.lower().encode())


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_words_and_marks_have_the_same_hash_exactly_where_they_are_the_same(texts):
    found = words_of(texts)
    assert found.lengths.tolist() == [len(told(text)) for text in texts]
    words = [word for text in texts for word in told(text)]
    assert len(set(zip(words, found.values.tolist(), strict=True))) == len(set(words)) == len(set(found.values.tolist()))


def test_hashes_are_the_same_on_every_machine_and_wherever_a_word_stands():
    long = "x" * (BLOCK + 5)
    found = words_of(["Hello, world", long, "", "hello"])
    assert found.values[0] == found.values[-1] == 14900159228987049281
    assert found.lengths.tolist() == [3, 1, 0, 1]
    assert words_of([]).lengths.tolist() == []


def test_importance_weights_are_those_of_a_plain_computation():
    # Xie et al. 2023, section 3: log p_target - log p_raw, summed over words and pairs, each hashed into a bucket.
    target, raw = drawn_texts(20, 30, 1), drawn_texts(50)

    def buckets(text):
        values = words_of([text]).values
        pairs = [(first * dsir.BASE + second) % 2**64 for first, second in pairwise(values.tolist())]
        pairs = dsir.mixed(np.array(pairs, dtype=np.uint64))
        return [int(value) % dsir.BUCKETS for value in [*values, *pairs]]

    counts = [np.bincount([each for text in texts for each in buckets(text)], minlength=dsir.BUCKETS) for texts in (target, raw)]
    shares = [count / count.sum() + 1e-8 for count in counts]
    expected = [sum(np.log(shares[0][each]) - np.log(shares[1][each]) for each in buckets(text)) for text in raw]
    ratio = dsir.log_ratio(*(dsir.grams_of(words_of(texts)).counts() for texts in (target, raw)))
    np.testing.assert_allclose(dsir.weights(dsir.grams_of(words_of(raw)), ratio), expected)


def test_dsir_takes_the_highest_weights_with_gumbel_noise_and_prefers_what_is_alike(monkeypatch):
    monkeypatch.setattr(candidates, "CHUNK_DOCUMENTS", 64)
    other, alike = drawn_texts(150), [text.replace("w", "v") for text in drawn_texts(150, seed=2)]
    target = [text.replace("w", "v") for text in drawn_texts(40, seed=3)]
    every = list(dict.fromkeys(other + alike))
    found = dsir.choose([target[:10], target[10:]], among(every), Budget(None, 30), 0)
    ratio = dsir.log_ratio(*(dsir.grams_of(words_of(texts)).counts() for texts in (target, every)))
    noise = np.concatenate([generator(0, "select by importance", first).gumbel(size=64) for first in range(0, len(every), 64)])
    scores = dsir.weights(dsir.grams_of(words_of(every)), ratio) + noise[: len(every)]
    np.testing.assert_allclose(found.scores, np.sort(scores)[::-1][:30])
    assert all("v" in every[number] for number in found.numbers)
    assert set(dsir.choose([target], among(every), Budget(None, 30), 1).numbers) != set(found.numbers)


def test_bm25_gives_bm25s_own_scores_in_whatever_chunks_the_documents_come(monkeypatch):
    bm25s = pytest.importorskip("bm25s")
    documents, asked = list(dict.fromkeys(drawn_texts(200))), drawn_texts(3, seed=5)
    words = [text.split() for text in documents]
    index = bm25s.BM25(k1=bm25.K1, b=bm25.B, method="lucene")
    index.index(words, show_progress=False)
    holding = Counter(word for text in words for word in set(text))
    expected = [
        index.get_scores([word for word in dict.fromkeys(text.split()) if holding[word] and holding[word] <= len(documents) / 2])
        for text in asked
    ]
    counts = bm25.Counts.of(words_of(asked))
    parts = [words_of(documents[first : first + 64]) for first in range(0, len(documents), 64)]
    for part in parts:
        counts.add(part)
    held = int(counts.holding[0])
    assert counts.idf(counts.holding, counts.documents)[0] == pytest.approx(log1p((len(documents) - held + 0.5) / (held + 0.5)))
    ids = counts.asked(words_of(asked))
    indices = [bm25.chunk_index(part, counts) for part in parts]
    scores = np.concatenate([[index.get_scores_from_ids(each) for each in ids] for index in indices], axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(candidates, "CHUNK_DOCUMENTS", 64)
    found = bm25.choose(asked, among(documents), Budget(None, 3))
    assert set(found.numbers) == {int(np.argmax(each)) for each in expected}
    assert found.rank.tolist() == [1, 1, 1]


def test_bm25_looks_further_until_the_budget_is_full(monkeypatch):
    pytest.importorskip("bm25s")
    monkeypatch.setattr(ranked, "first_guess", lambda *_: 1)
    documents = list(dict.fromkeys(drawn_texts(300)))
    found = bm25.choose(documents[:2], among(documents), Budget(None, 50))
    assert len(found.numbers) == 50
    assert found.rank.max() > 16


def test_bm25_finds_nothing_where_no_word_is_in_common():
    pytest.importorskip("bm25s")
    for texts in (["x y"], ["\x01"]):
        assert len(bm25.choose(texts, among(["a b", "\x01", "c"]), Budget(5, None)).numbers) == 0


def test_bm25_asks_by_usual_words_where_there_are_no_others():
    pytest.importorskip("bm25s")
    found = bm25.choose(["a b c"], among(["a b x y"]), Budget(None, 1))
    # Lucene's idf of a word of the only document, twice, each there once, in a document of the mean length.
    assert (found.numbers.tolist(), found.scores.tolist()) == ([0], [pytest.approx(2 * log1p(0.5 / 1.5) / 2.5)])


def test_each_text_is_a_candidate_once_and_none_that_is_judged_by(monkeypatch):
    monkeypatch.setattr(candidates, "CHUNK_DOCUMENTS", 3)
    found = among(["a", "b", "a", "c", "test"], ["b", "d", "test", "e"], judged=["test", "elsewhere"])
    for _ in range(2):
        assert [(number, text) for chunk in found.chunks() for number, text in zip(chunk.numbers, chunk.texts, strict=True)] == [
            (0, "a"), (1, "b"), (3, "c"), (6, "d"), (8, "e"),
        ]  # fmt: skip
    assert (found.documents, found.repeated, found.withheld, found.ends) == (9, 2, 2, [5, 9])
    assert found.corpus_of(np.array([0, 4, 5, 8])).tolist() == [0, 0, 1, 1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=12))
def test_what_was_seen_before_is_known(parts):
    seen, known = candidates._Seen(), set()
    for part in parts:
        new = seen.add(np.array(part, dtype=np.uint64))
        for value, is_new in zip(part, new, strict=True):
            assert is_new == (value not in known)
            known.add(value)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 9)), max_size=40), st.integers(1, 60))
def test_the_best_are_those_of_a_sort_and_fill_the_budget_with_one_document_at_most_beyond(documents, budget):
    best = Best(Budget(budget, None))
    for number, (score, tokens) in enumerate(documents):
        best.add(np.array([number]), np.array([float(score)]), np.array([tokens]))
    found = best.chosen()
    order = sorted(range(len(documents)), key=lambda number: (-documents[number][0], number))
    assert found.numbers.tolist() == order[: len(found.numbers)]
    assert found.tokens.sum() >= budget or len(found.numbers) == len(documents)
    assert found.tokens[:-1].sum() < budget
    assert len(documents) < KEPT


def test_best_forgets_what_can_no_longer_be_chosen(monkeypatch):
    monkeypatch.setattr(ranked, "KEPT", 10)
    draws, best = np.random.default_rng(0).random(1000), Best(Budget(None, 20))
    for first in range(0, 1000, 7):
        part = draws[first : first + 7]
        best.add(first + np.arange(len(part)), part, np.ones(len(part), np.int64))
        assert best._kept <= 48
    assert best.chosen().numbers.tolist() == np.argsort(-draws)[:20].tolist()


def test_the_nearest_of_every_text_come_first_then_the_second_nearest():
    nearest = Nearest(texts=2, most=3)
    scores = np.array([[9.0, 8, 7, 1, -np.inf], [5, 1, 2, 3, -np.inf]], dtype=np.float32)
    for first in range(0, 5, 2):
        part = slice(first, first + 2)
        numbers = np.arange(5)[part]
        nearest.add(0, scores[:, part], numbers, np.full(len(numbers), 10))
    found = nearest.chosen(Budget(None, 4))
    assert (found.numbers.tolist(), found.near.tolist(), found.rank.tolist()) == ([0, 1, 3, 2], [0, 0, 1, 0], [1, 2, 2, 3])
    assert nearest.chosen(Budget(11, None)).numbers.tolist() == [0, 1]
    assert nearest.full(Budget(40, None))
    assert not nearest.full(Budget(41, None))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({}, "either `tokens` or `documents`"),
        ({"tokens": 1, "documents": 1}, "either `tokens` or `documents`"),
        ({"tokens": 1, "method": "bm25", "seed": 1}, "draws nothing"),
        ({"tokens": 1, "among": ()}, "names no corpus"),
        ({"tokens": 1, "among": ("a", "a")}, "twice"),
    ],
)
def test_settings_that_say_nothing_or_too_much_are_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        Selection(**wrong)


def test_what_is_chosen_from_has_a_key_for_every_order_also_where_the_target_is_among_it():
    def told(like, *sources):
        stage = Selecting(of=Selection(like=like, among=sources, tokens=1), name="near")
        return json.dumps([stage.keyed(), *stage.reads()])

    orders = [("a", "a", "b"), ("a", "b", "a"), ("a", "b"), ("a", "b", "a", "c"), ("a", "b", "c", "a"), ("a", "b", "c")]
    assert len({told(*order) for order in orders}) == len(orders)
