"""How many characters a WordPiece vocabulary begins with, and what is said of those that it leaves out."""

import re

import pytest
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.data.corpus import Corpus
from acclimate.data.vocabularies.learned import learn_vocabulary
from acclimate.errors import SettingsError

HAN = [chr(0x4E00 + number) for number in range(3000)]
# The first characters are frequent, all occur.
CHINESE = ["".join(HAN[(place * place) % count] for place in range(count)) for count in range(50, 3050, 50)] + ["".join(HAN)]


def learn(folder, texts, **settings):
    return learn_vocabulary(Corpus.of_texts("domain", texts, "fingerprint"), folder, **settings)


def test_thousands_of_characters_are_all_in_where_there_is_room(tmp_path):
    learned = learn(tmp_path / "out", CHINESE, size=16_384)
    assert (learned.different, learned.alphabet, learned.unknown_tokens) == (3000, 3000, 0)
    assert learned.entries == 3005
    assert learned.note == ""


def test_an_alphabet_takes_half_of_the_entries_at_most_beyond_its_first_thousand(tmp_path):
    learned = learn(tmp_path / "out", CHINESE, size=4005)
    assert learned.alphabet == 2000
    assert 0 < learned.unknown_share < 0.5


def test_a_few_stray_characters_in_much_text_take_no_room_from_words(tmp_path):
    learned = learn(tmp_path / "out", [*["a word and another " * 2000] * 50, "".join(HAN[:1200])], size=16_384)
    assert learned.alphabet == 1000  # one among a million and a half


def test_the_size_of_the_alphabet_can_be_set_and_the_most_frequent_are_taken(tmp_path):
    learned = learn(tmp_path / "out", ["aaaa bbb cc d"] * 3, size=100, characters=2)
    assert (learned.alphabet, learned.different) == (2, 4)
    assert learned.unknown_tokens == 2 * 3
    assert learned.unknown_share == 0.5
    assert "50.0 % of the tokens of this corpus are unknown" in learned.note
    assert "2 rare characters are left out, which --characters" in learned.note
    assert learn(tmp_path / "all", ["aaaa bbb cc d"], size=100, characters=900).alphabet == 4


def test_an_alphabet_that_does_not_fit_is_refused_with_both_mends(tmp_path):
    with pytest.raises(SettingsError, match=r"choose 1,005 or more, or fewer characters \(--characters\)"):
        learn(tmp_path / "out", CHINESE, size=500)
    assert not (tmp_path / "out").exists()
    assert learn(tmp_path / "out", CHINESE, size=500, characters=400).alphabet == 400


def test_bytes_have_no_alphabet_and_nothing_unknown(tmp_path):
    learned = learn(tmp_path / "out", CHINESE[:3], size=300, kind="bytes")
    assert (learned.different, learned.unknown_tokens, learned.note) == (0, 0, "")
    with pytest.raises(SettingsError, match="a vocabulary of bytes can write every character"):
        learn(tmp_path / "other", CHINESE[:3], size=300, kind="bytes", characters=10)


def test_the_verb_says_what_was_asked_for_what_came_of_it_and_what_is_unknown(tmp_path):
    (tmp_path / "text.txt").write_text("aaaa bbb cc d\n" * 3)
    arguments = ["tokenizer", str(tmp_path / "text.txt"), "--size", "100", "--characters", "2"]
    shown = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "words")])
    assert shown.exit_code == 0, shown.output
    assert re.search(r"entries +\d+ \(of 100 asked for", shown.output)
    assert re.search(r"characters +2 of 4 different ones in the corpus", shown.output)
    assert re.search(r"unknown +50\.0 % of the tokens are unknown \(6\)", shown.output)
    assert "note: 50.0 % of the tokens of this corpus are unknown" in shown.output


def test_words_that_are_too_long_are_said_to_be_unknown(tmp_path):
    learned = learn(tmp_path / "out", ["acgt" * 30 + " a"] * 3, size=100)
    assert learned.unknown_tokens == 3
    assert "are its words too long?" in learned.note
