"""The plain baselines as stages, on texts that can be learned: what they learn, what they say of it, and that a stop changes nothing."""

import itertools
import json
import random
from dataclasses import replace

import numpy as np
import pytest

from acclimate.errors import Interrupted, TrainingError
from acclimate.evaluation.predictions import read_predictions
from acclimate.evaluation.predictor import load_predictor
from acclimate.objectives.word_dropout import WordDropout
from acclimate.stages import BASELINES
from acclimate.stages.base import Context, Runtime
from acclimate.stages.bilstm import Bilstm
from acclimate.stages.majority import Majority
from acclimate.stages.tfidf import Tfidf
from acclimate.tasks.classify import Classify
from acclimate.tasks.opened import Data
from acclimate.tasks.task import Task
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import Silent

SMALL = Bilstm(embedding=16, hidden=12, lr=5e-3, epochs=12, min_steps=0, batch_size=16)


def rows(count, rng, seen):
    """Texts with `good` and `bad`: which of them comes first is the label, so single words say nothing of it."""
    made = []
    while len(made) < count:
        words = [rng.choice(["the", "a", "of", "and", f"name{rng.randrange(200)}"]) for _ in range(rng.randint(2, 5))]
        for place, word in zip(sorted(rng.choices(range(len(words) + 1), k=2), reverse=True), rng.sample(["good", "bad"], 2), strict=True):
            words.insert(place, word)
        if (text := " ".join(words)) not in seen:
            seen.add(text)
            made.append({"text": text, "label": "plus" if words.index("good") < words.index("bad") else "minus"})
    return made


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """240 training texts, 60 of dev, 60 of test; one of test has no word at all."""
    folder = tmp_path_factory.mktemp("task")
    rng, seen = random.Random(0), set()
    for split, count in (("train", 240), ("dev", 60), ("test", 59)):
        made = rows(count, rng, seen) + ([{"text": "?!", "label": "plus"}] if split == "test" else [])
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return Task.open(Classify(path=str(folder)), folder)


def context(task, folder, seed=0, stop=None, **runtime):
    work, output = folder / "work", folder / "output"
    work.mkdir(parents=True, exist_ok=True)
    output.mkdir(exist_ok=True)
    machine = Runtime(Devices("float32"), Silent(), stop or StopRequest(), checkpoint_seconds=0.0, **runtime)
    return Context(Data(task, {}), "all", seed, "baseline", folder, work, output, machine)


def run(stage, task, folder, **more):
    made = context(task, folder, **more)
    return stage.run(None, made), made.output


def weights(folder):
    return (folder / "model" / "model.safetensors").read_bytes()


def test_majority_gives_every_text_the_shares_of_the_training_texts(task, tmp_path):
    outcome, output = run(Majority(), task, tmp_path)
    shares = np.bincount(task.train.gold) / len(task.train.gold)
    test = read_predictions(output / "predictions.parquet")["test"]
    assert np.allclose(test["probabilities"], shares)
    assert (test["predicted"] == shares.argmax()).all()
    assert outcome.metrics["test_accuracy"] == pytest.approx((task.test.gold == shares.argmax()).mean())
    assert outcome.metrics["test_pr_auc"] == pytest.approx(outcome.metrics["test_pr_auc_base_rate"])
    assert (outcome.cost.parameters, outcome.cost.tokens, outcome.cost.flops) == (2, 0, 0.0)
    assert list(Majority.model_fields) == ["stage"]


