"""The text by which forgetting is measured: of the package, or held out of a corpus of the study."""

import pytest

from acclimate.data.corpus import CorpusSettings
from acclimate.data.general import GENERAL
from acclimate.errors import DataError, SettingsError
from acclimate.tasks.general_text import CHARACTERS, DOCUMENTS, GeneralText


def test_that_of_the_package_is_the_beginnings_of_a_hundred_documents(tmp_path):
    text = GeneralText.open(GENERAL, {}, tmp_path)
    assert (len(text.documents), text.withheld) == (DOCUMENTS, frozenset())
    assert max(map(len, text.documents)) <= CHARACTERS
    assert text.fingerprint == GeneralText.open(GENERAL, {}, tmp_path).fingerprint
    assert len(text.sliver().documents) == 4
    assert text.sliver().fingerprint != text.fingerprint


def test_a_corpus_that_is_the_packaged_one_is_judged_by_its_own_held_out_documents(tmp_path):
    named = GeneralText.open("general", {"general": CorpusSettings(path=GENERAL)}, tmp_path)
    assert named == GeneralText.open(GENERAL, {}, tmp_path)


def test_of_another_a_twentieth_is_held_out_and_a_hundred_at_most(tmp_path):
    for count, held in ((200, 10), (4000, 100)):
        (tmp_path / "mine.txt").write_text("".join(f"document number {number}\n" for number in range(count)))
        text = GeneralText.open("mine", {"mine": CorpusSettings(path="mine.txt")}, tmp_path)
        assert (text.name, len(text.documents), len(text.withheld)) == ("mine", held, held)


def test_what_cannot_be_held_out_is_refused(tmp_path):
    (tmp_path / "few.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match=r"^forgetting: the corpus 'few' has 2 documents, too few .*or measure on the text that comes"):
        GeneralText.open("few", {"few": CorpusSettings(path="few.txt")}, tmp_path)
    with pytest.raises(SettingsError, match="forgetting: there is no corpus 'fww'; did you mean 'few'"):
        GeneralText.open("fww", {"few": CorpusSettings(path="few.txt")}, tmp_path)
