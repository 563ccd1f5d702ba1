"""The plain baseline of pairs sees what texts share and what each has alone; it is kept, and says what it is for."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from acclimate.errors import SettingsError
from acclimate.evaluation.predictor import PairPredictor, load_predictor
from acclimate.modeling.baselines import tfidf_model
from acclimate.modeling.baselines.pair_features import OVERLAPS, pair_features
from acclimate.modeling.baselines.tfidf_model import Terms, fit, fit_each

FIRST = ["a man plays a flute", "a dog runs", "two girls sing", "the boy sleeps", "a cat drinks milk", "someone cooks"]
SECOND = ["a man plays a guitar", "a dog is running", "two girls sing", "nobody sleeps", "a cat drinks", "a plane lands"]


def test_features_are_shared_terms_terms_of_one_text_alone_and_overlaps():
    first, second = csr_matrix([[0.5, 0.25, 0.0, 0.0]]), csr_matrix([[0.125, 0.0, 1.0, 0.0]])
    found = pair_features(first, second).toarray()[0]
    assert found.shape == (3 * 4 + OVERLAPS,)
    assert found[:4].tolist() == [0.125, 0, 0, 0]
    assert found[4:8].tolist() == [0, 0.25, 0, 0]
    assert found[8:12].tolist() == [0, 0, 1, 0]
    np.testing.assert_allclose(found[12:], [0.0625, 1 / 3, 0.5, 0.5, 0.0])


def test_texts_without_terms_have_features_too():
    empty = csr_matrix((2, 3))
    assert np.isfinite(pair_features(empty, empty).toarray()).all()


@pytest.mark.parametrize(("link", "gold"), [("softmax", [0, 0, 1, 0, 1, 0]), ("none", [3.0, 4.5, 5.0, 0.5, 4.0, 0.0])])
def test_a_model_of_pairs_is_kept_and_says_the_same_again(tmp_path, link, gold):
    labels = ("other", "same") if link == "softmax" else ("score",)
    model = fit((FIRST, SECOND), np.array(gold), labels, 10.0, Terms(2, 1000), False, link)
    found = model.probabilities(FIRST, SECOND)
    assert found.shape == (6, len(labels))
    model.save(tmp_path)
    again = load_predictor(str(tmp_path))
    assert again.probabilities([], []).shape == (0, len(labels))
    with pytest.raises(TypeError, match=r"one text stands where several are wanted"):
        PairPredictor(again).probabilities("ab", ["a dog", "a cat"])
    np.testing.assert_array_equal(again.probabilities(FIRST, SECOND), found)
    # The order of a pair matters.
    assert not np.allclose(model.probabilities(SECOND, FIRST), found)


def test_numbers_are_estimated_by_ridge_regression():
    gold = np.array([3.0, 4.5, 5.0, 0.5, 4.0, 0.0])
    model = fit((FIRST, SECOND), gold, ("score",), 2.0, Terms(1, 1000), False, "none")
    matrix = model.features(FIRST, SECOND)
    wanted = Ridge(alpha=0.5).fit(matrix, gold).predict(matrix)
    np.testing.assert_allclose(model.probabilities(FIRST, SECOND)[:, 0], wanted)


def test_single_texts_and_pairs_are_not_taken_for_each_other():
    pairs = fit((FIRST, SECOND), np.array([0, 0, 1, 0, 1, 0]), ("a", "b"), 1.0, Terms(1, 1000), False)
    single = fit((FIRST,), np.array([0, 0, 1, 0, 1, 0]), ("a", "b"), 1.0, Terms(1, 1000), False)
    with pytest.raises(SettingsError, match="this model answers pairs, and was given single texts"):
        pairs.probabilities(FIRST)
    with pytest.raises(SettingsError, match="this model answers single texts, and was given pairs"):
        single.probabilities(FIRST, SECOND)


@pytest.mark.parametrize("columns", [(["a b", "b c", "c a"],), (["a b", "b c", "c a"], ["b", "c", "a b"])], ids=["texts", "pairs"])
def test_every_strength_is_fitted_as_if_alone_and_terms_are_counted_once(columns, monkeypatch):
    asked = (np.array([0, 1, 0]), ("no", "yes"))
    alone = {strength: fit(columns, *asked, strength, Terms(2, 100), False) for strength in (0.1, 1.0, 10.0)}
    made, vectorizer = [], tfidf_model.vectorizer_of
    monkeypatch.setattr(tfidf_model, "vectorizer_of", lambda *how, **more: made.append(how) or vectorizer(*how, **more))
    together = dict(fit_each(columns, *asked, tuple(alone), Terms(2, 100), False))
    assert len(made) == 1
    assert together.keys() == alone.keys()
    for strength, model in alone.items():
        assert together[strength].terms == model.terms
        for name in ("idf", "weights", "bias"):
            np.testing.assert_array_equal(getattr(together[strength], name), getattr(model, name))
