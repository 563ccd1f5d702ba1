"""A vocabulary is cut, and every text that needs no lost entry keeps its pieces: tried on vocabularies that nobody would train."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from acclimate.data.tokens import TokenStore
from acclimate.data.unknown import unknown_id
from acclimate.data.vocabularies.smaller import check_size, chosen, count_entries, entries, necessary, reduced
from acclimate.errors import ModelError, SettingsError

from .odd_vocabularies import LETTERS, SPECIAL, dressed, merged, texts_for, unigrams, wordpieces


def cut(draw, tokenizer, several):
    """(old ids by new id, the smaller tokenizer) for the entries of some of these texts, as many as a size allows that is drawn."""
    present = entries(tokenizer)
    stay = necessary(tokenizer)
    used = [number for text in several[: draw(st.integers(1, len(several)))] for number in tokenizer.encode(text).ids]
    counts = np.bincount(used, minlength=present)
    size = present if draw(st.booleans()) else draw(st.integers(len(stay), present))
    kept = chosen(tokenizer, counts, stay, size)
    assert len(kept) <= size
    return kept, reduced(tokenizer, kept)


def same_pieces(tokenizer, kept, smaller, text):
    before, after = tokenizer.encode(text), smaller.encode(text)
    if set(before.ids) <= set(kept.tolist()):
        assert after.tokens == before.tokens
        assert kept[after.ids].tolist() == before.ids
        return True
    return False


@pytest.mark.measured(0)
@settings(max_examples=60)
@given(st.data(), st.one_of(unigrams(), merged()))
def test_texts_that_need_no_lost_entry_keep_their_pieces(data, tokenizer):
    several = data.draw(texts_for(tokenizer))
    kept, smaller = cut(data.draw, tokenizer, several)
    for text in several:
        same_pieces(tokenizer, kept, smaller, text)


@given(st.data(), wordpieces())
def test_words_in_pieces_keep_them_where_none_is_lost(data, tokenizer):
    several = data.draw(texts_for(tokenizer))
    kept, smaller = cut(data.draw, tokenizer, several)
    for word in " ".join(several).split():
        # A word that was given up after a lost entry may be found now; one that was found stays as it was.
        if "[UNK]" not in tokenizer.encode(word).tokens:
            same_pieces(tokenizer, kept, smaller, word)


@given(st.data(), st.one_of(wordpieces(), unigrams(), merged()), st.text(LETTERS + " ", min_size=1))
def test_no_known_letter_becomes_unknown(data, tokenizer, text):
    _, smaller = cut(data.draw, tokenizer, [text])
    assert "[UNK]" not in smaller.encode(text).tokens or "[UNK]" in tokenizer.encode(text).tokens


def trained(kind, sentences):
    from tokenizers import trainers

    if kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=600, special_tokens=["<s>", "<mask>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
    else:
        tokenizer = Tokenizer(models.Unigram() if kind == "unigram" else models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace() if kind == "unigram" else pre_tokenizers.BertPreTokenizer()
        learns = trainers.UnigramTrainer if kind == "unigram" else trainers.WordPieceTrainer
        named = {"unk_token": "[UNK]"} if kind == "unigram" else {}
        trainer = learns(vocab_size=500, special_tokens=SPECIAL, show_progress=False, **named)
    tokenizer.train_from_iterator(sentences, trainer)
    return tokenizer


@pytest.mark.measured(0)
@pytest.mark.parametrize("kind", ["wordpiece", "bytes", "unigram"])
def test_a_trained_vocabulary_keeps_the_pieces_of_what_it_is_cut_to(kind, bbc, tmp_path):
    documents = [text for text, _ in bbc[:150]]
    tokenizer = trained(kind, documents)
    store = TokenStore.build(tmp_path / "store", iter(documents[:40]), tokenizer, "key")
    counts = count_entries(store, entries(tokenizer))
    assert counts.sum() == store.total
    size = entries(tokenizer) - 100
    kept = chosen(tokenizer, counts, necessary(tokenizer), size)
    smaller = reduced(tokenizer, kept)
    assert entries(smaller) == len(kept) <= size
    assert set(smaller.get_vocab()) < set(tokenizer.get_vocab())
    same = [same_pieces(tokenizer, kept, smaller, line) for text in documents for line in text.splitlines() if line.strip()]
    assert 0.05 < np.mean(same) < 1
    again = Tokenizer.from_str(smaller.to_str())
    assert again.encode(documents[0]).ids == smaller.encode(documents[0]).ids


def test_the_most_frequent_entries_stay_and_of_two_alike_the_lower_id():
    known = [*SPECIAL, "a", "aa", "bb", "cc", "dd", "ee"]
    tokenizer = dressed(models.WordPiece({entry: number for number, entry in enumerate(known)}, unk_token="[UNK]"))
    counts = np.array([0] * 6 + [1, 5, 1, 1, 0])
    assert chosen(tokenizer, counts, necessary(tokenizer), 8).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    # What the corpus does not use is never kept for want of something better.
    assert chosen(tokenizer, counts, necessary(tokenizer), 10).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_an_entry_comes_with_what_it_is_merged_from_or_not_at_all():
    known = [*SPECIAL, *"abcd", "ab", "abc", "cd"]
    merges = [("a", "b"), ("ab", "c"), ("c", "d")]
    tokenizer = dressed(models.BPE({entry: number for number, entry in enumerate(known)}, merges, unk_token="[UNK]"))
    counts = np.array([0] * 9 + [0, 7, 1])
    stay = necessary(tokenizer)
    assert [known[number] for number in chosen(tokenizer, counts, stay, 11)[9:]] == ["ab", "abc"]
    assert [known[number] for number in chosen(tokenizer, counts, stay, 10)[9:]] == ["cd"]  # there is no room for both of the others


def test_ids_in_the_post_processor_are_numbered_anew():
    known = ["x", "y", "zz", *SPECIAL]
    tokenizer = dressed(models.WordPiece({entry: number for number, entry in enumerate(known)}, unk_token="[UNK]"))
    for post in (
        tokenizer.post_processor,
        processors.BertProcessing(("[SEP]", 6), ("[CLS]", 5)),
        processors.Sequence([processors.ByteLevel(), processors.RobertaProcessing(("[SEP]", 6), ("[CLS]", 5))]),
    ):
        tokenizer.post_processor = post
        smaller = reduced(tokenizer, np.array(sorted(necessary(tokenizer))))
        assert smaller.encode("x").tokens == ["[CLS]", "x", "[SEP]"]
        assert smaller.encode("x").ids == [4, 0, 5]
    assert unknown_id(smaller) == 3


def test_what_the_tokenizer_names_stays_though_it_is_no_added_token():
    tokenizer = Tokenizer(models.WordPiece({"what": 0, "unknown": 1, "begin": 2, "end": 3}, unk_token="unknown"))
    tokenizer.post_processor = processors.BertProcessing(("end", 3), ("begin", 2))
    assert necessary(tokenizer) == {1, 2, 3}
    assert necessary(tokenizer, [0, 99]) == {0, 1, 2, 3}


def test_bytes_and_the_lowest_score_stay():
    pieces = [("<unk>", 0.0), *((f"<0x{byte:02X}>", -8.0) for byte in range(256)), ("long", -3.0), ("longer", -20.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    assert necessary(tokenizer) == {*range(257), 258}


def test_what_an_unknown_letter_costs_stays_the_same():
    # The cost hangs on the lowest score of all, which is that of an entry nobody uses.
    pieces = [("a", -1.0), ("da", -20.0), ("ada", -1.0), ("never", -40.0)]
    tokenizer = dressed(models.Unigram([*((name, 0.0) for name in SPECIAL), *pieces], unk_id=1))
    assert tokenizer.encode("dada").tokens == ["[CLS]", "da", "da", "[SEP]"]
    counts = np.bincount(tokenizer.encode("dada ada").ids, minlength=entries(tokenizer))
    kept = chosen(tokenizer, counts, necessary(tokenizer), 9)
    assert same_pieces(tokenizer, kept, reduced(tokenizer, kept), "dada")


def test_sizes_that_cannot_be_are_refused():
    tokenizer = dressed(models.WordPiece({entry: number for number, entry in enumerate([*SPECIAL, "a", "aa", "ab"])}, unk_token="[UNK]"))
    stay = necessary(tokenizer)
    check_size(tokenizer, stay, 7)
    with pytest.raises(SettingsError, match=r"size: 8 entries were asked for, and this vocabulary has 8"):
        check_size(tokenizer, stay, 8)
    with pytest.raises(SettingsError, match=r"size: 5 entries are too few: 6 always stay"):
        check_size(tokenizer, stay, 5)


def test_vocabularies_that_cannot_be_cut_are_refused():
    with pytest.raises(ModelError, match="WordLevel"):
        necessary(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    with pytest.raises(ModelError, match="dropout"):
        necessary(Tokenizer(models.BPE({"a": 0}, [], dropout=0.1)))
