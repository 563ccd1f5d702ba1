"""A vocabulary gets new words, and every text without them keeps its pieces: tried on vocabularies that nobody would train."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from acclimate.data.vocabularies.larger import Entry, Spelling, enlarged, lengths
from acclimate.errors import ModelError

from .odd_vocabularies import LETTERS, SPECIAL, dressed, merged, texts_for, unigrams, wordpieces

plain_merges = merged(affixes=(("", ""),))


@st.composite
def words_for(draw, tokenizer):
    """Words that are no entries yet, all of whose letters can be read."""
    fresh = st.text(LETTERS, min_size=2, max_size=6).filter(lambda word: word not in tokenizer.get_vocab())
    readable = fresh.filter(lambda word: "[UNK]" not in tokenizer.encode(word, add_special_tokens=False).tokens)
    return draw(st.lists(readable, min_size=1, max_size=4, unique=True))


@st.composite
def texts_with(draw, tokenizer, words):
    """Texts of any entries, of the words, and of words that begin or end with them."""
    around = st.text(LETTERS + "d", max_size=3)
    with_word = st.tuples(around, st.sampled_from(words), around).map("".join)
    several = st.lists(st.one_of(with_word, st.sampled_from(words)), max_size=3).map(" ".join)
    return [*draw(texts_for(tokenizer)), draw(several)]


def plain_tokens(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).tokens


@given(st.data(), st.one_of(wordpieces(), unigrams(), plain_merges))
def test_a_new_word_is_one_piece_and_all_others_keep_their_ids(data, tokenizer):
    words = data.draw(words_for(tokenizer))
    larger, new = enlarged(tokenizer, words)
    assert tokenizer.get_vocab().items() <= larger.get_vocab().items()
    assert [entry.text for entry in new if entry.word] == [word for word in dict.fromkeys(entry.text for entry in new) if word in words]
    assert {entry.text for entry in new} >= set(words)
    assert [entry.id for entry in new] == list(range(max(tokenizer.get_vocab().values()) + 1, max(larger.get_vocab().values()) + 1))
    for word in words:
        assert plain_tokens(larger, word) == [word]
    for entry in new:
        names = [tokenizer.id_to_token(piece).removeprefix("##") for piece in entry.pieces]
        assert "".join(names) == entry.text
        assert not entry.word or names == [name.removeprefix("##") for name in plain_tokens(tokenizer, entry.text)]


@given(st.data(), plain_merges)
def test_with_merges_no_text_gets_longer_and_it_changes_only_where_one_is_made(data, tokenizer):
    words = data.draw(words_for(tokenizer))
    larger, _ = enlarged(tokenizer, words)
    old, new = (json.loads(each.to_str())["model"]["merges"] for each in (tokenizer, larger))
    assert new[: len(old)] == old
    made = ["".join(pair) for pair in new[len(old) :]] + words
    for text in data.draw(texts_with(tokenizer, words)):
        for word in text.split():
            before, after = plain_tokens(tokenizer, word), plain_tokens(larger, word)
            assert len(after) <= len(before)
            assert after == before or any(each in word for each in made)


@given(st.data(), wordpieces())
def test_with_word_pieces_only_words_that_begin_with_a_new_entry_change(data, tokenizer):
    words = data.draw(words_for(tokenizer))
    larger, _ = enlarged(tokenizer, words)
    for text in data.draw(texts_with(tokenizer, words)):
        for word in text.split():
            if not word.startswith(tuple(words)):
                assert plain_tokens(larger, word) == plain_tokens(tokenizer, word)


@given(st.data(), unigrams())
def test_with_scores_only_texts_that_hold_a_new_entry_change(data, tokenizer):
    words = data.draw(words_for(tokenizer))
    larger, new = enlarged(tokenizer, words)
    ids = {entry.id for entry in new}
    for text in data.draw(texts_with(tokenizer, words)):
        # A letter that only longer entries have costs what the lowest score says, and new scores are lower.
        for word in text.replace("d", "").split():
            if not ids & set(larger.encode(word, add_special_tokens=False).ids):
                assert plain_tokens(larger, word) == plain_tokens(tokenizer, word)


def test_a_word_that_begins_with_a_new_entry_may_need_more_pieces_than_before():
    known = [*SPECIAL, "ab", *(f"##{letter}" for letter in "cdef"), "##cdef"]
    tokenizer = dressed(models.WordPiece({entry: number for number, entry in enumerate(known)}, unk_token="[UNK]"))
    larger, _ = enlarged(tokenizer, ["abc"])
    assert plain_tokens(tokenizer, "abcdef") == ["ab", "##cdef"]
    assert plain_tokens(larger, "abcdef") == ["abc", "##d", "##e", "##f"]
    words = ["abc", "ab", "abcdef", "abcd"]
    assert lengths(tokenizer, words).tolist() == [[2, 0], [1, 0], [2, 0], [3, 0]]
    assert lengths(larger, [*words, "xyz"]).tolist() == [[1, 0], [1, 0], [4, 0], [2, 0], [1, 1]]


def test_an_added_token_behind_the_vocabulary_keeps_its_id():
    tokenizer = dressed(models.WordPiece({entry: number for number, entry in enumerate([*SPECIAL, "a", "##b"])}, unk_token="[UNK]"))
    tokenizer.add_tokens(["[NAME]"])
    larger, new = enlarged(tokenizer, ["ab"])
    assert new == [Entry("ab", 8, (5, 6), True)]
    assert larger.encode("[NAME] ab").tokens == ["[CLS]", "[NAME]", "ab", "[SEP]"]
    assert larger.encode("[NAME] ab").ids[1:3] == [7, 8]


def test_merges_make_pieces_by_the_way_which_stand_for_what_was_there():
    known = [*SPECIAL, *"abcd", "cd"]
    tokenizer = dressed(models.BPE({entry: number for number, entry in enumerate(known)}, [("c", "d")], unk_token="[UNK]"))
    larger, new = enlarged(tokenizer, ["abcd", "abb"])
    assert new == [Entry("ab", 10, (5, 6), False), Entry("abcd", 11, (5, 6, 9), True), Entry("abb", 12, (5, 6, 6), True)]
    assert plain_tokens(larger, "abcd abb abc") == ["abcd", "abb", "ab", "c"]


def test_a_word_stands_for_the_pieces_of_before_also_where_merges_come_to_it_by_an_entry_that_they_did_not_make_of_it():
    known = [*SPECIAL, *"abc", "ac", "ca", "aca"]
    merges = [("a", "c"), ("c", "a"), ("a", "ca")]  # "acab" is ac, a, b
    tokenizer = dressed(models.BPE({entry: number for number, entry in enumerate(known)}, merges, unk_token="[UNK]"))
    larger, new = enlarged(tokenizer, ["acab"])
    assert new == [Entry("acab", 11, (8, 5, 6), True)]
    assert plain_tokens(larger, "acab") == ["acab"]


@pytest.mark.parametrize(
    ("model", "words", "said"),
    [
        (models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"), ["aa"], "kind WordLevel cannot be extended"),
        (models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")], dropout=0.5), ["aab"], "dropout"),
        (models.BPE({"a": 0, "b</w>": 1}, [], end_of_word_suffix="</w>"), ["ab</w>"], "marks the ends"),
        (models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2, "ab": 3}, unk_token="[UNK]"), ["ab"], "has the entry 'ab' already"),
        (models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"), ["ax"], "cannot read all of 'ax'"),
        (models.WordPiece({"[UNK]": 0, "a": 1, "##a": 2}, unk_token="[UNK]", max_input_chars_per_word=3), ["aaaa"], "cannot read all of"),
    ],
)
def test_what_cannot_be_extended_is_refused(model, words, said):
    with pytest.raises(ModelError, match=said):
        enlarged(Tokenizer(model), words)


@pytest.mark.parametrize(
    ("splitter", "entry", "anywhere"),
    [
        (pre_tokenizers.BertPreTokenizer(), "virus", True),
        (pre_tokenizers.ByteLevel(add_prefix_space=False), "\u0120virus", False),
        (pre_tokenizers.Metaspace(), "\u2581virus", False),
        (pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]), "\u2581virus", False),
    ],
)
def test_a_word_is_spelled_as_within_a_text(splitter, entry, anywhere):
    letters = sorted({*pre_tokenizers.ByteLevel.alphabet(), "\u2581", "a"})
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = splitter
    spelling = Spelling(tokenizer)
    assert spelling.entry("virus") == entry
    assert spelling.anywhere is anywhere
    if isinstance(splitter, pre_tokenizers.BertPreTokenizer):
        assert spelling.entry("covid-19") is None
