"""Static vectors as a stage: what is distilled is what the encoder gives, and a file of words' vectors needs no encoder."""

import json
import random
import time
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from tests.study.conftest import WORDS, sentence, tiny_model

from acclimate.errors import SettingsError
from acclimate.evaluation.predictor import load_predictor
from acclimate.modeling.baselines.static_model import read_static
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.source import resolve_base
from acclimate.stages import BASES
from acclimate.stages.base import OWN_BASE, Context, Runtime
from acclimate.stages.static import Static
from acclimate.study.language.study import parse_study
from acclimate.tasks.classify import Classify
from acclimate.tasks.opened import Data
from acclimate.tasks.similarity import Similarity
from acclimate.tasks.task import Task
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import Silent

TOPICS = list(WORDS)


def context(data, folder):
    for each in (folder / "work", folder / "output"):
        each.mkdir(parents=True, exist_ok=True)
    machine = Runtime(Devices("float32"), Silent(), StopRequest())
    return Context(data, "all", 0, "tried", folder, folder / "work", folder / "output", machine)


def write(folder, rows):
    for split, count in (("train", 45), ("dev", 12), ("test", 12)):
        rng = random.Random(split)
        lines = [json.dumps(rows(f"{split}{number}", number, rng)) for number in range(count)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return str(folder)


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    write(folder, lambda name, number, rng: {"text": f"{name} {sentence(TOPICS[number % 3], rng)}", "label": TOPICS[number % 3]})
    return Data(Task.open(Classify(path=str(folder)), folder), {})


@pytest.fixture(scope="module")
def encoder(tmp_path_factory, classes):
    """A tiny encoder as a stage leaves it."""
    from acclimate.modeling.folder import ModelFolder

    folder = tmp_path_factory.mktemp("encoder")
    tiny_model(folder / "model")
    (start,) = (stage for stage in BASES if stage.role == "start")
    start.of(resolve_base(str(folder / "model"), folder), random=True).run(None, context(classes, folder / "start"))
    return ModelFolder(folder / "start" / "output" / "model")


def test_entries_have_what_the_encoder_gives_for_each_alone(classes, encoder, tmp_path):
    from acclimate.evaluation.text_vectors import text_vectors
    from acclimate.modeling.embedder import load_embedder
    from acclimate.modeling.embedding_form import EmbeddingForm

    Static(zipf=False).run(encoder, here := context(classes, tmp_path))
    rows, vocabulary = read_static(here.output / "model").rows, encoder.tokenizer().get_vocab()
    words = ["match", "bank", "song", "tune"]
    alone = text_vectors(load_embedder(encoder, EmbeddingForm(normalize=False), 0.0), encoder.tokenizer(), words, 512, here.runtime.devices)
    # All components are kept: distances between entries are those between the encoder's vectors.
    place, given = [vocabulary[word] for word in words], alone.vectors
    distances = [np.linalg.norm(each[:, None] - each[None], axis=2) for each in (rows[place], given)]
    np.testing.assert_allclose(*distances, atol=1e-4)
    assert not rows[vocabulary["[PAD]"]].any()


def test_a_vocabulary_is_distilled_once_for_all_runs_with_what_it_took(classes, encoder, tmp_path, monkeypatch):
    distilled, distil = [], Static._distilled

    def slowly(*given):
        distilled.append(given)
        time.sleep(0.2)
        with monkeypatch.context() as alone:
            # A process that trains along waits for the lock until this is done, and could not answer.
            alone.setattr(Devices, "sum", lambda *_: pytest.fail("a peer is asked"))
            return distil(*given)

    monkeypatch.setattr(Static, "_distilled", slowly)

    def run(name, stage, **fast):
        here = context(classes, tmp_path / name)
        runtime = replace(here.runtime, fast=FastPaths(**fast))
        outcome = stage.run(encoder, replace(here, cache=tmp_path / "cache", runtime=runtime))
        return read_static(here.output / "model").rows, outcome.cost.seconds

    first, _ = run("first", Static())
    second, costs = run("second", Static())
    assert len(distilled) == 1
    assert costs >= 0.2  # a run costs what it needs, whoever came first
    np.testing.assert_array_equal(first, second)
    run("other settings", Static(zipf=False))
    assert len(distilled) == 2
    anew, _ = run("not kept", Static(), frozen_cache=False)
    assert len(distilled) == 3
    np.testing.assert_array_equal(anew, first)


def test_a_file_of_vectors_answers_classes_and_pairs_without_an_encoder(classes, tmp_path):
    lines = [f"{word} {' '.join(str(int(topic == each)) for each in TOPICS)}" for topic in TOPICS for word in WORDS[topic]]
    (tmp_path / "words.txt").write_text("\n".join(lines) + "\n")
    stage = Static(vectors="words.txt").located(tmp_path)
    outcome = stage.run(None, here := context(classes, tmp_path / "classes"))
    assert outcome.metrics["test_accuracy"] == 1.0
    assert 0 < outcome.metrics["unknown_share"] < 1
    assert any("have no vector" in note for note in outcome.notes)
    answers = load_predictor(here.output / "model").probabilities(classes.task.test.inputs[0]).argmax(axis=1)
    np.testing.assert_array_equal(answers, classes.task.test.gold)
    folder = tmp_path / "pairs"
    folder.mkdir()
    first, second = WORDS[TOPICS[0]], WORDS[TOPICS[1]]
    others = (first[1], second[1])
    write(folder, lambda name, number, _: {"text": f"{name} {first[0]}", "text_b": others[number % 2], "score": 1 - number % 2})
    pairs = Data(Task.open(Similarity(kind="similarity", path=str(folder)), folder), {})
    outcome = stage.run(None, context(pairs, tmp_path / "scored"))
    assert outcome.metrics["test_pearson"] == pytest.approx(1.0)
    assert outcome.metrics["learned_from"] == 0


def test_its_key_is_that_of_the_file_wherever_it_stands(tmp_path):
    for name, number in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).write_text(f"the {number}\n")
    keys = {name: json.dumps(Static(vectors=name).located(tmp_path).keyed()) for name in "abc"}
    assert keys["a"] == keys["b"] != keys["c"]
    with pytest.raises(SettingsError, match="is no file"):
        Static(vectors="d").located(tmp_path)


def test_it_is_made_from_the_studys_base_unless_it_names_another_model_or_a_file():
    assert (Static().made_from(), Static(model="minilm").made_from(), Static(vectors="a").made_from()) == (OWN_BASE, "minilm", None)
    with pytest.raises(ValidationError, match="give `model` or `vectors`"):
        Static(model="minilm", vectors="a")
    data = {"task": {"path": "x"}}
    with pytest.raises(SettingsError, match="'tfidf' is not a pretrained model"):
        parse_study({"base": "tfidf", "data": data, "recipes": {"static": {"base": "static"}}})
    assert not parse_study({"data": data, "recipes": {"a": {"base": {"static": {"vectors": "a"}}}}}).recipes["a"].needs_base
