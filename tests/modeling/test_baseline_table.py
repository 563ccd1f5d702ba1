"""The plain baselines' models are values of one table: another one is one line more."""

import numpy as np
import pytest
from tests.toys.lengths import MODEL_TYPE, LengthsModel

from acclimate import load_predictor
from acclimate.errors import ModelError
from acclimate.modeling.baselines.table import BASELINES, load_baseline


def test_a_baseline_of_a_longer_table_predicts_like_those_of_ours(tmp_path):
    model = LengthsModel(("short", "long"), (3.0, 300.0), 9.0)
    model.save(tmp_path / "model")
    predictor = load_predictor(tmp_path / "model", baselines={**BASELINES, MODEL_TYPE: "tests.toys.lengths:LengthsModel"})
    assert predictor.labels == ("short", "long")
    np.testing.assert_array_equal(predictor.probabilities(["a", "b" * 500]).argmax(axis=1), [0, 1])


def test_a_baseline_that_is_not_in_the_table_is_no_model_that_is_known(tmp_path):
    LengthsModel(("short", "long"), (3.0, 300.0), 9.0).save(tmp_path)
    assert load_baseline(tmp_path, {"model_type": MODEL_TYPE}) is None
    with pytest.raises(ModelError):
        load_predictor(tmp_path)


@pytest.mark.parametrize("damage", [{"model_type": ["acclimate-tfidf"]}, {}, {"model_type": None}])
def test_an_odd_model_type_is_no_baseline(damage, tmp_path):
    assert load_baseline(tmp_path, damage) is None
