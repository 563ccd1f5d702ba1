"""The packaged general corpus is named like a path, and what models are judged by is no part of what they read."""

from pathlib import Path

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.general import GENERAL, general_heldout, general_text


def test_it_is_named_wherever_a_path_is(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("one of my own\n")
    alone = Corpus.open("general", CorpusSettings(path=GENERAL), tmp_path)
    beside = Corpus.open("both", CorpusSettings(path=("mine.txt", GENERAL)), tmp_path)
    assert alone.files == (general_text(),)
    assert (alone.facts.documents, alone.facts.words) == (4956, 970_167), "as its README says"
    assert beside.facts.documents == 4957


def test_held_out_documents_share_no_sentence_with_what_is_read() -> None:
    held, read = (
        list(Corpus.open("general", CorpusSettings(path=str(path), documents="line"), Path("/")).documents())
        for path in (general_heldout(), general_text())
    )
    assert len(held) == 100
    assert max(map(len, held)) <= 600
    text = "\n".join(read)
    shared = [sentence for document in held for sentence in document.split(". ") if len(sentence.split()) >= 8 and sentence in text]
    assert not shared
