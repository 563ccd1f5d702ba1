"""Doc2Vec as a stage: vectors that are the same whenever they are asked for, phases and their learning rates, and what is refused."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from acclimate.data.corpus import Corpus
from acclimate.data.interleaved import Part, interleaved
from acclimate.errors import DataError, Interrupted, MissingExtraError
from acclimate.evaluation.predictor import load_predictor
from acclimate.files import read_json
from acclimate.modeling.baselines import paragraph_vectors
from acclimate.modeling.baselines.doc2vec_model import Doc2vecModel
from acclimate.modeling.baselines.drift import Drift, mean_cosine
from acclimate.modeling.baselines.paragraph_vectors import Network
from acclimate.modeling.fast_paths import FastPaths
from acclimate.stages import kept_paragraphs
from acclimate.stages.base import Context, Runtime
from acclimate.stages.doc2vec import Doc2vec
from acclimate.tasks.classify import Classify
from acclimate.tasks.opened import Data
from acclimate.tasks.task import Task
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.paragraph_training import Counted, Course, Phase, Watched, learning_rates, train, vocabulary
from acclimate.training.progress import Silent

WORDS = {
    "sea": ["ship", "wave", "harbour", "sail", "tide"],
    "wood": ["tree", "leaf", "root", "branch", "moss"],
    "sky": ["cloud", "star", "wind", "moon"],
}
NETWORK = Network(vector_size=8, sample=0)


def texts(count, seed, topics=tuple(WORDS)):
    rng = random.Random(seed)
    return [" ".join(["the", *rng.choices(WORDS[topics[number % len(topics)]], k=9)]) for number in range(count)]


def corpus(name, count, seed, topics=tuple(WORDS)):
    return Corpus.of_texts(name, texts(count, seed, topics), f"{name} {count} {seed}")


CORPORA = {"general": corpus("general", 60, 1, ("sea", "wood")), "domain": corpus("domain", 30, 2, ("sky", "sea"))}


def watched(stop=None):
    return Watched("tried", Silent(), stop or StopRequest())


def course(*phases, **more):
    return Course(phases, **{"min_count": 1, "alpha": 0.05, "min_alpha": 1e-4, **more})


BOTH = (Phase({"general": 1.0}, 3), Phase({"domain": 1.0}, 3))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doc2vec")
    for split, count in (("train", 36), ("dev", 12), ("test", 12)):
        made = texts(count, len(split) + count)
        rows = [json.dumps({"text": f"{split}{number} {text}", "label": list(WORDS)[number % 3]}) for number, text in enumerate(made)]
        (folder / f"{split}.jsonl").write_text("\n".join(rows) + "\n")
    return Data(Task.open(Classify(path=str(folder)), folder), CORPORA)


def run(stage, data, folder, stop=None, labels="all", cache=None, seed=3, fast=FastPaths()):
    for each in (folder / "work", folder / "output"):
        each.mkdir(parents=True)
    machine = Runtime(Devices("float32"), Silent(), stop or StopRequest(), fast=fast)
    context = Context(data, labels, seed, "tried", cache or folder, folder / "work", folder / "output", machine)
    return stage.run(None, context), folder / "output" / "model"


@pytest.fixture(scope="module")
def two_phases(data, tmp_path_factory):
    stage = Doc2vec(corpus="general", then="domain", vector_size=8, epochs=40, min_count=1, sample=0, alpha=0.05)
    return (*run(stage, data, tmp_path_factory.mktemp("two phases")), stage)


def test_equal_seeds_give_bitwise_equal_vectors_in_another_process_with_other_hashes(data, two_phases, tmp_path):
    outcome, folder, stage = two_phases
    again, other = run(stage, data, tmp_path)
    assert (other / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert again.metrics == outcome.metrics
    asked = texts(4, 9)
    ask = f"print(Doc2vecModel.load(Path({str(folder)!r})).texts.vectors({asked!r}).tobytes().hex())"
    code = f"from pathlib import Path\nfrom {Doc2vecModel.__module__} import Doc2vecModel\n{ask}"
    # The rest of the environment may choose the kernels of BLAS (OPENBLAS_CORETYPE), and with them the last bit.
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    vectors = Doc2vecModel.load(folder).texts.vectors(asked)
    assert found.stdout.strip() == vectors.tobytes().hex()
    np.testing.assert_array_equal(Doc2vecModel.load(folder).texts.vectors(asked[::-1])[::-1], vectors)


def test_label_budgets_and_classifiers_of_a_seed_share_one_training_and_give_what_each_would_alone(data, tmp_path, monkeypatch):
    trainings = []
    monkeypatch.setattr(kept_paragraphs, "train", lambda *given: trainings.append(given) or train(*given))
    (tmp_path / "cache").mkdir()
    stage = Doc2vec(vector_size=8, epochs=4, then="domain")
    for labels in ("9", "18", "all"):
        outcome, folder = run(stage, data, tmp_path / labels, labels=labels, cache=tmp_path / "cache")
        assert len(trainings) == 1
        off = FastPaths(frozen_cache=False)
        alone, other = run(stage, data, tmp_path / f"{labels} alone", labels=labels, cache=tmp_path / "none", fast=off)
        assert len(trainings) == 2
        trainings.pop()
        for name in ("config.json", "model.safetensors", "vectors.safetensors"):
            assert (folder / name).read_bytes() == (other / name).read_bytes()
        assert (alone.metrics, alone.notes, alone.cost.tokens) == (outcome.metrics, outcome.notes, outcome.cost.tokens)
    run(stage.model_copy(update={"classify": "knn"}), data, tmp_path / "knn", cache=tmp_path / "cache")
    assert len(trainings) == 1
    run(stage, data, tmp_path / "other seed", cache=tmp_path / "cache", seed=4)
    run(stage.model_copy(update={"epochs": 5}), data, tmp_path / "longer", cache=tmp_path / "cache")
    assert len(trainings) == 3
    facts = [read_json(file) for file in (tmp_path / "cache").glob("*/paragraphs.json")]
    assert all(each["seconds"] > 0 for each in facts)
    assert not (tmp_path / "none").exists()


def test_it_learns_and_answers_as_it_is_kept_without_a_pickle(data, two_phases):
    outcome, folder, _ = two_phases
    assert outcome.metrics["test_accuracy"] > 0.6
    assert outcome.cost.tokens == outcome.metrics["words_read"] == 40 * 10 * 90
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "vectors.safetensors"]
    probabilities = load_predictor(folder).probabilities([*data.task.test.inputs[0], "unknown words alone"])
    assert (probabilities[:-1].argmax(axis=1) == np.asarray(data.task.test.gold)).mean() == pytest.approx(outcome.metrics["test_accuracy"])
    assert np.isfinite(probabilities).all()


def test_the_drift_of_a_second_phase_is_measured_and_told(two_phases):
    outcome, _, _ = two_phases
    assert outcome.metrics["drift_words"] == 11  # the domain's own words are none of the first phase
    assert outcome.metrics["drift_documents"] == 60
    assert -1 <= outcome.metrics["drift_of_documents"] < outcome.metrics["drift_by_chance"] <= 1
    assert any("mean cosine" in note and "11 words" in note for note in outcome.notes)


def test_vectors_that_did_not_move_have_a_cosine_of_one_and_words_without_vectors_are_not_counted(tmp_path):
    same = train(course(BOTH[0]), NETWORK, CORPORA, tmp_path, 0, watched()).texts
    drift = Drift.of(same, same, lambda word: word != "the", texts(3, 1))
    assert (drift.words, drift.documents) == (10, 3)
    assert (drift.of_words, drift.of_documents) == pytest.approx((1.0, 1.0))
    assert mean_cosine(np.array([[1.0, 0], [0, 0], [2, 2]]), np.array([[3.0, 0], [1, 1], [-1, 1]])) == pytest.approx(0.5)
    assert mean_cosine(np.zeros((2, 3)), np.ones((2, 3))) == 0.0


def test_rates_fall_once_over_both_phases_or_once_in_each():
    assert learning_rates([300, 100], 0.04, 0.0, carried_on=False) == [(0.04, 0.0)] * 2
    (begin, middle), (same, end) = learning_rates([300, 100], 0.04, 0.0, carried_on=True)
    assert (begin, same, end) == (0.04, middle, 0.0)
    assert middle == pytest.approx(0.01)


def test_every_way_of_training_gives_other_vectors(tmp_path):
    def vectors(course, network=NETWORK):
        return train(course, network, CORPORA, tmp_path, 0, watched()).texts.vectors(texts(3, 5)).tobytes()

    together, more = Phase({"domain": 1.0, "general": 1.0}, 3), Phase({"domain": 4.0, "general": 1.0}, 3)
    ways = [course(*BOTH), course(*BOTH, carried_on=True), course(together), course(more), course(*BOTH[:1])]
    networks = [replace(NETWORK, mode="dm"), replace(NETWORK, word_vectors=True)]
    assert len({*map(vectors, ways), *(vectors(ways[0], network) for network in networks)}) == 7


def test_words_of_both_phases_are_known_before_the_first_unless_told_otherwise(tmp_path):
    def known(**more):
        return train(course(*BOTH, **more), NETWORK, CORPORA, tmp_path, 0, watched()).texts.words

    assert "star" in known()
    assert "star" not in known(of_first=True)


def test_a_vocabulary_that_grows_between_phases_is_refused_with_the_reason():
    with pytest.raises(ValidationError, match=r"build_vocab\(update=True\) ends the process"):
        Doc2vec.model_validate({"corpus": "general", "then": {"corpus": "domain", "vocabulary": "update"}})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"alpha": 0.01, "min_alpha": 0.02}, "lies above"),
        ({"mode": "dm", "word_vectors": True}, "goes with `mode: dbow`"),
        ({"corpus": {"domain": 101}}, "at most 100 times"),
        ({"then": {"corpus": "domain", "alpha": "lower"}}, "carried on"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, told):
    with pytest.raises(ValidationError, match=told):
        Doc2vec.model_validate(settings)


def test_documents_of_several_corpora_stand_evenly_among_each_other_and_copies_far_apart():
    few, many = Corpus.of_texts("few", "abcd", "few"), Corpus.of_texts("many", "ABCDEFGH", "many")
    read = list(interleaved([Part(few, 4, 2.0, 0), Part(many, 8, 1.0, 4)]))
    assert sorted(read) == sorted([*enumerate("abcd")] * 2 + [*enumerate("ABCDEFGH", start=4)])
    order = "".join(text for _, text in read)
    assert all(
        order[begin : begin + 4].isalpha() and sum(each.isupper() for each in order[begin : begin + 4]) == 2 for begin in (0, 4, 8, 12)
    )
    assert min(order.rindex(each) - order.index(each) for each in "abcd") >= 6
    part = Part(many, 8, 1.25, 0)
    assert part.read == len(list(interleaved([part]))) == 10


def test_words_are_counted_as_often_as_they_are_read_and_rare_ones_left_out():
    found = {name: Counted(counts=vocabulary_of) for name, vocabulary_of in (("a", {"x": 3, "y": 1}), ("b", {"x": 1, "z": 2}))}
    phases = [Phase({"a": 1.0}, 1), Phase({"b": 4.0}, 1)]
    assert vocabulary(phases, found, 2) == {"x": 7, "z": 8}
    with pytest.raises(DataError, match="min_count: no word stands 9 times in a and b; lower it"):
        vocabulary(phases, found, 9)


def test_a_stop_and_a_document_that_cannot_be_read_end_it_and_nothing_waits(tmp_path):
    stop = StopRequest()

    class Asking(Silent):
        def step(self, *_):
            stop.ask()

    with pytest.raises(Interrupted):
        train(course(*BOTH), NETWORK, CORPORA, tmp_path, 0, Watched("tried", Asking(), stop))
    assert not list(tmp_path.iterdir())
    readings = iter([((text,) for text in texts(5, 1)), (1 / 0 for _ in range(1))])
    breaking = Corpus("general", lambda _: next(readings), "changed")
    with pytest.raises(ZeroDivisionError):
        train(course(BOTH[0]), NETWORK, {"general": breaking}, tmp_path, 0, watched())


def test_texts_longer_than_gensim_reads_at_once_are_read_whole(tmp_path):
    model = train(course(BOTH[0]), NETWORK, {"general": CORPORA["general"]}, tmp_path, 0, watched()).texts
    long = " ".join(["ship"] * 10_000 + ["moss"] * 10_000)
    assert not np.array_equal(*model.vectors([long, " ".join(["ship"] * 10_000)]))
    np.testing.assert_array_equal(model.vectors(["no word of it is known"]), np.zeros((1, 8), np.float32))


def test_without_gensim_it_says_how_to_get_it(monkeypatch, two_phases):
    monkeypatch.setattr(paragraph_vectors.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r'doc2vec needs gensim: pip install "acclimate\[doc2vec\]"'):
        Doc2vec().check(None, None)
    with pytest.raises(MissingExtraError):
        Doc2vecModel.load(two_phases[1])
