"""Held-out text shares no sentence of eight words or more with what is read, and what is left out for that is counted."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from acclimate.data import sentences as sentences_module
from acclimate.data.corpus import Corpus
from acclimate.data.held_out import Stretches, hold_out
from acclimate.data.sentences import LEAST_WORDS, SentenceStore, sentences
from acclimate.data.tokens import TokenStore
from acclimate.data.unshared import Divided, unshared


@pytest.fixture(scope="module")
def tokenizer():
    """One whose tokens spell every text again: a letter each."""
    letters = Tokenizer(models.BPE({letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.decoder = decoders.ByteLevel()
    return letters


def divided(texts, tokenizer, folder, name, share=0.2, most=10_000):
    corpus = Corpus.of_texts(name, texts, name)
    store = TokenStore.build(folder / name, corpus.documents(), tokenizer, name)
    digests = SentenceStore.build(folder / f"{name} sentences", corpus.documents(), name)
    return Divided(corpus, store, digests, *hold_out(store.offsets, share, most))


def written(store, stretches, tokenizer):
    return [tokenizer.decode(store.tokens[begin : begin + length].tolist()) for begin, length in zip(*stretches, strict=True)]


def said(texts):
    """Plainly: the sentences of eight words or more, as words."""
    pieces = (piece.lower().split() for text in texts for line in text.split("\n") for piece in re.split(r"(?<=[.!?])\s+", line))
    return {tuple(words) for words in pieces if len(words) >= LEAST_WORDS}


words = st.sampled_from(["the", "cat", "Sat", "on", "a", "red", "mat", "again", "twice"])
sentence = st.lists(words, min_size=1, max_size=12).map(" ".join)
document = st.lists(st.tuples(sentence, st.sampled_from([". ", "?  ", "\n", " ! "])), min_size=1, max_size=4).map(
    lambda pieces: "".join(map("".join, pieces)).strip()
)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(document, min_size=3, max_size=12), st.lists(document, min_size=1, max_size=6), st.integers(0, 30), st.data())
def test_no_sentence_of_eight_words_stands_on_both_sides_of_any_corpus(tokenizer, tmp_path_factory, first, second, most, data):
    folder = tmp_path_factory.mktemp("unshared")
    again = [text.upper().replace(" ", "  ") for text in data.draw(st.lists(st.sampled_from(first), max_size=4))]
    parts = [divided(first, tokenizer, folder, "first", 0.3), divided([*second, *again], tokenizer, folder, "second", 0.3, 40 * most)]
    found = unshared(parts, tokenizer)
    held = said(text for part in parts for text in written(part.store, part.held, tokenizer))
    for part, (read, left) in zip(parts, found, strict=True):
        assert not held & said(written(part.store, read, tokenizer))
        assert left.tokens == part.read.tokens - read.tokens
        assert bool(left.tokens) == bool(left.documents)
        inside = np.concatenate([np.arange(begin, begin + length) for begin, length in zip(*part.read, strict=True)] or [[]])
        assert np.isin([at for begin, length in zip(*read, strict=True) for at in range(begin, begin + length)], inside).all()


LONG = "this sentence has more than eight words in it, does it not?"


def test_of_a_longer_document_the_sentence_alone_is_left_out_and_a_copy_whole(tokenizer, tmp_path):
    others = [f"Document {number} says something that no other one of them says. It is short." for number in range(40)]
    texts = [f"{LONG} Yes.", f"Before it stands this. {LONG.upper()} And after it comes so much that it is more than half of it all.", LONG]
    part = divided([*texts, *others], tokenizer, tmp_path, "corpus")
    at = part.store.offsets
    every = np.arange(1, len(at) - 1)
    part = Divided(part.corpus, part.store, part.sentences, Stretches(at[every], np.diff(at)[every]), Stretches(at[:1], np.diff(at)[:1]))
    ((read, left),) = unshared([part], tokenizer)
    assert left == (2, 2 * len(LONG))
    assert written(part.store, read, tokenizer)[:2] == [
        "Before it stands this. ", " And after it comes so much that it is more than half of it all."
    ]  # fmt: skip
    assert written(part.store, read, tokenizer)[2:] == others


def test_short_sentences_may_be_shared(tokenizer, tmp_path):
    part = divided([f"Yes. It is so. This is number {number}." for number in range(30)], tokenizer, tmp_path, "corpus")
    ((read, left),) = unshared([part], tokenizer)
    assert left == (0, 0)
    assert np.array_equal(read.begin, part.read.begin)


def test_a_sentence_that_is_cut_by_what_is_held_out_of_a_document_is_left_out_of_others_alone(tokenizer, tmp_path):
    endless = "no full stop ever comes in this text of many words " * 20
    part = divided([endless], tokenizer, tmp_path, "endless")
    copy = divided([endless.strip(), *(f"another text, the one of number {number}, which shares nothing" for number in range(60))],
                   tokenizer, tmp_path, "copy", share=0.02)  # fmt: skip
    assert part.held.tokens
    (_, own), (read, left) = unshared([part, copy], tokenizer)
    assert own == (0, 0)
    assert left == (1, len(endless.strip()))
    assert not any("full stop" in text for text in written(copy.store, read, tokenizer))


def test_sentences_are_read_once_a_chunk_at_a_time_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sentences_module, "CHUNK", 7)
    texts = [f"{LONG} {'And this is another one of the same length, number' if number % 3 else 'Short:'} {number}." for number in range(50)]
    read = Counter()

    def documents():
        for text in texts:
            read[text] += 1
            yield text

    stores = [SentenceStore.build(tmp_path / "store", documents(), "key") for _ in range(2)]
    assert set(read.values()) == {1}
    for store in stores:
        assert [store.digests[number].tolist() for number in range(50)] == [[digest for *_, digest in sentences(text)] for text in texts]
        wanted = np.array([store.digests[4][1]], np.uint64)
        assert store.with_any(wanted).tolist() == [4]
        assert store.with_any(np.unique(store.digests[0])).tolist() == list(range(50))


def test_damaged_sentences_are_made_again(tmp_path, caplog):
    texts = [f"{LONG} And number {number}." for number in range(9)]
    found = SentenceStore.build(tmp_path / "store", iter(texts), "key").digests.values.tolist()
    file = tmp_path / "store" / "sentences.bin"
    file.write_bytes(file.read_bytes()[:-8] + b"somewhat")
    assert SentenceStore.build(tmp_path / "store", iter(texts), "key").digests.values.tolist() == found
    assert "it is made again" in caplog.text
    assert SentenceStore.build(tmp_path / "store", iter(texts[:3]), "another").digests.values.tolist() == found[:3]
