"""Plain baselines that give each label by itself, and the config.json by which they say so."""

import json

import numpy as np
import pytest

from acclimate.errors import ModelError
from acclimate.evaluation.predictor import load_predictor, problem_of
from acclimate.evaluation.stated import thresholds_of
from acclimate.modeling.baselines.majority_model import MajorityModel
from acclimate.modeling.baselines.tfidf_model import Terms, fit

TEXTS = ["good cake", "bad cake", "good queue", "bad queue", "good good", "bad bad"]
GOLD = np.array([[1, 1, 0, 1], [0, 1, 0, 1], [1, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 1], [0, 0, 0, 1]], dtype=bool)
LABELS = ("good", "cake", "nobody", "everybody")


def test_tfidf_has_a_regression_a_label_and_none_where_there_is_nothing_to_tell(tmp_path):
    from sklearn.linear_model import LogisticRegression

    model = fit((TEXTS,), GOLD, LABELS, 10.0, Terms(1, 100), False, "sigmoid")
    found = model.probabilities(TEXTS)
    for number in (0, 1):
        theirs = LogisticRegression(C=10.0, max_iter=2000).fit(model.features(TEXTS), GOLD[:, number])
        np.testing.assert_allclose(found[:, number], theirs.predict_proba(model.features(TEXTS))[:, 1], atol=1e-6)
    assert found[:, 2].max() < 1e-9
    assert found[:, 3].min() > 1 - 1e-9
    model.save(tmp_path)
    again = load_predictor(tmp_path)
    assert problem_of(again) == "multi_label_classification"
    np.testing.assert_array_equal(again.probabilities(TEXTS), found)


def test_majority_gives_what_more_than_half_have(tmp_path):
    model = MajorityModel.of(GOLD, LABELS, "sigmoid")
    assert model.shares == pytest.approx((0.5, 1 / 3, 0, 1))
    model.save(tmp_path)
    assert problem_of(load_predictor(tmp_path)) == "multi_label_classification"
    MajorityModel.of(np.array([0, 1, 1]), ("a", "b")).save(tmp_path / "one")
    assert "problem_type" not in json.loads((tmp_path / "one" / "config.json").read_text())


def test_thresholds_that_do_not_fit_the_labels_are_an_error(tmp_path):
    MajorityModel.of(GOLD, LABELS, "sigmoid").save(tmp_path)
    assert thresholds_of(tmp_path, LABELS) is None
    config = json.loads((tmp_path / "config.json").read_text())
    for wrong in ([0.5], {"good": 0.5}, ["a"] * 4):
        (tmp_path / "config.json").write_text(json.dumps(config | {"acclimate_thresholds": wrong}))
        with pytest.raises(ModelError, match="must be 4 numbers, one for each label in order"):
            thresholds_of(tmp_path, LABELS)
