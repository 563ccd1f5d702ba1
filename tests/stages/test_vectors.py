"""A model judged by its vectors: what is fitted on them, what is kept, what the folder then answers, and what is refused."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from tests.stages.test_every_stage import context, world  # noqa: F401 - a fixture
from tests.study.conftest import write_jsonl

from acclimate import load_predictor
from acclimate.errors import SettingsError
from acclimate.evaluation.predictions import read_predictions
from acclimate.modeling.embedding_form import EMBEDDING
from acclimate.stages.vectors import Vectors
from acclimate.tasks.opened import Data, DataSettings


def run(stage, world, folder):  # noqa: F811
    here = context(world, folder)
    return stage.run(world.parent, here), here.output


@pytest.fixture(scope="module")
def pairs(world):  # noqa: F811
    """The world with another task: how many words of its sentences are the same."""
    texts = [*dict.fromkeys(world.data.task.train.inputs[0])]
    rows = [{"sentence1": one, "sentence2": other, "score": len({*one.split()} & {*other.split()}) + number / 100}
            for number, (one, other) in enumerate(pairwise(texts))]  # fmt: skip
    write_jsonl(world.folder / "pairs.jsonl", rows)
    task = {"kind": "similarity", "path": str(world.folder / "pairs.jsonl"), "test_share": 0.4}
    return replace(world, data=Data.open(DataSettings.model_validate({"task": task}), world.folder, world.folder / "rejects"))


@pytest.mark.parametrize("more", [{}, {"dimensions": 5, "C": 3.0}, {"classify": "knn", "neighbours": 3}], ids=["logistic", "cut", "knn"])
def test_what_is_handed_over_answers_as_it_did(more, world, tmp_path):  # noqa: F811
    outcome, output = run(Vectors(**more), world, tmp_path)
    task, answers = world.data.task, read_predictions(output / "predictions.parquet")["test"]
    predictor = load_predictor(output / "model")
    assert predictor.probabilities(task.test.inputs[0]) == pytest.approx(answers["probabilities"], abs=1e-5)
    assert predictor.labels == task.names
    assert outcome.metrics["learned_from"] == len(task.train)
    assert not [path for path in output.rglob("*") if path.suffix in (".pkl", ".pickle", ".bin", ".joblib")]
    kept = json.loads((output / "model" / "config.json").read_text())["acclimate_vectors"]
    assert kept.get("dimensions") == more.get("dimensions")


def test_pairs_are_answered_by_the_cosine_of_the_vectors_that_sentence_transformers_gives(pairs, tmp_path):
    outcome, output = run(Vectors(), pairs, tmp_path)
    test = pairs.data.task.test
    first, second = (SentenceTransformer(str(output / "model")).encode(list(column)) for column in test.inputs)
    answers = read_predictions(output / "predictions.parquet")["test"]
    assert answers["predicted"] == pytest.approx(np.einsum("nd,nd->n", first, second), abs=1e-5)
    assert load_predictor(output / "model").probabilities(*test.inputs)[:, 0] == pytest.approx(answers["predicted"], abs=1e-5)
    assert outcome.metrics["learned_from"] == 0
    with pytest.raises(SettingsError, match="answers pairs"):
        load_predictor(output / "model").probabilities(test.inputs[0])


def test_a_cut_that_is_larger_than_the_vectors_is_refused(world):  # noqa: F811
    with pytest.raises(SettingsError, match=r"dimensions: 17 were asked for, and the vectors of .*model have 16"):
        Vectors(dimensions=17).check(world.given, world.data.task)
    Vectors(dimensions=16).check(world.given, world.data.task)


@pytest.mark.parametrize(
    ("settings", "of_pairs", "why"),
    [
        ({"neighbours": 3}, False, "neighbours: `classify: knn` alone looks at it"),
        ({"classify": "knn", "C": 1.0}, False, "C: `classify: logistic` alone looks at it"),
        ({"classify": "knn"}, True, "classify: similarity is answered by the vectors alone"),
        ({"C": 1.0}, True, "C: similarity is answered by the vectors alone"),
        ({"max_length": 65}, False, "max_length: 65 is more than the 64 positions"),
    ],
)
def test_a_setting_that_nothing_would_look_at_is_refused(settings, of_pairs, why, world, pairs):  # noqa: F811
    its = pairs if of_pairs else world
    with pytest.raises(SettingsError, match=why):
        Vectors(**settings).check(its.given, its.data.task)


def test_how_vectors_are_made_is_said_by_the_model_where_it_says_so(world):  # noqa: F811
    says = replace(world.given, config={**world.given.config, EMBEDDING: {"pooling": "cls"}})
    with pytest.raises(SettingsError, match="pooling: the model says 'cls' by itself"):
        Vectors(pooling="max").check(says, world.data.task)
    Vectors(pooling="cls").check(says, world.data.task)
    Vectors(pooling="max").check(world.given, world.data.task)


def test_said_or_not_the_defaults_are_the_same_computation():
    assert Vectors().keyed() == Vectors(classify="logistic", C=(0.1, 1.0, 10.0, 100.0)).keyed()
    assert Vectors(classify="knn").keyed() == Vectors(classify="knn", neighbours=10).keyed()
    assert Vectors(classify="knn").keyed() != Vectors().keyed()
