"""What is promised of extended and cut vocabularies holds for texts of any characters, in the tokenizers of all families."""

import json
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from acclimate.data.vocabularies.choice import Choice
from acclimate.data.vocabularies.larger import enlarged, lengths
from acclimate.data.vocabularies.mined import Rules
from acclimate.data.vocabularies.smaller import chosen, entries, necessary, reduced

from .test_vocabulary import SENTENCES, USED, tokenizer_of
from .unicode_texts import NEWS, few, unicode_texts

pytestmark = pytest.mark.measured(1)

SENTENCEPIECE_BPE = "BPE of SentencePiece"  # with bytes for what it does not know
KINDS = ("bert", "mpnet", "roberta", "modernbert", "deberta", "albert", "deberta-v2", "camembert", "xlm-roberta", SENTENCEPIECE_BPE)


@cache
def plain(name):
    """The tokenizer of a family, as a stage reads it."""
    if name == SENTENCEPIECE_BPE:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
        tokenizer.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False))
        written = json.loads(tokenizer.to_str())["model"]
        merges = [tuple(pair) for pair in written["merges"]]
        tokenizer = Tokenizer(models.BPE(written["vocab"], merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True))
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
        tokenizer.add_special_tokens(special[:3])
        return tokenizer
    return tokenizer_of(name).backend_tokenizer


def extended(tokenizer):
    """(the tokenizer with words of the news, what is new)."""
    choice = Choice(tokenizer, {"news": NEWS}, {"news": 1.0}, Rules(1))
    larger, new = enlarged(tokenizer, choice.entries(4))
    assert new
    return larger, new


def cut(tokenizer, texts):
    """The tokenizer with the entries alone that these texts need."""
    ids = np.array([number for text in texts for number in tokenizer.encode(text).ids])
    counts = np.bincount(ids, minlength=max(tokenizer.get_vocab().values()) + 1)
    kept = chosen(tokenizer, counts, necessary(tokenizer), entries(tokenizer))
    return reduced(tokenizer, kept)


@cache
def of_kind(name):
    """Pairs of (tokenizer, the same with new words, what is new): as the family has it, and cut before."""
    return tuple((each, *extended(each)) for each in (plain(name), cut(plain(name), USED)))


def tokens(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).tokens


@few
@given(text=unicode_texts)
@pytest.mark.parametrize("name", KINDS)
def test_no_text_without_a_new_word_changes_and_none_gets_longer_also_after_a_cut(name, text):
    for tokenizer, larger, new in of_kind(name):
        before, after = tokens(tokenizer, text), tokens(larger, text)
        texts = {entry.text for entry in new}
        if not texts & set(after):
            assert after == before
        # A word that begins with a new entry has another rest, which may need more pieces: WordPiece promises it for the corpus alone.
        if not any(one in texts and two.startswith("##") for one, two in pairwise(after)):
            assert len(after) <= len(before)
        assert bare(after) == bare(before)


def bare(pieces):
    return "".join(piece.removeprefix("##") for piece in pieces)


@few
@given(text=unicode_texts)
@pytest.mark.parametrize("name", KINDS)
def test_what_needs_no_lost_entry_keeps_its_pieces_when_an_extended_vocabulary_is_cut(name, text):
    _, larger, new = of_kind(name)[0]
    again = cut_again(name)
    assert {entry.text for entry in new if entry.word} <= set(again.get_vocab())
    if set(tokens(larger, text)) <= set(again.get_vocab()):
        assert tokens(again, text) == tokens(larger, text)


@cache
def cut_again(name):
    return cut(of_kind(name)[0][1], NEWS)


@few
@given(texts=st.lists(unicode_texts, min_size=1, max_size=3))
@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta", SENTENCEPIECE_BPE])
def test_no_text_of_the_corpus_gets_longer_or_unknown_whatever_stands_in_it(name, texts):
    tokenizer = plain(name)
    corpus = [*NEWS, *texts]
    larger, _ = enlarged(tokenizer, Choice(tokenizer, {"news": corpus}, {"news": 1.0}, Rules(1)).entries(10))
    assert (lengths(larger, corpus) <= lengths(tokenizer, corpus)).all()
