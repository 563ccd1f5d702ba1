"""Training through the head for masked words: from where the prompt stands, bitwise the same after a stop."""

import numpy as np
import pytest
from tests.stages.test_every_stage import context, files, world  # noqa: F401 - a fixture

from acclimate import load_predictor
from acclimate.errors import Interrupted
from acclimate.evaluation.predictions import read_predictions
from acclimate.stages.finetune import Finetune
from acclimate.stages.prompt import Prompt

ASKED = {"template": "{text} it was {mask}", "names": {"sport": "match", "trade": "bank", "music": ["song", "tune"]}}
SHORT = {"head": {"mlm": ASKED}, "epochs": 1.0, "min_steps": 0}


@pytest.fixture(scope="module")
def knowing(world):  # noqa: F811
    """Sentences with labels, and a model that has a head for masked words."""
    return next(each for each in world.others if each.knows_words and each.data.task.kind.kind == "classify")


def run(stage, world, folder, stop_at=0):  # noqa: F811
    here = context(world, folder, stop_at)
    return stage.run(world.parent, here), here.output


@pytest.mark.parametrize(
    "more",
    [{}, {"train": "head"}, {"train": 1, "layer_decay": 0.8, "dropout": 0.2, "class_weights": "balanced", "loss": "focal"}],
    ids=["all", "head", "top"],
)
def test_stopped_and_continued_it_ends_bitwise_equal(more, knowing, tmp_path):
    stage = Finetune(**SHORT, **more)
    whole, expected = run(stage, knowing, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(stage, knowing, tmp_path / "stopped", stop_at=1)
    outcome, output = run(stage, knowing, tmp_path / "stopped")
    assert files(output) == files(expected)
    assert outcome.metrics == whole.metrics


def test_it_starts_where_the_prompt_stands_and_what_is_handed_over_answers_as_it_did(knowing, tmp_path):
    _, prompted = run(Prompt(**ASKED), knowing, tmp_path / "prompt")
    _, trained = run(Finetune(**SHORT, lr=1e-30), knowing, tmp_path / "trained")
    answers = [read_predictions(output / "predictions.parquet")["test"]["probabilities"] for output in (prompted, trained)]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-6)
    for output in (prompted, trained):
        found = load_predictor(output / "model").probabilities(knowing.data.task.test.inputs[0])
        np.testing.assert_allclose(found, answers[0], atol=1e-6)
    _, learned = run(Finetune(**SHORT, lr=1e-2), knowing, tmp_path / "learned")
    assert np.abs(read_predictions(learned / "predictions.parquet")["test"]["probabilities"] - answers[0]).max() > 1e-3