def test_majority_needs_no_seed_and_a_bilstm_is_another_with_each(task, tmp_path):
    assert not Majority().draws()
    assert not Tfidf().draws()
    assert Bilstm().draws()
    one, again, other = (run(SMALL.sliver(), task, tmp_path / name, seed=seed)[1] for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert weights(one) == weights(again) != weights(other)


@pytest.mark.measured(0)
def test_a_bilstm_learns_what_the_order_of_words_says_and_measures_what_it_cost(task, tmp_path):
    outcome, output = run(SMALL.model_copy(update={"layers": 2}), task, tmp_path)
    metrics, cost = outcome.metrics, outcome.cost
    assert metrics["test_accuracy"] > 0.9
    assert run(Tfidf(ngrams=1), task, tmp_path / "single words")[0].metrics["test_accuracy"] < 0.7
    assert metrics["dev_macro_f1"] == max(line["dev_macro_f1"] for line in outcome.log if "dev_macro_f1" in line)
    assert 0 < metrics["unknown_share_test"] < 0.5
    assert metrics["cut_words_train"] == 0
    assert metrics["best_step"] <= metrics["steps"]
    config = json.loads((output / "model" / "config.json").read_text())
    assert metrics["words"] == len(config["words"]) - 1
    assert cost.tokens == metrics["tokens"] > 0
    assert cost.parameters == cost.trained_parameters > len(config["words"]) * 16
    assert min(cost.seconds, cost.flops, cost.peak_memory_bytes, cost.disk_bytes, cost.inference_texts_per_second) > 0
    assert json.dumps([metrics, cost.to_json(), *outcome.log], allow_nan=False)


def test_a_text_without_a_word_is_trained_on_and_labelled_like_any_other(task, tmp_path):
    empty = replace(task.train, inputs=(("", "...", *task.train.inputs[0][2:]),))
    outcome, output = run(SMALL.sliver(), replace(task, train=empty), tmp_path)
    assert np.isfinite(outcome.metrics["test_loss"])
    probabilities = load_predictor(output / "model").probabilities(["", "?!", "neverseen", "good"])
    assert np.allclose(probabilities[0], probabilities[1])
    assert np.allclose(probabilities[0], probabilities[2])  # what is unknown is one and the same
    assert not np.allclose(probabilities[0], probabilities[3])


@pytest.mark.parametrize(
    "stage", [stage for stage in BASELINES if stage.answers(Classify()) and not stage().made_from()], ids=lambda stage: stage.__name__
)
def test_the_folder_predicts_what_the_stage_predicted_in_any_order_and_company(stage, task, tmp_path):
    stage = SMALL.sliver() if stage is Bilstm else stage()
    _, output = run(stage, task, tmp_path)
    assert not [path for path in (output / "model").iterdir() if path.suffix not in (".json", ".safetensors")]
    predictor = load_predictor(output / "model")
    assert predictor.labels == task.names
    found = read_predictions(output / "predictions.parquet")["test"]["probabilities"]
    assert found.sum(axis=1) == pytest.approx(1)
    texts = task.test.inputs[0]
    np.testing.assert_allclose(predictor.probabilities(texts), found, atol=1e-6)
    np.testing.assert_allclose(predictor.probabilities(texts[::-1])[::-1], found, atol=1e-6)
    np.testing.assert_allclose([predictor.probabilities([text])[0] for text in texts[:5]], found[:5], atol=1e-6)


DEEP = SMALL.model_copy(update={"layers": 2, "epochs": 3.0})


@pytest.fixture(scope="module")
def never_stopped(task, tmp_path_factory):
    return run(DEEP, task, tmp_path_factory.mktemp("straight"))


@pytest.mark.measured(0)
@pytest.mark.parametrize("stop_at", [1, 7, 15, 40])
def test_a_bilstm_that_was_stopped_goes_on_and_ends_bitwise_equal(task, never_stopped, tmp_path, monkeypatch, stop_at):
    stage, (straight, expected) = DEEP, never_stopped
    stop, steps, loss = StopRequest(), itertools.count(1), WordDropout.loss

    def stopping(self, model, tensors):
        if next(steps) == stop_at:
            stop.ask()
        return loss(self, model, tensors)

    with monkeypatch.context() as patched:
        patched.setattr(WordDropout, "loss", stopping)
        with pytest.raises(Interrupted, match=f"after step {stop_at} of 45"):
            run(stage, task, tmp_path / "cut", stop=stop)
    went_on, found = run(stage, task, tmp_path / "cut")
    assert weights(found) == weights(expected)
    assert (found / "predictions.parquet").read_bytes() == (expected / "predictions.parquet").read_bytes()
    assert went_on.metrics == straight.metrics
    assert went_on.log == straight.log


def test_small_forward_passes_change_a_bilstm_by_rounding_only(task, tmp_path):
    stage = SMALL.model_copy(update={"epochs": 1.0, "dropout": 0.0})
    _, whole = run(stage, task, tmp_path / "whole")
    _, parts = run(stage, task, tmp_path / "parts", micro_tokens=40)
    read = [read_predictions(folder / "predictions.parquet")["test"]["probabilities"] for folder in (whole, parts)]
    np.testing.assert_allclose(read[0], read[1], atol=1e-4)


@pytest.mark.measured(0)
def test_early_stopping_waits_for_the_least_number_of_steps(task, tmp_path):
    useless = SMALL.model_copy(update={"lr": 1e-12, "epochs": 20.0, "patience": 1})
    assert run(useless, task, tmp_path / "at once")[0].metrics["epochs"] == 2
    assert run(useless.model_copy(update={"min_steps": 70}), task, tmp_path / "later")[0].metrics["epochs"] == 5
    assert Bilstm(epochs=2, min_steps=200).steps(batches_per_epoch=3) == 200
    assert Bilstm(epochs=40, min_steps=200).steps(batches_per_epoch=100) == 4000


def test_a_heavier_class_is_predicted_more_often(task, tmp_path):
    def predicted(name, weights):
        stage = SMALL.model_copy(update={"epochs": 1.0, "class_weights": weights})
        return read_predictions(run(stage, task, tmp_path / name)[1] / "predictions.parquet")["test"]["probabilities"][:, 0].mean()

    others = dict.fromkeys(task.names, 1.0)
    heavy, light = (predicted(name, others | {task.names[0]: weight}) for name, weight in (("heavy", 20.0), ("light", 0.05)))
    assert heavy > 0.6 > 0.4 > light


def test_a_bilstm_meets_its_classes_as_often_as_is_asked_and_leaves_no_trace_where_nothing_is(task, tmp_path):
    outcome, _ = run(SMALL.model_copy(update={"epochs": 1.0, "sampler": "balanced"}), task, tmp_path)
    assert any(note.startswith("sampler balanced: each of the ") for note in outcome.notes)
    assert "sampler" not in SMALL.keyed()


def test_the_loss_that_a_stage_names_trains_it(task, tmp_path):
    few = task.budget(8, 0)

    def trained(name):
        stage = SMALL.model_copy(update={"epochs": 1.0, "loss": Bilstm(loss=name).loss})
        return weights(run(stage, few, tmp_path / name)[1])

    assert trained("focal") != trained("cross_entropy")


def test_a_training_that_diverges_says_how_to_mend_it(task, tmp_path):
    with pytest.raises(TrainingError, match=r"lower learning rate \(lr\)"):
        run(SMALL.model_copy(update={"lr": 1e30, "clip": 1e30}), task, tmp_path)
