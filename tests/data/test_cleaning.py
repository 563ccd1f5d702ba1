"""What a corpus leaves out on purpose: counted, part of its fingerprint, and the same at every reading."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from acclimate.data.cleaning import Cleaned, Cleaning
from acclimate.data.corpus import Corpus, CorpusSettings

LINES = ["A _fine_ day", "*** START OF THE EBOOK ***", "a  fine DAY", "___", "another day", "a fine day"]


@pytest.fixture
def read(tmp_path: Path):
    (tmp_path / "corpus.txt").write_text("\n".join(LINES) + "\n")

    def make(**settings) -> Corpus:
        return Corpus.open("corpus", CorpusSettings(path="corpus.txt", **settings), tmp_path)

    return make


def test_patterns_leave_documents_out_and_remove_parts_and_repetitions_are_read_once(read):
    corpus = read(leave_out=["EBOOK"], remove=["_"], duplicates="drop")
    assert list(corpus.documents()) == ["A fine day", "another day"]
    assert list(corpus.documents()) == ["A fine day", "another day"]
    facts = corpus.facts
    assert (facts.documents, facts.left_out, facts.repeated) == (2, 2, 2)


def test_without_settings_everything_is_read_and_the_fingerprint_is_the_old_one(read):
    corpus = read()
    assert list(corpus.documents()) == LINES
    assert (corpus.facts.left_out, corpus.facts.repeated) == (0, 0)
    assert (
        len({read().fingerprint, read(remove=["_"]).fingerprint, read(leave_out=["_"]).fingerprint, read(duplicates="drop").fingerprint})
        == 4
    )


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(ValidationError, match=r"'\(' is not a regular expression"):
        CorpusSettings(path="x", remove=["("])


@given(st.lists(st.text(alphabet="aB \t", max_size=4)))
def test_of_equal_documents_the_first_stays(documents):
    counts = Cleaned()
    kept = [text for (text,) in Cleaning((), (), True).of(((text,) for text in documents), counts)]
    plain = [" ".join(text.lower().split()) for text in documents]
    assert [" ".join(text.lower().split()) for text in kept] == list(dict.fromkeys(plain))
    assert all(any(text is document for document in documents) for text in kept)
    assert len(kept) + counts.repeated == len(documents)
