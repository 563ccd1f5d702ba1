"""A trained classifier that a model brings answers as it does in plain transformers, is carried along, and is refused where it cannot."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.modeling.conftest import VOCABULARY, build_tiny
from tests.stages.test_every_stage import World, context
from tests.stages.test_zero_shot import pair_tokenizer
from tests.study.conftest import write_jsonl

from acclimate import Finetune, Pretrain, load_predictor
from acclimate.errors import SettingsError
from acclimate.evaluation.predictions import read_predictions
from acclimate.files import read_table
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.source import resolve_base
from acclimate.stages import BASES, STAGES
from acclimate.stages.planned import Classifier, Sizes
from acclimate.tasks.classify import Classify
from acclimate.tasks.multilabel import Multilabel
from acclimate.tasks.opened import Data, DataSettings
from acclimate.tasks.pair import Pair
from acclimate.tasks.similarity import Similarity
from acclimate.tasks.tag import Tag

AS_IS = next(stage for stage in STAGES if stage.word() == "as_is")
MERGE, EXTEND = (next(stage for stage in STAGES if stage.word() == word) for word in ("merge", "extend"))
START = BASES[0]
LABELS = ("a", "b", "c")
LONG = " ".join(f"w{number % 40}" for number in range(70))
ROWS = {
    "classify": lambda n: {"text": f"w{n} w{n + 5}" + (f" {LONG}" if n % 7 == 0 else ""), "label": LABELS[n % 3]},
    "multilabel": lambda n: {"text": f"w{n} w{n + 5}", "labels": [LABELS[n % 3], *([LABELS[0]] if n % 3 else [])]},
    "pair": lambda n: {"premise": f"w{n} w{n + 5}", "hypothesis": f"w{n + 2} w3", "label": LABELS[n % 3]},
    "similarity": lambda n: {"sentence1": f"w{n} w{n + 5}", "sentence2": f"w{n + 2} w3", "score": float(n % 4)},
    "tag": lambda n: {"tokens": [f"w{n}", f"w{n + 5}"], "tags": ["B-x", "I-x"] if n % 2 else ["O", "B-x"]},
}


def world_of(folder, kind="classify", form="classifier", names=("C", "a", "B"), **config):
    """A tiny BERT that has learned `names`, brought in as a base is, and a task of the kind."""
    model = build_tiny("bert", form, num_labels=max(1, len(names)))
    for layer in model.modules():  # so that answers are not all alike
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, std=0.5, generator=torch.Generator().manual_seed(3))
    if names:
        model.config.id2label, model.config.label2id = dict(enumerate(names)), {name: number for number, name in enumerate(names)}
    model.save_pretrained(folder / "base")
    tokenizer = json.loads(pair_tokenizer().to_str())
    words = {name: number for name, number in tokenizer["model"]["vocab"].items() if number < VOCABULARY - 1} | {"##w2": VOCABULARY - 1}
    tokenizer["model"] = {
        "type": "WordPiece", "vocab": words, "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 99,
    }  # fmt: skip
    (folder / "base" / "tokenizer.json").write_text(json.dumps(tokenizer))
    saved = json.loads((folder / "base" / "config.json").read_text())
    (folder / "base" / "config.json").write_text(json.dumps(saved | config))
    write_jsonl(folder / "rows.jsonl", [ROWS[kind](number) for number in range(40)])
    write_jsonl(folder / "domain.jsonl", [{"text": f"w{number} w7 w8 w{number % 5}"} for number in range(40)])
    settings = DataSettings.model_validate(
        {"task": {"kind": kind, "path": str(folder / "rows.jsonl")}, "domain": str(folder / "domain.jsonl")}
    )
    world = World(folder, resolve_base(str(folder / "base"), folder), Data.open(settings, folder, folder / "rejects"))
    start = START.of(world.source, random=False, classifier=True)
    start.run(None, context(world, folder / "start"))
    return replace(world, parent=ModelFolder(folder / "start" / "output" / "model"))


def run(world, stage, name, parent=None):
    here = context(world, world.folder / name)
    if stage.beside():
        START.of(world.source, random=False).run(None, context(world, world.folder / "bare"))
        here = replace(here, beside={"base": ModelFolder(world.folder / "bare" / "output" / "model")})
    return stage.run(parent or world.parent, here), here.output


def by_transformers(world, split, meaning):
    """[N, L] of the base by plain transformers, text by text."""
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

    model = AutoModelForSequenceClassification.from_pretrained(world.folder / "base").eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(world.folder / "base" / "tokenizer.json"), pad_token="[PAD]")
    found = []
    with torch.no_grad():
        for texts in zip(*split.inputs, strict=True):
            limit = model.config.max_position_embeddings
            read = tokenizer(*texts, return_tensors="pt", truncation=True, max_length=limit, return_token_type_ids=True)
            found.append(meaning(model(**read).logits[0]).numpy())
    return np.stack(found)


@pytest.mark.parametrize("kind", ["classify", "multilabel", "pair"])
def test_answers_are_those_of_transformers_whatever_the_order_and_the_case_of_the_labels(kind, tmp_path):
    several = kind == "multilabel"
    world = world_of(tmp_path, kind, **({"problem_type": "multi_label_classification"} if several else {}))
    outcome, output = run(world, AS_IS(), "asked")
    split = world.data.task.test
    expected = by_transformers(world, split, torch.sigmoid if several else lambda logits: logits.softmax(-1))[:, [1, 2, 0]]
    probabilities = np.array(read_table(output / "predictions.parquet").to_pandas().query("split == 'test'")["probabilities"].tolist())
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-2
    saved = ModelFolder(output / "model").config
    (output / "model" / "config.json").write_text(json.dumps(saved | {"acclimate_kind": kind}))  # as the worker says of every model
    handed = load_predictor(output / "model")
    assert handed.labels == LABELS == world.data.task.names
    np.testing.assert_allclose(handed.probabilities(*split.inputs), expected, atol=1e-5)
    assert (outcome.metrics["cut_tokens_test"] > 0) == (kind == "classify")
    assert any("are cut" in note for note in outcome.notes) == (kind == "classify")


def test_a_score_and_tags_are_answered_too(tmp_path):
    world = world_of(tmp_path / "score", "similarity", names=())
    _, output = run(world, AS_IS(), "asked")
    expected = by_transformers(world, world.data.task.test, lambda logits: logits)
    np.testing.assert_allclose(read_predictions(output / "predictions.parquet")["test"]["predicted"], expected[:, 0], atol=1e-5)
    world = world_of(tmp_path / "tags", "tag", "tagger", ("I-x", "O", "b-x"))
    _, output = run(world, AS_IS(), "asked")
    test, names = world.data.task.test, world.data.task.names
    theirs, ours = (load_predictor(folder) for folder in (world.folder / "base", output / "model"))
    order = [[name.casefold() for name in theirs.labels].index(name.casefold()) for name in names]
    assert ours.labels == names
    np.testing.assert_allclose(
        ours.probabilities(list(test.inputs[0]), test.words), theirs.probabilities(list(test.inputs[0]), test.words)[:, order], atol=1e-6
    )


def test_thresholds_and_windows_that_the_base_brings_are_used_as_predict_uses_them_and_told(tmp_path):
    settings = {"acclimate_thresholds": [0.2, 0.5, 0.9], "acclimate_pool": "max", "acclimate_stride": 5, "acclimate_max_length": 24}
    world = world_of(tmp_path, **settings)
    outcome, output = run(world, AS_IS(), "asked")
    handed, test = load_predictor(world.folder / "base"), world.data.task.test
    expected = (handed.probabilities(list(test.inputs[0])) / handed.thresholds).argmax(axis=1)
    order = np.array([2, 0, 1])  # C, a, B in the order of the task
    np.testing.assert_array_equal(read_predictions(output / "predictions.parquet")["test"]["predicted"], order[expected])
    assert outcome.metrics["thresholds"] == {"a": 0.5, "b": 0.9, "c": 0.2}
    assert outcome.metrics["cut_tokens_test"] == 0 < outcome.metrics["overlapping_texts_test"]
    assert any("tuned thresholds change macro F1 on test from" in note for note in outcome.notes)
    assert any("read in overlapping windows" in note for note in outcome.notes)
    without = START.of(replace(world.source, config={}), random=False, classifier=True)
    assert START.of(world.source, random=False, classifier=True).keyed() == without.keyed() | {"decides": True}


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A world, and a model that was fine-tuned on its task."""
    world = world_of(tmp_path_factory.mktemp("learned"))
    outcome, output = run(world, Finetune(epochs=1, min_steps=4, lr=1e-2, batch_size=8), "finetune")
    return world, outcome, output


