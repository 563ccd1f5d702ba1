"""Judged texts are found in a corpus: as documents of their own, nearly so, or within longer ones; other texts are not."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data import leaks
from acclimate.data.digests import text_hash
from acclimate.data.grams import word_hashes
from acclimate.data.leaks import Judged, LeakFinder
from acclimate.data.shingles import shingles, signature

VOCABULARY = [f"{first}{second}" for first in "bcdfgklmnprst" for second in ("a", "et", "ion", "ust", "or", "ime")]


def sentence(number, words=24):
    return " ".join(random.Random(number).choices(VOCABULARY, k=words))


def looked_through(texts, documents):
    finder = LeakFinder(Judged(texts))
    for document in documents:
        finder.add(document)
    finder.flush()
    return finder


def found(texts, documents):
    """Of each text the kind of its plainest match, None where there is none."""
    finder = looked_through(texts, documents)
    return [finder.best[number].kind if number in finder.best else None for number in finder.judged.unique_of.tolist()]


planted = st.lists(st.sampled_from(("none", "exact", "near", "contained")), min_size=1, max_size=8)


@given(planted, st.integers(0, 10**6), st.integers(1, 400))
@settings(max_examples=25)
def test_what_is_planted_is_found_and_nothing_else(kinds, seed, buffer):
    texts = [sentence((seed, number).__repr__(), 16 + number) for number in range(len(kinds))]
    documents = [sentence((seed, "other", number).__repr__(), 40) for number in range(5)]
    for kind, text in zip(kinds, texts, strict=True):
        words = text.split()
        if kind == "exact":
            documents.append("  ".join(words).upper())
        if kind == "near":
            documents.append(" ".join([*words[:7], "otherwise", *words[8:]]))
        if kind == "contained":
            documents.append(f"{sentence(seed, 60)} {text} {sentence(seed + 1, 60)}")
    random.Random(seed).shuffle(documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leaks, "_BUFFER_WORDS", buffer)
        assert found(texts, documents) == [None if kind == "none" else kind for kind in kinds]


@given(st.integers(8, 120), st.integers(0, 40), st.integers(0, 10**6))
@settings(max_examples=40)
def test_the_estimate_is_near_the_true_similarity(words, changed, seed):
    draw, one = random.Random(seed), sentence(seed, words).split()
    other = [word if draw.random() > changed / 100 else "otherwise" for word in one]
    first, second = shingles(" ".join(one)), shingles(" ".join(other))
    true = len(first & second) / len(first | second)
    estimate = signature(" ".join(one)).jaccard(signature(" ".join(other)))
    assert estimate == pytest.approx(true, abs=5 * 0.031)  # five standard errors of 256 permutations
    assert (estimate == 1.0) or first != second


def test_long_texts_are_known_by_a_part_of_their_grams():
    text = sentence(1, 300).split()
    near = [word if number % 20 else "otherwise" for number, word in enumerate(text)]
    finder = looked_through([" ".join(text)], [sentence(2, 300), " ".join(near)])
    (match,) = finder.best.values()
    assert (match.kind, match.document) == ("near", 1)
    assert 0.5 < match.similarity < 0.9


def test_short_texts_are_found_as_whole_documents_alone():
    short = "what a truly great film this"  # six words
    assert found([short], [f"they said {short} was", "what a truly great film that"]) == [None]
    assert found([short], ["What a truly great  film this"]) == ["exact"]
    assert found([f"{short} is indeed"], [f"they said {short} is indeed and then went home again"]) == ["contained"]


def test_the_plainest_match_is_kept_and_documents_are_counted_by_theirs():
    text, other = sentence(1), sentence(2)
    holding = f"{sentence(3, 40)} {text} {sentence(4, 40)}"
    finder = looked_through([text, other], [sentence(5), holding, text, text, f"{text} {sentence(6, 30)} {other}"])
    best = finder.best[int(finder.judged.unique_of[0])]
    assert (best.kind, best.similarity, best.document, best.document_text) == ("exact", 1.0, 2, text)
    assert finder.documents == {"exact": 2, "contained": 2}
    assert finder.words == {"exact": 48, "contained": len(holding.split()) + 78}
    assert finder.digests == {text_hash(each) for each in (holding, text, f"{text} {sentence(6, 30)} {other}")}
    assert finder.holders[int(finder.judged.unique_of[0])] == 4


def test_a_long_document_is_shown_from_before_what_it_contains():
    text = sentence(1)
    (match,) = looked_through([text], [f"{sentence(3, 400)} {text} the end"]).best.values()
    assert match.document_text.startswith("... ")
    assert match.document_text.endswith(f"{text} the end")
    assert len(match.document_text.split()) == 1 + 12 + 24 + 2


def test_equal_texts_are_sought_once_and_each_has_its_match():
    text = sentence(1)
    assert found([text, sentence(2), text.upper(), "", text], [text]) == ["exact", None, "exact", None, "exact"]


def test_a_gram_of_very_many_texts_tells_none_from_another(monkeypatch):
    monkeypatch.setattr(leaks, "_MOST_OWNERS", 3)
    opening = sentence(0, 14)
    texts = [f"{opening} {sentence(number, 12)}" for number in range(1, 9)]
    # The opening is half of all their grams: it stands in all of them, and says nothing of any.
    assert found(texts, [f"{sentence(99, 60)} {opening} {sentence(98, 60)}"]) == [None] * 8
    assert found(texts, [f"{sentence(99, 60)} {texts[3]} {sentence(98, 60)}"]).count("contained") == 1


def test_counting_in_parts_changes_nothing(monkeypatch):
    texts = [sentence(number) for number in range(12)]
    documents = [f"{texts[number]} {sentence(100, 50)} {texts[-1]}" for number in range(10)]
    whole = looked_through(texts, documents)
    monkeypatch.setattr(leaks, "_MOST_PAIRS", 1)
    parts = looked_through(texts, documents)
    assert parts.best == whole.best
    assert len(whole.best) == 11
    assert parts.documents == whole.documents


def test_what_is_found_of_long_texts_does_not_hang_on_the_hashes_of_a_process(monkeypatch):
    text = sentence(1, 100)
    judged = []
    for salt in ("", "other"):
        monkeypatch.setattr(leaks, "word_hashes", lambda text, salt=salt: word_hashes(" ".join(salt + word for word in text.split())))
        judged.append(Judged([text]))
    known = [(len(each.near), each.near.telling.tolist()) for each in judged]
    assert known == [(24, [24])] * 2  # every fourth of 96 runs of five words
