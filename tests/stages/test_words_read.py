"""`words: marks` lets the plain baselines over words read what only marks tell; without it the plan says what they do not see."""

import json

import numpy as np
import pytest

from acclimate.modeling.baselines.bilstm_model import BilstmClassifier, BilstmConfig
from acclimate.modeling.baselines.tfidf_model import Terms, TfidfModel, fit
from acclimate.modeling.baselines.word_list import WordList, words_and_marks_of

TEXTS = ("<< aspirin >> inhibits [[ cox ]].", "[[ aspirin ]] inhibits << cox >>.")
GOLD = np.array([0, 1])
NOTE = "carry marks that it does not see, << >> [[ ]]: `words: marks` lets it read marks and punctuation"


def test_a_mark_is_a_run_of_one_sign_and_letters_stay_together():
    assert words_and_marks_of("<< Cox-2 >>]]. Wow!!! a_b 😀😀👍") == [
        "<<",
        "cox",
        "-",
        "2",
        ">>",
        "]]",
        ".",
        "wow",
        "!!!",
        "a_b",
        "😀😀",
        "👍",
    ]


@pytest.mark.parametrize("columns", [(TEXTS,), (TEXTS, TEXTS[::-1])], ids=["texts", "pairs"])
def test_tf_idf_tells_texts_apart_by_marks_alone_also_when_it_was_saved(columns, tmp_path):
    blind = fit((TEXTS,), GOLD, ("a", "b"), 100.0, Terms(1, None), False)
    np.testing.assert_allclose(*blind.probabilities(TEXTS))
    model = fit(columns, GOLD, ("a", "b"), 100.0, Terms(2, None, marks=True), False)
    assert "<< aspirin" in model.terms
    found = model.probabilities(*columns)
    assert found.argmax(axis=1).tolist() == [0, 1]
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(TfidfModel.load(tmp_path / "model").probabilities(*columns), found)


def test_a_bilstm_that_read_marks_reads_them_again_when_it_is_loaded(tmp_path):
    words = WordList.of(TEXTS, 100, 1, marks=True)
    model = BilstmClassifier(BilstmConfig(("a", "b"), words, 4, 4, 1, 50))
    model.save(tmp_path / "model")
    loaded = BilstmClassifier.load(tmp_path / "model")
    for text in TEXTS:
        np.testing.assert_array_equal(loaded.sequences([text]).store.tokens, model.sequences([text]).store.tokens)
    assert len(loaded.sequences([TEXTS[0]]).store.tokens) == len(words_and_marks_of(TEXTS[0])) == 8


def test_models_that_read_letters_say_nothing_of_it(tmp_path):
    fit((TEXTS,), GOLD, ("a", "b"), 1.0, Terms(1, None), False).save(tmp_path / "tfidf")
    BilstmClassifier(BilstmConfig(("a", "b"), WordList.of(TEXTS, 100, 1), 4, 4, 1, 50)).save(tmp_path / "bilstm")
    assert all("marks" not in json.loads((tmp_path / name / "config.json").read_text()) for name in ("tfidf", "bilstm"))


def test_the_plan_and_the_run_tell_of_marks_that_are_not_seen(acclimate, one_process, tmp_path):
    rows = [{"text": f"{TEXTS[number % 2]} {number}", "label": "ab"[number % 2]} for number in range(40)]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = """
data: {task: {path: all.jsonl}}
recipes: {blind: {base: tfidf}, net: {base: bilstm}, seeing: {base: {tfidf: {words: marks}}}}
"""
    (tmp_path / "study.yaml").write_text(study)
    planned = acclimate("plan", "study.yaml", folder=tmp_path).stdout.splitlines()
    assert [line for line in planned if NOTE in line] == [f"note: blind, net: 28 of 28 training texts {NOTE}"]
    for words in ("letters", "marks"):
        ran = acclimate("finetune", "tfidf", "all.jsonl", "--out", words, "--set", f"words={words}", folder=tmp_path)
        assert (NOTE in ran.stdout) == (words == "letters")
    assert TfidfModel.load(tmp_path / "marks").probabilities(TEXTS).argmax(axis=1).tolist() == [0, 1]


def test_a_tagger_sees_marks_as_words_and_has_no_such_setting(acclimate, tmp_path):
    (tmp_path / "all.conll").write_text("Ada B-PER\n. O\n\n" * 9)
    ran = acclimate("finetune", "linear_tagger", "all.conll", "--kind", "tag", "--out", "x", "--set", "words=marks", folder=tmp_path)
    assert ran.returncode == 2
    assert "words" in ran.stderr