def the_same(one, other):
    return read_table(one / "predictions.parquet").equals(read_table(other / "predictions.parquet"))


@pytest.mark.measured(0)
@pytest.mark.parametrize("between", [None, MERGE(weight=1.0), EXTEND(words=["w1w2"], init="mean")], ids=["", "merge", "extend"])
def test_after_a_finetune_it_gives_exactly_its_answers_also_when_the_model_was_saved_since(between, learned):
    world, outcome, output = learned
    folder = ModelFolder(output / "model")
    if between is not None:
        folder = ModelFolder(run(world, between, between.word(), folder)[1] / "model")
    again, asked = run(world, AS_IS(), f"asked after {between}"[:30], folder)
    assert the_same(output, asked)
    assert {name: value for name, value in again.metrics.items() if name.startswith("test_")} == {
        name: value for name, value in outcome.metrics.items() if name.startswith("test_")
    }


def test_a_pretraining_between_carries_the_classifier_and_moves_its_answers(learned):
    world, _, output = learned
    stage = Pretrain(corpus="domain", tokens=2000, batch_tokens=256, lr=1e-2)
    _, read = run(world, stage, "pretrain", ModelFolder(output / "model"))
    _, asked = run(world, AS_IS(), "asked after pretrain", ModelFolder(read / "model"))
    before, after = (ModelFolder(folder / "model").tensors_for("classifier") for folder in (output, asked))
    assert torch.equal(before["classifier.weight"], after["classifier.weight"])
    assert not the_same(output, asked)


