"""A model's folder that is damaged or incomplete is an error that names it, and never a traceback."""

import json

import pytest

from acclimate.errors import AcclimateError, ModelError
from acclimate.evaluation.predictor import load_predictor

MAJORITY = {"model_type": "acclimate-majority", "labels": ["a", "b"], "shares": [0.5, 0.5]}


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "acclimate-majority"}, MAJORITY | {"shares": [1]}, MAJORITY | {"shares": ["x", "y"]},
        MAJORITY | {"labels": [], "shares": []}, MAJORITY | {"labels": ["a", "a"]}, {"model_type": "acclimate-tfidf"},
        {"model_type": "acclimate-tfidf", "labels": ["a"], "terms": ["x"], "ngrams": 1}, {"model_type": "acclimate-bilstm"},
        {"model_type": "nonsense"}, {}, [1],
    ],
)  # fmt: skip
def test_a_config_that_does_not_describe_a_model_is_refused(config, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(AcclimateError, match=str(tmp_path)):
        load_predictor(tmp_path)


@pytest.mark.parametrize("left", [0, 5, 200])
def test_weights_that_end_too_early_are_refused(left, tmp_path):
    import numpy as np

    from acclimate.modeling.baselines.tfidf_model import TfidfModel

    TfidfModel(("a", "b"), ("x",), 1, np.ones(1), np.ones((2, 1)), np.zeros(2)).save(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:left])
    with pytest.raises(ModelError, match="damaged"):
        load_predictor(tmp_path)


def test_weights_in_other_files_are_named(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "acclimate-tfidf", "labels": ["a"], "terms": ["x"], "ngrams": 1}))
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"model\.safetensors: not there.*pytorch_model\.bin.*save the model as one"):
        load_predictor(tmp_path)
