"""The plain baselines on tags of words: what they learn, and that their folders say the same again."""

import json
import random

import numpy as np
import pytest
from tests.stages.test_baselines import run

from acclimate.data.ragged import Ragged
from acclimate.evaluation.predictions import read_predictions
from acclimate.evaluation.predictor import load_predictor
from acclimate.stages import BASELINES
from acclimate.stages.linear_tagger import LinearTagger
from acclimate.stages.majority import Majority
from acclimate.tasks.tag import Tag
from acclimate.tasks.task import Task


def sentence(rng):
    """A person is who follows `Dr`, of a place it is the end that tells."""
    words = [(rng.choice(["we", "saw", "that", "and", f"thing{rng.randrange(50)}"]), "O") for _ in range(rng.randint(0, 4))]
    further = [(f"Name{rng.randrange(10**6)}", "I-person")] * rng.randint(0, 1)
    person = [("Dr", "O"), (f"Name{rng.randrange(10**6)}", "B-person"), *further]
    place = [(f"{rng.choice('ABCDE')}{rng.randrange(10**6)}ville", "B-place")]
    return [pair for part in rng.sample([words, person, place], 3) for pair in part]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("tags"), random.Random(0)
    for split, count in (("train", 200), ("dev", 40), ("test", 60)):
        rows = [sentence(rng) for _ in range(count)]
        lines = [{"tokens": [word for word, _ in row], "tags": [tag for _, tag in row]} for row in rows]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Task.open(Tag(path=str(folder)), folder)


def test_majority_gives_every_word_the_shares_of_the_tags_of_train(task, tmp_path):
    outcome, output = run(Majority(), task, tmp_path)
    test = read_predictions(output / "predictions.parquet")["test"]
    assert set(test["predicted"].values.tolist()) == {task.names.index("O")}
    assert np.allclose(test["sure"].values, (task.train.gold.values == task.names.index("O")).mean())
    assert outcome.metrics["test_entity_f1"] == 0


def test_the_linear_tagger_learns_from_letters_and_neighbours_and_says_which_strength_was_best(task, tmp_path):
    outcome, output = run(LinearTagger(), task, tmp_path)
    metrics = outcome.metrics
    assert metrics["test_entity_f1"] > 0.95
    assert metrics["dev_entity_f1"] == max(line["dev_entity_f1"] for line in outcome.log)
    assert [line["strength"] for line in outcome.log] == [0.1, 1.0, 10.0]
    assert metrics["strength"] == next(line["strength"] for line in outcome.log if line["dev_entity_f1"] == metrics["dev_entity_f1"])
    assert outcome.cost.parameters == len(task.names) * (metrics["features"] + 1)
    _, again = run(LinearTagger(), task, tmp_path / "again")
    assert (again / "model" / "model.safetensors").read_bytes() == (output / "model" / "model.safetensors").read_bytes()
    assert not LinearTagger().draws()


@pytest.mark.parametrize("stage", [stage for stage in BASELINES if stage.answers(Tag())], ids=lambda stage: stage.__name__)
def test_the_folder_says_of_words_what_the_stage_said_in_any_order_and_company(stage, task, tmp_path):
    _, output = run(stage(), task, tmp_path)
    assert not [path for path in (output / "model").iterdir() if path.suffix not in (".json", ".safetensors")]
    predictor = load_predictor(output / "model")
    found, test = read_predictions(output / "predictions.parquet")["test"], task.test
    probabilities = predictor.probabilities(*test.inputs, words=test.words)
    assert probabilities.argmax(axis=1).tolist() == found["predicted"].values.tolist()
    np.testing.assert_array_equal(probabilities.max(axis=1), found["sure"].values)
    backwards = np.arange(len(test))[::-1]
    turned = test.take(backwards)
    again = Ragged(predictor.probabilities(*turned.inputs, words=turned.words), turned.words.offsets)
    np.testing.assert_allclose(again.take(backwards).values, probabilities, atol=1e-12)