def given(world, **found):
    return replace(Sizes.of(world.source), classifier=Classifier(**{"names": LABELS, "texts": 1, "length": 24} | found))


@pytest.mark.parametrize(
    ("settings", "found", "kind", "said"),
    [
        ({}, {"texts": 2}, Classify(), "learned to answer pairs of texts, and classify asks about single texts; .*finetune, as_is"),
        ({}, {}, Pair(), "learned to answer single texts, and pair asks about pairs of texts"),
        ({}, {"form": "tokens"}, Classify(), "learned to answer words, and classify asks about a text as a whole"),
        ({}, {}, Tag(), "learned to answer texts as a whole, and tag asks about every word"),
        ({}, {}, Multilabel(), "gives one of its labels, and multilabel asks for each of its labels by itself"),
        ({}, {"texts": 2}, Similarity(), "gives one of its labels, and similarity asks for a number"),
        (
            {},
            {"names": ("a", "b", "LABEL_2")},
            Classify(),
            "a, b, LABEL_2, and none of them is 'c' .*names: {c: ITS LABEL}",
        ),
        ({}, {"names": (*LABELS, "d")}, Classify(), "it also gives d, which no label of the task is: those are a, b, c"),
        ({"names": {"c": "LABEL_9"}}, {"names": ("a", "b", "LABEL_2")}, Classify(), "has no label 'LABEL_9'; did you mean 'LABEL_2'"),
        ({"names": {"x": "a"}}, {}, Classify(), "names: 'x' is no label of the task; the labels are a, b, c"),
        ({"names": {"a": "B"}}, {"names": ("a", "B", "c")}, Classify(), "it also gives a, which no label"),
        ({"names": {"score": "x"}}, {"texts": 2, "link": "none"}, Similarity(), "names: similarity has no labels"),
        ({"max_length": 999}, {}, Classify(), "max_length: 999 is more than the 48 positions"),
    ],
)
def test_what_the_model_cannot_answer_is_refused_before_anything_is_spent(settings, found, kind, said, learned):
    task = SimpleNamespace(kind=kind, names=LABELS)
    with pytest.raises(SettingsError, match=said):
        AS_IS(**settings).check(given(learned[0], **found), task)


def test_a_model_without_a_classifier_is_refused_and_a_label_may_go_by_another_name(learned):
    task = SimpleNamespace(kind=Classify(), names=("0", "1"))
    with pytest.raises(SettingsError, match=r"as_is: the model before it \(.*base\) has no trained classifier: .*\[finetune, as_is\]"):
        AS_IS().check(Sizes.of(learned[0].source), task)
    stage = AS_IS(names={0: "NEGATIVE", 1: "POSITIVE"})
    assert stage.rows(task, ("positive", "negative")) == (1, 0)
    assert stage.check(given(learned[0], names=("positive", "negative")), task)


def test_what_finetune_leaves_and_what_a_base_brings_is_known_to_the_plan(learned):
    world, task = learned[0], learned[0].data.task
    left = Finetune(long="windows", max_length=24).check(Sizes.of(world.source), task).classifier
    assert left == Classifier(LABELS, 1, 24, whole=True)
    brought = START.of(world.source, random=False, classifier=True).check(Sizes.of(world.source), None).classifier
    assert brought == Classifier(("C", "a", "B"), None)
