"""Entities of tags: from probabilities to answers, in files and in Python."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from acclimate import load_predictor
from acclimate.data.corpus import CorpusSettings
from acclimate.data.found_words import found_words
from acclimate.data.ragged import Ragged
from acclimate.data.readers.every_text import AskedFiles
from acclimate.errors import DataError, ModelError
from acclimate.evaluation.apply import evaluate_file, predict_file
from acclimate.evaluation.entities import Entity, entities_in
from acclimate.files import read_json, write_json
from acclimate.modeling.baselines.linear_tagger_model import fits
from acclimate.modeling.baselines.majority_model import MajorityModel

NAMES = ("O", "B-person", "I-person", "B-place", "I-place")
TEXTS = ("Anna Lee lives in Rome", "Bob Ray went to New York", "Anna Lee saw Bob Ray", "in Rome and New York", "Rome")
TAGS = ([1, 2, 0, 0, 3], [1, 2, 0, 0, 3, 4], [1, 2, 0, 1, 2], [0, 3, 0, 3, 4], [3])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a tagger in `model/`, as a study hands it over."""
    monkeypatch.chdir(tmp_path)
    ((_, model),) = fits(TEXTS, found_words(TEXTS), Ragged.of(TAGS).values, NAMES, (100.0,), 1)
    model.save(tmp_path / "model")
    write_json(tmp_path / "model" / "config.json", {**read_json(tmp_path / "model" / "config.json"), "acclimate_kind": "tag"})
    return tmp_path


def probabilities(rows, sure=0.9):
    """Those of words that are tagged so."""
    tags = np.array([NAMES.index(tag) for row in rows for tag in row])
    return np.where(np.arange(len(NAMES)) == tags[:, None], sure, (1 - sure) / (len(NAMES) - 1))


def test_entities_are_made_of_words_with_offsets_and_the_mean_of_their_probabilities():
    texts = ("Dr. Anna  Lee-Ray (Rome)", "", "Rome, Rome")
    rows = (["O", "O", "B-person", "I-person", "I-person", "I-person", "O", "B-place", "O"], [], ["I-place", "O", "B-place"])
    found = probabilities(rows)
    found[3, 2] = 0.6
    assert entities_in(texts, found_words(texts), found, NAMES) == [
        [
            Entity(4, 17, "person", "Anna  Lee-Ray", pytest.approx((0.9 * 3 + 0.6) / 4)),
            Entity(19, 23, "place", "Rome", pytest.approx(0.9)),
        ],
        [],
        [Entity(0, 4, "place", "Rome", pytest.approx(0.9)), Entity(6, 10, "place", "Rome", pytest.approx(0.9))],
    ]


def test_an_entity_ends_where_another_begins_and_where_its_text_ends():
    texts = ("a b", "c d")
    rows = (["B-place", "B-place"], ["I-place", "I-person"])
    assert [
        [(entity.text, entity.label) for entity in each] for each in entities_in(texts, found_words(texts), probabilities(rows), NAMES)
    ] == [
        [("a", "place"), ("b", "place")],
        [("c", "place"), ("d", "person")],
    ]


def test_no_texts_have_no_entities():
    assert entities_in((), found_words(()), np.zeros((0, 5)), NAMES) == []
    assert entities_in(("",), found_words(("",)), np.zeros((0, 5)), NAMES) == [[]]


def test_one_text_is_not_taken_for_a_list_of_letters(here):
    model = load_predictor(here / "model")
    with pytest.raises(TypeError, match="put it into a list"):
        model.entities("Anna Lee lives in Rome")
    assert model.entities([""]) == [[]]


def test_a_predictor_says_entities_of_raw_text_and_of_words_that_are_given(here):
    predictor = load_predictor(here / "model")
    assert predictor.labels == NAMES
    assert predictor.types == ("person", "place")
    ((person, place),) = predictor.entities(["Bob Ray saw Rome"])
    assert person[:4] == (0, 7, "person", "Bob Ray")
    assert place[:4] == (12, 16, "place", "Rome")
    assert 0.5 < place.score <= 1
    assert predictor.probabilities(["Bob Ray"]).shape == (2, 5)
    only = Ragged(np.array([[12, 16]]), np.array([0, 1]))
    assert [entity.text for entity in predictor.entities(["Bob Ray saw Rome"], words=only)[0]] == ["Rome"]


def predict(path, out=None, **reading):
    stream, said = io.BytesIO(), []
    predict_file(Path("model"), CorpusSettings(path=str(path), **reading), out, stream, said.append)
    return [json.loads(line) for line in stream.getvalue().decode().splitlines()], "\n".join(said)


def named(answers):
    return [None if answer["entities"] is None else [(each["text"], each["label"]) for each in answer["entities"]] for answer in answers]


def test_every_line_of_txt_is_answered_with_entities(here):
    (here / "new.txt").write_text("Anna Lee (Rome)!\n\nnothing here\n")
    answers, said = predict("new.txt")
    assert named(answers) == [[("Anna Lee", "person"), ("Rome", "place")], None, []]
    assert answers[0]["entities"][1]["start"] == 10
    assert answers[0].keys() == {"index", "entities"}
    assert "the line is blank" in answers[1]["problem"]
    assert "1 of 3 rows has no text" in said


