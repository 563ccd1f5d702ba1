import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.errors import ModelError
from acclimate.evaluation.predictor import load_predictor
from acclimate.modeling.baselines.majority_model import MajorityModel


@given(st.lists(st.integers(0, 3), min_size=1, max_size=50))
def test_probabilities_are_the_shares_of_the_training_texts_whatever_the_text(gold):
    model = MajorityModel.of(np.array(gold), ("a", "b", "c", "d"))
    probabilities = model.probabilities(["", "some text"])
    assert probabilities.shape == (2, 4)
    assert np.array_equal(probabilities[0], probabilities[1])
    assert probabilities[0] == pytest.approx([gold.count(number) / len(gold) for number in range(4)])


def test_of_equally_frequent_classes_the_first_is_predicted():
    assert MajorityModel.of(np.array([2, 1, 1, 2]), ("a", "b", "c")).probabilities(["x"]).argmax() == 1


def test_a_saved_model_gives_the_same_probabilities_and_is_one_file_of_json(tmp_path):
    model = MajorityModel.of(np.array([0, 1, 1]), ("neg", "pos"))
    model.save(tmp_path / "model")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["config.json"]
    assert json.loads((tmp_path / "model" / "config.json").read_text())["model_type"] == "acclimate-majority"
    predictor = load_predictor(tmp_path / "model")
    assert predictor.labels == ("neg", "pos")
    assert np.array_equal(predictor.probabilities(["a", ""]), model.probabilities(["a", ""]))
    assert predictor.probabilities([]).shape == (0, 2)


def test_another_kind_of_folder_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="not a majority baseline but 'bert'"):
        MajorityModel.load(tmp_path)
