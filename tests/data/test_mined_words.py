"""Words that a vocabulary breaks, by the tokens that they cost."""

from collections import Counter

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from acclimate.data.vocabularies import mined
from acclimate.data.vocabularies.larger import Spelling, enlarged, lengths
from acclimate.data.vocabularies.mined import Candidate, Rules, candidates, count_chunks, count_words, harmless, pieces_of

from .odd_vocabularies import SPECIAL

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
PLAIN = Rules(min_count=1)


def letters(**also):
    """A tokenizer like BERT's, of single letters and a few entries."""
    known = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *"()-,'", *also.get("entries", ())]
    tokenizer = Tokenizer(models.WordPiece({entry: number for number, entry in enumerate(known)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def byte_level():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def counted(texts, rules=PLAIN, tokenizer=None):
    return dict(count_words(count_chunks(texts), Spelling(tokenizer or letters()), rules))


def test_words_are_runs_of_letters_that_stand_beside_no_digit():
    assert counted(["The virus, (virus) virus's covid19 4x4 snake_case x-ray \u0915\u094d\u0937"]) == {
        "The": 1, "virus": 3, "s": 1, "x": 1, "ray": 1, "\u0915\u094d\u0937": 1,
    }  # fmt: skip


def test_digits_and_hyphens_are_taken_in_where_that_is_asked_for():
    texts = ["covid19 covid-19 19 x-ray 4x4"]
    assert counted(texts, Rules(1, digits=True)) == {"covid19": 1, "covid": 1, "x": 1, "ray": 1, "4x4": 1}
    assert counted(texts, Rules(1, hyphens=True)) == {"covid": 1, "x-ray": 1}
    assert counted(texts, Rules(1, digits=True, hyphens=True)) == {"covid19": 1, "covid": 1, "x-ray": 1, "4x4": 1}


def test_behind_a_bracket_bytes_write_a_word_in_another_way_so_it_does_not_count():
    assert counted(["virus (virus) virus, covid19"], tokenizer=byte_level()) == {"virus": 2}


def test_what_saves_most_comes_first_and_spellings_of_one_entry_count_together():
    tokenizer = letters(entries=("there",))
    words = Counter({"Virus": 3, "virus": 2, "VIRUS": 1, "there": 50, "abc": 12, "x": 9, "rare": 1, "na\u00efve": 2, "\u0915\u0915": 9})
    found = candidates(tokenizer, Spelling(tokenizer), words, 2)
    # What cannot be read has no pieces that an entry could stand for.
    assert found == [Candidate("abc", "abc", 12, 3), Candidate("virus", "Virus", 6, 5), Candidate("naive", "na\u00efve", 2, 5)]
    assert [each.saved for each in found] == [24, 24, 8]


def test_words_that_the_tokenizer_takes_apart_first_are_no_candidates():
    tokenizer = letters()
    assert candidates(tokenizer, Spelling(tokenizer), Counter({"x-ray": 9}), 1) == []
    metaspace = byte_level()
    metaspace.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    assert [each.entry for each in candidates(metaspace, Spelling(metaspace), Counter({"x-ray": 9}), 1)] == ["x-ray"]


def test_an_entry_that_makes_a_word_of_the_corpus_longer_is_left_out():
    tokenizer = letters(entries=("ab", "##cdef"))
    found = candidates(tokenizer, Spelling(tokenizer), Counter({"abc": 9, "xyz": 5, "abcdef": 1}), 2)
    assert [each.entry for each in found] == ["xyz", "abc"]
    assert [each.entry for each in harmless(tokenizer, found, 2, ["abc", "xyz", "abcd"])] == ["xyz", "abc"]
    chunks = ["abc", "xyz", "abcdef"]
    assert [each.entry for each in harmless(tokenizer, found, 2, chunks)] == ["xyz"]
    larger, _ = enlarged(tokenizer, ["xyz"])
    assert (lengths(larger, chunks) <= lengths(tokenizer, chunks)).all()


def test_an_entry_that_makes_a_word_of_the_corpus_unknown_is_left_out():
    known = [*SPECIAL, "ab", "##c", "##cdef", "x", "##y", "##z"]
    tokenizer = Tokenizer(models.WordPiece({entry: number for number, entry in enumerate(known)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found = [Candidate("abc", "abc", 9, 2), Candidate("xyz", "xyz", 5, 3)]
    assert [each.entry for each in harmless(tokenizer, found, 2, ["abc", "xyz", "abcdef"])] == ["xyz"]


def scored(**scores):
    pieces = [("[UNK]", 0.0), ("\u2581", -3.0), *((piece.replace("_", "\u2581"), score) for piece, score in scores.items())]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def test_an_entry_that_loses_against_its_pieces_is_no_candidate():
    tokenizer = scored(a=-1.0, b=-1.0, c=-1.0, _ab=-1.0, _abc=-5.0, _a=-2.0)
    assert tokenizer.encode("abc").tokens == ["\u2581ab", "c"]
    assert candidates(tokenizer, Spelling(tokenizer), Counter({"abc": 9}), 1) == []


def test_what_no_entry_is_to_blame_for_leaves_none_out():
    # A lower score makes unknown letters cost more: `abc d` changes although no new entry is in it.
    tokenizer = scored(a=-1.0, b=-1.0, c=-1.0, _a=-1.0, z=-1.0, _z=-9.0, cd=-12.0)
    found = candidates(tokenizer, Spelling(tokenizer), Counter({"zzz": 9}), 1)
    assert [each.entry for each in harmless(tokenizer, found, 1, [" zzz", " ad", " abd", " cd"])] == ["\u2581zzz"]


@pytest.mark.parametrize(("word", "pieces"), [("abc", 3), ("\u0915", 0), ("", 0)])
def test_pieces_of_a_word(word, pieces):
    tokenizer = letters()
    assert list(pieces_of(tokenizer, Spelling(tokenizer), [word])) == [pieces]


def test_memory_is_bounded_by_forgetting_what_occurred_once(monkeypatch):
    monkeypatch.setattr(mined, "MOST_CHUNKS", 5)
    counts = count_chunks(f"again w{number} and once" if number == 7 else f"again w{number} and" for number in range(40))
    assert (counts["again"], counts["and"]) == (40, 40)
    assert len(counts) <= 5