def test_rows_of_tokens_keep_their_words_and_get_a_tag_each(here):
    rows = [
        {"tokens": ["Bob", "Ray", "in", "New", "York"], "tags": ["O"] * 5}, {"tokens": []}, {"tokens": ["a", ""]}, {"tokens": ["a b"]},
        {"tokens": ["x", 3]}, {"tokens": "Rome"}, {"tokens": None}, {"tokens": ["Rome"]},
    ]  # fmt: skip
    (here / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers, said = predict("new.jsonl")
    assert answers[0]["tags"] == ["B-person", "I-person", "O", "B-place", "I-place"]
    assert [(each["start"], each["end"]) for each in answers[0]["entities"]] == [(0, 7), (11, 19)]
    assert [answer["tags"] for answer in answers[1:7]] == [None] * 6
    assert answers[7]["tags"] == ["B-place"]
    for number, why in enumerate(
        ("is empty", "an empty string", "white space", "int as token 2", "str, a list", "NoneType, a list"), start=1
    ):
        assert f"new.jsonl:{number + 1}: 'tokens' " in answers[number]["problem"]
        assert why in answers[number]["problem"]
    assert "6 of 8 rows have no text" in said


def test_texts_beside_tags_are_read_as_texts_and_a_column_can_be_named(here):
    (here / "new.jsonl").write_text(json.dumps({"text": "Rome", "entities": [], "body": ["in", "Rome"]}) + "\n")
    assert predict("new.jsonl")[0][0].keys() == {"index", "entities"}
    assert predict("new.jsonl", text="body")[0][0]["tags"] == ["O", "B-place"]
    with pytest.raises(DataError, match="no column 'nobody'"):
        predict("new.jsonl", text="nobody")


def test_a_table_holds_entities_as_json(here):
    (here / "new.jsonl").write_text('{"tokens": ["Rome"]}\n{"tokens": []}\n')
    predict("new.jsonl", Path("out.csv"))
    rows = list(csv.DictReader((here / "out.csv").open(newline="")))
    assert json.loads(rows[0]["entities"])[0]["text"] == "Rome"
    assert json.loads(rows[0]["tags"]) == ["B-place"]
    assert (rows[1]["entities"], rows[1]["tags"]) == ("", "")
    assert "is empty" in rows[1]["problem"]


def test_weights_that_give_no_numbers_are_the_models_fault_and_the_first_row_is_named(here, monkeypatch):
    (here / "new.txt").write_text("one two\nthree Rome\n")
    monkeypatch.setattr(
        "acclimate.modeling.baselines.linear_tagger_model.LinearTagger.probabilities",
        lambda self, texts, words: np.where(np.arange(4)[:, None] == 3, np.nan, 0.2) + np.zeros((4, 5)),
    )
    with pytest.raises(ModelError, match=r"new\.txt:2; copy"):
        predict("new.txt")


def test_evaluate_says_the_scores_of_entities(here):
    rows = [{"tokens": text.split(), "tags": [NAMES[number] for number in tags]} for text, tags in zip(TEXTS, TAGS, strict=True)]
    rows[4]["tags"] = ["B-person"]
    (here / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = []
    scores = evaluate_file(Path("model"), "gold.jsonl", {}, said.append)
    assert scores["sentences"] == 5
    assert scores["entity_f1"] == pytest.approx(8 / 9)
    assert "evaluated on 5 sentences of" in "\n".join(said)


SENTENCES = "-DOCSTART-\tO\n\nBob\tB-person\nRay\tI-person\nin\tO\nRome\tB-place\n\nNew\tO\nYork\tO\n"


@pytest.mark.parametrize(("name", "more"), [("new.conll", {}), ("new.txt", {}), ("new.words", {"format": "conll"})])
def test_sentences_in_columns_keep_their_words(here, name, more):
    (here / name).write_text(SENTENCES)
    stream = io.BytesIO()
    predict_file(Path("model"), AskedFiles(path=name, **more), None, stream, lambda _: None)
    answers = [json.loads(line) for line in stream.getvalue().decode().splitlines()]
    assert [answer["tags"] for answer in answers] == [["B-person", "I-person", "O", "B-place"], ["B-place", "I-place"]]


def test_words_without_tags_one_a_line_are_sentences_where_that_is_said_and_lines_of_text_are_not(here, acclimate):
    (here / "new.txt").write_text("Bob\nRay\n\nRome\n")
    assert named(predict("new.txt")[0]) == [[("Bob", "person")], [("Ray", "person")], None, [("Rome", "place")]]
    answers = acclimate("predict", "model", "new.txt", "--format", "conll").stdout.splitlines()
    assert [json.loads(answer)["tags"] for answer in answers] == [["B-person", "I-person"], ["B-place"]]


def test_sentences_in_columns_are_nothing_for_models_that_answer_texts_and_txt_without_tags_is_nothing_to_judge_by(here):
    MajorityModel(("neg", "pos"), (0.25, 0.75)).save(here / "shares")
    (here / "new.conll").write_text(SENTENCES)
    with pytest.raises(DataError, match=r"new\.conll: a word a line \(CoNLL\), which models that tag words are asked about"):
        predict_file(Path("shares"), CorpusSettings(path="new.conll"), None, io.BytesIO(), lambda _: None)
    with pytest.raises(DataError, match=r"new\.conll: a word a line \(CoNLL\)"):
        evaluate_file(Path("shares"), "new.conll", {}, lambda _: None)
    (here / "new.txt").write_text("Anna Lee lives in Rome\n")
    with pytest.raises(DataError, match="say `format: conll` if it has a word and its tag a line"):
        evaluate_file(Path("model"), "new.txt", {}, lambda _: None)
