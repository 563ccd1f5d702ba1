"""What the plain baseline for tags sees of words, and what it makes of it."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from acclimate import load_predictor
from acclimate.data.found_words import found_words
from acclimate.data.ragged import Ragged
from acclimate.errors import ModelError
from acclimate.modeling.baselines.linear_tagger_model import LinearTagger, fits
from acclimate.modeling.baselines.word_features import WordFeatures, of_neighbour, of_word, shape_of

TEXTS = ("Anna lives in Rome", "Bob went to Paris", "Anna saw Bob", "in Rome and Paris", "Rome")
TAGS = ([1, 0, 0, 2], [1, 0, 0, 2], [1, 0, 1], [0, 2, 0, 2], [2])
NAMES = ("O", "B-person", "B-place", "I-place")
WORDS = found_words(TEXTS)


@pytest.fixture(scope="module")
def model():
    ((_, fitted),) = fits(TEXTS, WORDS, Ragged.of(TAGS).values, NAMES, (10.0,), 1)
    return fitted


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("McDonald's-1996", "XxXxx'x-99"),
        ("IBM", "XX"),
        ("a", "x"),
        ("Ångström", "Xxx"),
        ("3.141", "9.99"),
        ("...", ".."),
        ("你好吗", "xx"),
    ],
)
def test_a_shape_keeps_case_digits_and_signs(word, shape):
    assert shape_of(word) == shape


def test_a_word_is_seen_by_itself_its_letters_and_its_shape_and_a_neighbour_by_less():
    assert of_word("Anti-X9") == [
        "word=anti-x9", "shape=Xxx-X9", "begins=a", "ends=9", "begins=an", "ends=x9", "begins=ant", "ends=-x9", "begins=anti", "ends=i-x9",
        "capital", "digit", "hyphen",
    ]  # fmt: skip
    assert of_word("UN") == ["word=un", "shape=XX", "begins=u", "ends=n", "capital", "upper"]
    assert of_neighbour("Anti-X9") == ["word=anti-x9", "shape=Xxx-X9", "ends=-x9"]


def seen(features, row):
    names = [f"own {name}" for name in features.own] + [f"{step:+} {name}" for step in (-2, -1, 1, 2) for name in features.near]
    return {name for name in (names[column] for column in row.indices) if "word=" in name or name[3:] in ("first", "last")}


def test_a_row_holds_the_word_and_two_neighbours_on_either_side_of_its_own_text_alone():
    features = WordFeatures.of(TEXTS, WORDS, 1)
    matrix = features.matrix(TEXTS, WORDS)
    assert matrix.shape == (len(WORDS.values), len(features))
    assert seen(features, matrix[1]) == {"own word=lives", "-2 first", "-1 word=anna", "+1 word=in", "+2 word=rome"}
    assert seen(features, matrix[4]) == {"own word=bob", "-2 first", "-1 first", "+1 word=went", "+2 word=to"}
    assert seen(features, matrix[-1]) == {"own word=rome", "-2 first", "-1 first", "+1 last", "+2 last"}


def test_features_of_few_words_are_left_out():
    features = WordFeatures.of(TEXTS, WORDS, 2)
    assert "word=rome" in features.own
    assert "word=lives" not in features.own
    assert "word=lives" not in features.near
    assert len(features.matrix(("lives",), found_words(("lives",))).indices) < len(of_word("lives")) + 4


def test_it_gives_a_row_of_probabilities_for_every_word_and_knows_what_it_was_taught(model):
    probabilities = model.probabilities(TEXTS, words=WORDS)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert probabilities.argmax(axis=1).tolist() == Ragged.of(TAGS).values.tolist()
    assert probabilities[:, 3].max() < 1e-9, "no word of train is I-place"
    assert model.probabilities(("Anna went to Rome",)).argmax(axis=1).tolist() == [1, 0, 0, 2]
    assert model.probabilities(()).shape == (0, 4)
    assert model.probabilities(("", "Rome")).shape == (1, 4)


def test_many_texts_are_answered_as_each_by_itself(model, monkeypatch):
    monkeypatch.setattr("acclimate.modeling.baselines.linear_tagger_model.TEXTS", 2)
    together = model.probabilities(TEXTS, words=WORDS)
    np.testing.assert_array_equal(together, np.concatenate([model.probabilities((text,)) for text in TEXTS]))


def test_strengths_go_from_the_lowest_to_the_highest_and_give_what_each_gives_by_itself():
    gold = Ragged.of(TAGS).values
    together = dict(fits(TEXTS, WORDS, gold, NAMES, (10.0, 0.1), 1))
    assert list(together) == [0.1, 10.0]
    ((_, alone),) = fits(TEXTS, WORDS, gold, NAMES, (10.0,), 1)
    np.testing.assert_allclose(together[10.0].probabilities(TEXTS), alone.probabilities(TEXTS), atol=0.01)


def test_where_all_tags_are_the_same_that_is_the_answer():
    ((_, model),) = fits(TEXTS, WORDS, np.zeros(len(WORDS.values), dtype=np.int64), NAMES, (1.0,), 1)
    assert model.probabilities(("Anna",))[0, 0] == pytest.approx(1)


def test_a_saved_model_gives_the_same_probabilities_and_no_pickle_is_written(model, tmp_path):
    model.save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    predictor = load_predictor(tmp_path / "model")
    assert predictor.labels == NAMES
    np.testing.assert_array_equal(predictor.probabilities(TEXTS, words=WORDS), model.probabilities(TEXTS, words=WORDS))


def test_another_or_a_damaged_folder_is_refused(model, tmp_path):
    model.save(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps({**config, "near": config["near"][1:]}))
    with pytest.raises(ModelError, match=r"does not fit config\.json"):
        load_predictor(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    weights = load_file(tmp_path / "model" / "model.safetensors")
    save_file({**weights, "bias": weights["bias"] * np.nan}, tmp_path / "model" / "model.safetensors")
    with pytest.raises(ModelError, match="weights 'bias' are not finite numbers"):
        load_predictor(tmp_path / "model")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="not a linear tagger but 'bert'"):
        LinearTagger.load(tmp_path)
