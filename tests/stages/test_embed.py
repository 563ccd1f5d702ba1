"""The stage that trains sentence embeddings: what it learns, what it leaves, and what it refuses."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from tests.stages.test_every_stage import context
from tests.study.conftest import WORDS, sentence, tiny_model, write_jsonl

from acclimate.errors import SettingsError
from acclimate.evaluation.text_vectors import text_vectors
from acclimate.modeling.base_files import CONFIG
from acclimate.modeling.embedder import load_embedder
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.frozen import Divided
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.source import resolve_base
from acclimate.stages import STAGES
from acclimate.stages.planned import Sizes
from acclimate.study.plan import graph
from acclimate.study.plan.readings import Readings
from acclimate.tasks.opened import Data, DataSettings
from acclimate.training.devices import Devices

(EMBED,) = (stage for stage in STAGES if stage.word() == "embed")
(VECTORS,) = (stage for stage in STAGES if stage.word() == "vectors")
SHORT = {"epochs": 1, "min_steps": 20, "batch_size": 12, "lr": 2e-3, "evaluations": 2}
KINDS = ("classify", "similarity", "pair", "labels", "retrieve")


class World:
    """A tiny BERT, and tasks of several kinds in its words."""

    def __init__(self, folder):
        self.folder = folder
        tiny_model(folder / "base")
        self.source = resolve_base("base", folder)
        self.parent = import_base(self.source, folder / "model")
        rng, topics = random.Random(0), list(WORDS)
        rows = {kind: {} for kind in KINDS}
        for split, count in (("train", 36), ("dev", 18), ("test", 18)):
            for kind in KINDS:
                rows[kind][split] = []
            for number in range(count):
                topic, other = topics[number % 3], topics[(number + 1) % 3]
                one, near, far = (f"{split}{number} {sentence(each, rng)}" for each in (topic, topic, other))
                rows["classify"][split].append({"text": one, "label": topic})
                score, label = number % 2, ("contradiction", "entailment", "neutral")[number % 3]
                rows["similarity"][split].append({"text": one, "text_b": near if score else far, "score": 5.0 * score})
                rows["retrieve"][split].append({"query": one, "positive": near})
                rows["labels"][split].append({"text": one, "text_b": near if score else far, "label": score})
                rows["pair"][split] += [
                    {"text": one, "text_b": near, "label": "entailment"},
                    {"text": one, "text_b": far, "label": label if label != "entailment" else "contradiction"},
                ]
        self.data = {}
        for kind, splits in rows.items():
            for split, each in splits.items():
                write_jsonl(folder / f"{kind}-{split}.jsonl", each)
            task = {split: str(folder / f"{kind}-{split}.jsonl") for split in splits}
            settings = DataSettings.model_validate({"task": {"kind": "pair" if kind == "labels" else kind, **task}})
            self.data[kind] = Data.open(settings, folder, folder / "rejects")

    @property
    def given(self):
        return Sizes.of(self.source)

    def run(self, kind, place, fast=FastPaths(), **settings):
        stage = EMBED.model_validate({**SHORT, **settings})
        here = context(replace_data(self, kind), place)
        outcome = stage.run(self.parent, replace(here, cache=place, runtime=replace(here.runtime, fast=fast)))
        return outcome, ModelFolder(place / "output" / "model")


def replace_data(world, kind):
    from tests.stages.test_every_stage import World as Tried

    return Tried(world.folder, world.source, world.data[kind], world.parent)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("embed"))


def vectors(folder, texts):
    return text_vectors(load_embedder(folder), folder.tokenizer(), texts, 500, Devices("float32")).vectors


@pytest.mark.measured(0)
@pytest.mark.parametrize(
    ("kind", "loss"),
    [("classify", "from_labels"), ("similarity", "cosent"), ("pair", "multiple_negatives"), ("labels", "contrastive")],
)
def test_each_kind_is_learned_by_its_usual_loss(world, tmp_path, kind, loss):
    outcome, folder = world.run(kind, tmp_path)
    assert outcome.metrics["loss"] == loss
    losses = [line["loss"] for line in outcome.log if "loss" in line]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    assert len([line for line in outcome.log if "dev_loss" in line]) == 2
    assert EmbeddingForm.of(folder.config) == EmbeddingForm(trained=True)
    assert folder.parts == world.parent.parts


def test_texts_of_a_class_come_nearer_and_the_folder_is_one_of_sentence_transformers(world, tmp_path):
    from sentence_transformers import SentenceTransformer

    settings = {"dense": 12, "dimensions": [4], "max_length": 16, "lr": 5e-3, "batch_size": 36, "min_steps": 40}
    _, folder = world.run("classify", tmp_path, **settings)
    dev = world.data["classify"].task.dev
    texts, classes = dev.inputs[0], np.asarray(dev.gold)
    same = (classes[:, None] == classes) & ~np.eye(len(classes), dtype=bool)

    def apart(found):
        likeness = found @ found.T
        return likeness[same].mean() - likeness[classes[:, None] != classes].mean()

    after = vectors(folder, texts)
    assert after.shape[1] == 12
    assert apart(after) > apart(vectors(world.parent, texts)) + 0.2
    np.testing.assert_allclose(after, SentenceTransformer(str(folder.path), device="cpu").encode(list(texts)), atol=1e-5)
    assert json.loads((folder.path / CONFIG).read_text())[EMBEDDING]["dimensions"] == [4]


def test_a_head_alone_is_trained_on_vectors_that_are_computed_once(world, tmp_path, monkeypatch):
    from acclimate.modeling.execution import Packed

    passes, states = [], Packed.states
    monkeypatch.setattr(Packed, "states", lambda self, batch: passes.append(self.training) or states(self, batch))
    outcome, folder = world.run("classify", tmp_path, train="head")
    assert not any(passes)
    assert len(passes) <= 3  # train, dev, and to find out how fast it is
    before, after = world.parent.tensors(), folder.tensors()
    assert all((after[name] == tensor).all() for name, tensor in before.items())
    assert after.keys() - before.keys() == {"acclimate_dense.weight", "acclimate_dense.bias"}
    assert outcome.cost.trained_parameters == sum(after[name].numel() for name in after.keys() - before.keys())
    assert outcome.metrics["dev_loss"] < outcome.metrics["dev_loss_before"]


def test_frozen_layers_run_once_over_each_text_and_without_that_it_learns_the_same(world, tmp_path, monkeypatch):
    read, hidden = [], Divided.hidden
    monkeypatch.setattr(Divided, "hidden", lambda self, batch: read.append(len(batch.lengths)) or hidden(self, batch))
    settings = {"train": 1, "dropout": 0.0, "evaluations": 4, "dense": 12, "pooling": "max"}
    usual, folder = world.run("retrieve", tmp_path / "kept", **settings)
    texts, documents = usual.metrics["texts"], len(world.data["retrieve"].task.dev.collection)
    # Train, the examples of dev, its queries with all documents; and to find out how fast the whole model is.
    assert sum(read) == texts + 2 * 18 + 18 + documents + min(64, texts)
    expected = vectors(folder, ["w sport", "trade"])
    for name, fast in (("again", FastPaths(frozen_cache=False)), ("padded", FastPaths(packed=False))):
        plain, other = world.run("retrieve", tmp_path / name, fast=fast, **settings)
        losses = [[line["loss"] for line in each.log if "loss" in line] for each in (usual, plain)]
        np.testing.assert_allclose(*losses, rtol=1e-3)
        np.testing.assert_allclose(vectors(other, ["w sport", "trade"]), expected, atol=1e-3)
        assert plain.cost.trained_parameters == usual.cost.trained_parameters
        assert plain.cost.parameters == usual.cost.parameters


def test_a_second_training_keeps_what_the_first_one_said_of_vectors(world, tmp_path):
    _, first = world.run("pair", tmp_path / "a", pooling="max", dense=6, prompts={"query": "w "}, min_steps=1)
    stage = EMBED.model_validate({**SHORT, "min_steps": 1})
    stage.run(first, context(replace_data(world, "classify"), tmp_path / "b"))
    again = EmbeddingForm.of(ModelFolder(tmp_path / "b" / "output" / "model").config)
    assert (again.pooling, again.dense, again.prompts.query, again.dimensions) == ("max", 6, "w ", ())


@pytest.mark.parametrize(
    ("kind", "score", "by"),
    [("classify", "macro_f1", {"classify": "knn"}), ("similarity", "spearman", {}), ("retrieve", "ndcg_at_10", {})],
)
def test_dev_chooses_weights_by_the_score_that_the_stage_vectors_then_gives(world, tmp_path, kind, score, by):
    outcome, folder = world.run(kind, tmp_path / "a", evaluations=5)
    judged = [line for line in outcome.log if f"dev_{score}" in line]
    assert len(judged) == 5
    best = max(judged, key=lambda line: (line[f"dev_{score}"], -line["dev_loss"]))
    assert outcome.metrics["best_step"] == best["step"]
    assert outcome.metrics[f"dev_{score}"] == best[f"dev_{score}"]
    assert 0 <= outcome.metrics[f"dev_{score}_before"] <= 1
    tried = replace(replace_data(world, kind), parent=folder)
    after = VECTORS.model_validate(by).run(folder, context(tried, tmp_path / "b"))
    assert after.metrics[f"dev_{score}"] == pytest.approx(best[f"dev_{score}"])


def test_of_equal_scores_the_lower_loss_is_kept_and_the_loss_alone_may_decide(world, tmp_path):
    outcome, _ = world.run("classify", tmp_path / "a", evaluations=8, lr=1e-3)
    judged = [line for line in outcome.log if "dev_macro_f1" in line]
    top = [line for line in judged if line["dev_macro_f1"] == max(each["dev_macro_f1"] for each in judged)]
    assert len(top) > 1
    assert outcome.metrics["best_step"] == min(top, key=lambda line: line["dev_loss"])["step"]
    by_loss, _ = world.run("classify", tmp_path / "b", evaluations=8, lr=1e-3, select_by="loss")
    assert "dev_macro_f1" not in by_loss.metrics
    assert (
        by_loss.metrics["best_step"] == min((line for line in by_loss.log if "dev_loss" in line), key=lambda line: line["dev_loss"])["step"]
    )


def test_of_many_texts_or_documents_a_part_judges_with_all_that_dev_asks_for_and_it_is_said(world, tmp_path, monkeypatch):
    from acclimate.stages import vector_judges

    monkeypatch.setattr(vector_judges, "MOST_JUDGING", 20)
    classify, _ = world.run("classify", tmp_path / "a", min_steps=1)
    retrieve, _ = world.run("retrieve", tmp_path / "b", min_steps=1)
    assert "dev chooses the weights by the nearest of 20 of the 36 training texts" in classify.notes
    assert "dev chooses the weights by finding its documents among 20 of 72" in retrieve.notes
    assert retrieve.metrics["dev_ndcg_at_10"] > 0


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("pair", {"batch_size": 1, "hard_negatives": 0}, "batch_size: 1 is too few for multiple_negatives: the negatives of a pair"),
        ("similarity", {"batch_size": 1}, "batch_size: 1 is too few for cosent"),
        ("classify", {"batch_size": 3}, "batch_size: 3 is too few for from_labels"),
        ("classify", {"dimensions": [8, 17]}, "the vectors have 16, so 17 of them cannot be cut out"),
        ("classify", {"dense": 8, "dimensions": [9]}, "the vectors have 8, so 9"),
        ("classify", {"loss": "cosent"}, "cosent cannot learn from tasks of the kind classify; those that can are from_labels"),
        ("similarity", {"loss": "multiple_negatives"}, "those that can are cosent, cosine"),
        ("pair", {"loss": "from_labels"}, "from_labels cannot learn from tasks of the kind pair"),
        ("classify", {"prompts": {"query": "q"}}, "have no sides"),
        ("classify", {"hard_negatives": 2}, "goes with multiple_negatives"),
        ("classify", {"positive": "sport"}, "names labels of pairs"),
        ("pair", {"positive": "entails"}, "no label of the task"),
        ("pair", {"select_by": "macro_f1"}, "select_by: no vectors answer pair by themselves"),
        ("similarity", {"select_by": "macro_f1"}, "is no score by which similarity is compared"),
        ("classify", {"train": 9}, "9 layers were asked for"),
        ("classify", {"train": "head", "dropout": 0.1}, "dropout: with `train: head`"),
    ],
)
def test_what_makes_no_sense_is_refused_in_the_plan(world, kind, settings, told):
    with pytest.raises(SettingsError, match=told):
        EMBED.model_validate(settings).check(world.given, world.data[kind].task)


def test_a_batch_of_one_pair_is_taken_where_every_pair_has_a_hard_negative(world):
    task = world.data["pair"].task
    only = replace(task, train=task.train.take(np.arange(2)))
    EMBED(batch_size=1).check(world.given, only)


def test_pairs_are_read_text_by_text_so_that_no_vocabulary_needs_a_template_for_them(world):
    stage, given = EMBED(), world.given
    read = Readings(world.data["pair"]).read_by(graph.Node("key", stage, "parent", 0, "all", "", ()), given.source)
    assert read.special == 2
    assert stage.work(given, read).tokens > 0


def test_a_setting_of_another_loss_is_refused():
    with pytest.raises(ValidationError, match="margin"):
        EMBED.model_validate({"loss": {"cosent": {"margin": 0.5}}})
