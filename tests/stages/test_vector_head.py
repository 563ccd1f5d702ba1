"""The head of `finetune` on the vectors of texts: when it is taken, what it learns, what is handed over, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.stages.test_every_stage import context, files, world  # noqa: F401 - a fixture
from tests.study.conftest import write_jsonl

from acclimate import load_predictor
from acclimate.errors import Interrupted, SettingsError
from acclimate.evaluation.predictions import read_predictions
from acclimate.modeling.base_files import VECTORS
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm
from acclimate.modeling.folder import ModelFolder
from acclimate.stages import STAGES
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Classifier
from acclimate.stages.vector_head import told_of_head
from acclimate.tasks.opened import Data, DataSettings

(EMBED,) = (stage for stage in STAGES if stage.word() == "embed")
(AS_IS,) = (stage for stage in STAGES if stage.word() == "as_is")
(PRETRAIN,) = (stage for stage in STAGES if stage.word() == "pretrain")
SHORT = {"epochs": 1, "min_steps": 6, "patience": None}


def run(stage, world, folder, stop_at=0):  # noqa: F811
    here = context(world, folder, stop_at)
    return stage.run(world.parent, here), here.output


@pytest.fixture(scope="module")
def embedded(world, tmp_path_factory):  # noqa: F811
    """The world after a short `embed`, whose vectors have a dense layer and are those of the highest states."""
    folder = tmp_path_factory.mktemp("embedded")
    stage = EMBED(batch_size=16, epochs=1, min_steps=10, evaluations=1, lr=2e-3, pooling="max", dense=12, max_length=16)
    _, output = run(stage, world, folder)
    sizes = stage.check(world.given, world.data.task)
    return replace(world, parent=ModelFolder(output / "model")), sizes


@pytest.fixture(scope="module")
def labelled(world):  # noqa: F811
    """A task of several labels a text."""
    task = {"kind": "multilabel"}
    for split, texts in world.data.task.splits.items():
        rows = [{"text": text, "labels": [name for name, there in (("odd", place % 2), ("third", place % 3 == 0)) if there]}
                for place, text in enumerate(texts.inputs[0])]  # fmt: skip
        write_jsonl(world.folder / f"sets-{split}.jsonl", rows)
        task[split] = str(world.folder / f"sets-{split}.jsonl")
    return Data.open(DataSettings.model_validate({"task": task}), world.folder, world.folder / "rejects")


@pytest.mark.measured(0)
@pytest.mark.parametrize(
    "settings",
    [{"train": "head", "lr": 3e-2}, {"train": 1, "lr": 3e-3}, {"layer_decay": 0.9, "lr": 3e-3}],
    ids=["head", "top", "all"],
)
def test_after_embed_the_head_stands_on_the_vector_and_the_folder_answers_with_both(settings, embedded, tmp_path):
    from sentence_transformers import SentenceTransformer

    world, _ = embedded  # noqa: F811
    outcome, output = run(Finetune.model_validate({**SHORT, "min_steps": 30, **settings}), world, tmp_path)
    task, folder = world.data.task, ModelFolder(output / "model")
    texts = list(task.test.inputs[0])
    assert outcome.metrics["head"] == "vector"
    losses = [line["loss"] for line in outcome.log if "loss" in line]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    said = read_predictions(output / "predictions.parquet")["test"]["probabilities"]
    predictor = load_predictor(output / "model")
    assert predictor.labels == task.names
    assert predictor.probabilities(texts) == pytest.approx(said, abs=1e-5)
    # What anybody makes of the vectors of sentence-transformers with the head's numbers is the answer, too.
    from safetensors.numpy import load_file

    head = load_file(output / "model" / "vectors.safetensors")
    logits = SentenceTransformer(str(folder.path), device="cpu").encode(texts) @ head["weights"].T + head["bias"]
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert shares / shares.sum(axis=1, keepdims=True) == pytest.approx(said, abs=1e-5)
    before, after = world.parent.tensors(), folder.tensors()
    changed = {name for name, tensor in after.items() if not (before[name] == tensor).all()}
    assert after.keys() == before.keys()
    if settings.get("train") == "head":
        assert not changed
        assert outcome.cost.trained_parameters == 12 * 3 + 3
    else:
        assert {"acclimate_dense.weight"} < changed
        assert any("embeddings" in name for name in changed) == ("train" not in settings)


def test_a_head_alone_learns_from_vectors_that_are_computed_once_and_found_by_the_stage_vectors(embedded, tmp_path, monkeypatch):
    from acclimate.modeling.execution import Packed
    from acclimate.stages.vectors import Vectors

    world, _ = embedded  # noqa: F811
    world = replace(world, folder=tmp_path)  # with a cache of its own
    passes, states = [], Packed.states
    monkeypatch.setattr(Packed, "states", lambda self, batch: passes.append(self.training) or states(self, batch))
    run(Finetune(train="head", **SHORT), world, tmp_path / "a")
    assert not any(passes)
    assert len(passes) == 3 + 1  # a split each, and to find out how fast it is
    run(Finetune(train="head", lr=1e-2, **SHORT), world, tmp_path / "b")
    run(Vectors(), world, tmp_path / "c")
    assert len(passes) == 3 + 1 + 1


@pytest.mark.parametrize(("train", "stop_at"), [("head", 2), ("all", 4), (1, 4)])
def test_stopped_and_continued_it_ends_bitwise_equal(train, stop_at, embedded, tmp_path):
    world, _ = embedded  # noqa: F811
    stage = Finetune(train=train, dropout=0.2, **SHORT)
    straight, whole = run(stage, world, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(stage, world, tmp_path / "stopped", stop_at)
    again, output = run(stage, world, tmp_path / "stopped")
    assert files(output) == files(whole)
    assert again.metrics == straight.metrics


def test_sets_of_labels_are_learned_with_thresholds_that_the_folder_keeps(embedded, labelled, tmp_path):
    world = replace(embedded[0], data=labelled)  # noqa: F811
    outcome, output = run(Finetune(train="head", thresholds="tuned", **SHORT), world, tmp_path)
    config = json.loads((output / "model" / "config.json").read_text())
    config["acclimate_thresholds"] = [*[*outcome.metrics["thresholds"].values()][:-1], 0.0]  # as the worker writes them
    (output / "model" / "config.json").write_text(json.dumps(config))
    predictor = load_predictor(output / "model")
    assert predictor.problem == "multi_label_classification"
    assert predictor.thresholds[-1] == 0.0
    said = read_predictions(output / "predictions.parquet")["test"]["probabilities"]
    assert predictor.probabilities(list(labelled.task.test.inputs[0])) == pytest.approx(said, abs=1e-5)


@pytest.mark.parametrize("kind", ["pair", "similarity"])
def test_a_head_alone_answers_pairs_by_the_vectors_of_both_texts(kind, embedded, tmp_path):
    world, rows = embedded[0], {}  # noqa: F811
    for split, texts in world.data.task.splits.items():
        both = zip(texts.inputs[0], texts.inputs[0][1:], strict=False)
        right = ("same", "other") if kind == "pair" else (4.5, 0.5)
        rows[split] = [{"text": one, "text_b": other, "label" if kind == "pair" else "score": right[place % 2]}
                       for place, (one, other) in enumerate(both)]  # fmt: skip
        write_jsonl(tmp_path / f"{split}.jsonl", rows[split])
    task = {"kind": kind, **{split: str(tmp_path / f"{split}.jsonl") for split in rows}}
    world = replace(world, data=Data.open(DataSettings.model_validate({"task": task}), tmp_path, tmp_path / "rejects"))
    outcome, output = run(Finetune(train="head", lr=3e-2, max_length=8, **SHORT), world, tmp_path)
    test = world.data.task.test
    assert outcome.metrics["head"] == "vector"
    assert outcome.metrics["cut_tokens_test"] == sum(max(0, len(text.split()) - 6) for column in test.inputs for text in column)
    said = read_predictions(output / "predictions.parquet")["test"]
    found = load_predictor(output / "model").probabilities(*test.inputs)
    assert (found if kind == "pair" else found[:, 0]) == pytest.approx(said["probabilities" if kind == "pair" else "predicted"], abs=1e-5)
    with pytest.raises(SettingsError, match="answers pairs"):
        load_predictor(output / "model").probabilities(test.inputs[0])
    sizes = Finetune(train="head").check(embedded[1], world.data.task)
    assert sizes.classifier is None
    with pytest.raises(SettingsError, match="texts is trained alone, with `train: head`"):
        Finetune(head="vector").check(embedded[1], world.data.task)
    (told,) = told_of_head(Finetune(), embedded[1].config, world.data.task.kind)
    assert "reads both texts together" in told
    assert told_of_head(Finetune(train="head"), embedded[1].config, world.data.task.kind) == ()


def test_the_vector_is_taken_where_labels_trained_it_or_where_it_is_said(world, embedded, tmp_path):  # noqa: F811
    trained, silent = embedded[1].config, world.given.config
    assert EmbeddingForm.of(trained).trained
    says_so = {**silent, EMBEDDING: EmbeddingForm(pooling="cls").model_dump(mode="json")}  # as a folder of sentence-transformers does
    for config, head, taken in (
        (trained, {}, True), (trained, "architecture", False), (trained, {"layers": 2}, False), (trained, "mlm", False),
        (silent, {}, False), (silent, "vector", True), (says_so, {}, False), (says_so, "vector", True),
    ):  # fmt: skip
        assert Finetune(head=head).head.on_vector(config, "sequence", 1, False) is taken, (head, taken)
    assert not Finetune().head.on_vector(trained, "sequence", 2, False)
    assert Finetune().head.on_vector(trained, "sequence", 2, True)
    assert not Finetune().head.on_vector(trained, "tokens", 1, True)
    outcome, output = run(Finetune(head="architecture", train="head", **SHORT), embedded[0], tmp_path)
    assert "head" not in outcome.metrics
    assert ModelFolder(output / "model").learnt == "classifier"


def test_a_choice_that_is_not_made_leaves_no_trace_in_the_key():
    assert "vector" not in Finetune().keyed()["head"]
    assert Finetune(head="vector").keyed()["head"]["vector"] is True
    assert Finetune(head="architecture").keyed()["head"]["vector"] is False
    assert Finetune(head="vector").title() == "finetune (vector)"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"long": "windows"}, "long: the vector of a text is made of its beginning"),
        ({"frozen_precision": "float16"}, "frozen_precision: vectors are kept as float32"),
        ({"train": 9}, "9 layers were asked for"),
        ({"max_length": 65}, "max_length: 65 is more than the 64 positions"),
    ],
)
def test_what_a_head_on_the_vector_cannot_do_is_refused_in_the_plan(settings, told, embedded):
    world, given = embedded  # noqa: F811
    with pytest.raises(SettingsError, match=told):
        Finetune.model_validate(settings).check(given, world.data.task)


def test_a_classifier_on_vectors_is_not_carried_along(world, embedded, tmp_path):  # noqa: F811
    known = replace(embedded[1], classifier=Classifier(("a", "b"), 1))
    after = Finetune().check(known, world.data.task)
    assert after.classifier is None
    with pytest.raises(SettingsError, match="head: architecture"):
        AS_IS().check(after, world.data.task)
    _, output = run(Finetune(train="head", **SHORT), embedded[0], tmp_path / "a")
    assert VECTORS in ModelFolder(output / "model").config
    learned = replace(embedded[0], parent=ModelFolder(output / "model"))
    _, output = run(PRETRAIN(batch_tokens=128).sliver(), learned, tmp_path / "b")
    assert VECTORS not in ModelFolder(output / "model").config
    assert not (output / "model" / "vectors.safetensors").exists()
