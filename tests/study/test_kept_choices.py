"""Which documents were chosen is said by the names that corpora have now, and stays in the results when the store has forgotten it."""

import shutil

import pyarrow.parquet as pq

from acclimate.data.corpus import Corpus
from acclimate.data.selection import dsir
from acclimate.data.selection.candidates import Candidates
from acclimate.data.selection.chosen import Chosen, write_chosen
from acclimate.data.selection.ranked import Budget
from acclimate.study.outputs.selected import write_selected

TEXTS = {"old": ["a b", "c d", "e f"], "other": ["g h", "i j"]}


def chosen(folder, *sources):
    folder.mkdir()
    candidates = Candidates([Corpus.of_texts(name, texts, "x") for name, texts in TEXTS.items()], frozenset())
    write_chosen(dsir.choose_randomly(candidates, Budget(None, 5), 0), candidates, [*TEXTS], None, folder)
    return Chosen(folder, "key", "at random", sources)


def test_a_corpus_that_was_renamed_since_is_told_by_its_name(tmp_path):
    found = chosen(tmp_path / "artifact", "new", "other")
    assert found.without_texts()["corpus"].to_pylist() == ["new"] * 3 + ["other"] * 2
    assert {each["corpus"] for each in found.facts["examples"].values()} <= {"new", "other"}
    assert list(found.corpus("near").documents()) == [text for texts in TEXTS.values() for text in texts]


def test_what_is_no_longer_in_the_store_stays_in_the_results_if_it_is_still_what_the_study_chooses(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    write_selected({"my near": "key"}, {"my near": chosen(tmp_path / "artifact", *TEXTS)}, before, tmp_path / "none")
    shutil.rmtree(tmp_path / "artifact")
    write_selected({"my near": "key"}, {}, after, before)
    assert pq.read_table(after / "selected/my_near.parquet")["document"].to_pylist() == [0, 1, 2, 0, 1]
    write_selected({"my near": "another key"}, {}, tmp_path / "changed", before)
    assert not (tmp_path / "changed").exists()
