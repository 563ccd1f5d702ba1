"""Training through the head for masked words, from where the prompt stands, bitwise the same after a stop; and what a prompt cuts."""

from dataclasses import replace

import numpy as np
import pytest
from tests.stages.test_every_stage import context, files, world  # noqa: F401 - a fixture

from acclimate import load_predictor
from acclimate.errors import Interrupted
from acclimate.evaluation.predictions import read_predictions
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Sizes
from acclimate.stages.prompt import Prompt
from acclimate.stages.zero_shot import ZeroShot
from acclimate.study.plan import graph
from acclimate.study.plan.readings import Readings

ASKED = {"template": "{text} it was {mask}", "names": {"sport": "match", "trade": "bank", "music": ["song", "tune"]}}
SHORT = {"head": {"mlm": ASKED}, "epochs": 1.0, "min_steps": 0}


@pytest.fixture(scope="module")
def knowing(world):  # noqa: F811
    """Sentences with labels, and a model that has a head for masked words."""
    return next(each for each in world.others if each.knows_words and each.data.task.kind.kind == "classify")


def run(stage, world, folder, stop_at=0):  # noqa: F811
    here = context(world, folder, stop_at)
    return stage.run(world.parent, here), here.output


@pytest.mark.measured(0)
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


@pytest.mark.parametrize(
    "stage", [Prompt(**ASKED, max_length=12), ZeroShot(template="it is {}", names=dict.fromkeys(("sport",), "match"), max_length=12)]
)
def test_what_answers_without_labels_says_what_it_cuts_before_and_after(stage, knowing, world, tmp_path):  # noqa: F811
    here = knowing if stage.word() == "prompt" else next(each for each in world.others if each.classifier is not None)
    outcome, _ = run(stage, here, tmp_path)
    (after,) = (note for note in outcome.notes if " are cut: " in note)
    node = graph.Node("key", stage, "parent", 0, "all", "", ())
    given = replace(Sizes.of(here.source), classifier=here.classifier, pretrained=True)
    (before,) = (note for note in stage.notes(given, lambda: Readings(here.data).read_by(node, here.source)) if " are cut: " in note)
    assert before == after
    assert after.startswith("texts longer than 12 tokens are cut: of all tokens ")
    assert outcome.metrics["cut_tokens_test"] > 0
