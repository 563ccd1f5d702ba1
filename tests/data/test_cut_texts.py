"""Texts inside documents: lines and sentences, where they begin among the tokens, and what stays together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.modeling.conftest import make_tokenizer

from acclimate.data.corpus import Corpus
from acclimate.data.cut_texts import TextBegins, begins_of
from acclimate.data.held_out import Stretches
from acclimate.data.tokens import TokenStore

ABSTRACT = "We show a new way. It is by Smith et al. 2021, and it works!  Why does it work? See Fig.\n\n  Second line, without an end\n"


def cut(text, what):
    begins = list(begins_of(text, what))
    return [text[begin:end].strip() for begin, end in zip(begins, [*begins[1:], len(text)], strict=True)]


def test_sentences_end_with_lines_or_marks_and_short_ones_go_on():
    assert cut(ABSTRACT, "sentences") == [
        "We show a new way.",
        "It is by Smith et al.",
        "2021, and it works!",
        "Why does it work? See Fig.",
        "Second line, without an end",
    ]
    assert cut(ABSTRACT, "lines") == [ABSTRACT.splitlines()[0], "Second line, without an end"]
    assert cut(ABSTRACT, "documents") == [ABSTRACT.strip()]
    assert cut("Yes. No.", "sentences") == ["Yes. No."]


@settings(max_examples=25, deadline=None)
@given(st.text("ab .!\n", max_size=60))
def test_no_character_of_a_word_is_lost_however_a_text_is_cut(text):
    for what in ("sentences", "lines", "documents"):
        begins = list(begins_of(text, what))
        assert begins == sorted(set(begins))
        ends = [*begins[1:], len(text)] if begins else []
        assert all(text[begin:end].strip() for begin, end in zip(begins, ends, strict=True))
        assert not text[: begins[0] if begins else len(text)].strip()


@pytest.fixture
def built(tmp_path):
    tokenizer = make_tokenizer()
    documents = ["w1 w2 w3 w4. w5 w6 w7 w8", "", "w9\nw10 w11\n\nw12", "w13 w14"]
    corpus = Corpus.of_texts("c", documents, "fingerprint")
    store = TokenStore.build(tmp_path / "tokens", iter(documents), tokenizer, "tokens")

    def build(what, key="key"):
        return TextBegins.build(tmp_path / f"{what}", corpus, store, tokenizer, what, key)

    return build


def test_texts_are_found_among_the_tokens_and_kept_on_disk(built):
    # w1 w2 w3 w4 . w5 ... w8 | (nothing) | w9 w10 w11 w12 | w13 w14
    assert built("sentences").begins.tolist() == [5, 10, 12]
    assert built("lines").begins.tolist() == [10, 12]
    assert built("lines").begins.tolist() == [10, 12]
    assert built("documents").begins.tolist() == []
    assert built("sentences").uncut == 0


def test_stretches_are_cut_where_texts_begin_inside_of_them(built):
    stretches = Stretches(np.array([0, 9, 14]), np.array([9, 4, 1]))
    texts = built("sentences").cut(stretches)
    assert list(zip(texts.begin.tolist(), texts.length.tolist(), strict=True)) == [(0, 5), (5, 4), (9, 1), (10, 2), (12, 1), (14, 1)]
    part = built("sentences").cut(Stretches(np.array([5, 11]), np.array([2, 2])))
    assert list(zip(part.begin.tolist(), part.length.tolist(), strict=True)) == [(5, 2), (11, 1), (12, 1)]
    none = Stretches(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert built("sentences").cut(none).tokens == 0
    assert built("documents").cut(stretches).begin.tolist() == [0, 9, 14]
