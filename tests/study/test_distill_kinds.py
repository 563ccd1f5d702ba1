"""Students of every other kind of task: words by another vocabulary, pairs of texts, sets of labels."""

import json
import random
import shutil

import numpy as np
import pytest
import torch
from tests.stages.test_finetune_tags import model_of_pieces
from tests.stages.test_finetune_tags import sentence as tagged
from tests.study.test_distill_study import done, measured
from tests.study.test_pair_study import world as pairs
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from acclimate.errors import SettingsError
from acclimate.modeling.folder import ModelFolder
from acclimate.stages import teacher
from acclimate.study.language.study import Study
from acclimate.study.plan.prepared import prepare

from .conftest import WORDS, sentence, write_jsonl

pytestmark = pytest.mark.measured(0)

SHORT = {"epochs": 1, "min_steps": 0, "lr": 1e-2}


def study(folder, task, recipes, **also):
    task |= {split: str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}
    fixed = {"base": str(folder / "model"), "seeds": 1, "forgetting": False}
    return Study.model_validate(fixed | {"data": {"task": task} | also.pop("data", {}), "recipes": recipes} | also)


@pytest.fixture
def said(monkeypatch):
    """What teachers said, in the order in which they were asked."""
    found, says = [], teacher.Teacher.says
    monkeypatch.setattr(teacher.Teacher, "says", lambda self, items, count: found.append(one := says(self, items, count)) or one)
    return found


def test_words_are_taught_to_a_student_whose_vocabulary_cuts_them_elsewhere(tmp_path, said):
    rng = random.Random(0)
    model_of_pieces(tmp_path / "model")
    shutil.copytree(tmp_path / "model", tmp_path / "other")
    words = json.loads((tmp_path / "other" / "tokenizer.json").read_text())
    vocabulary = words["model"]["vocab"]
    for one, other in (("hop", "hopper"), ("pa", "paris"), ("went", "##nt"), ("then", "we")):  # one piece for two, and two for one
        vocabulary[other] = vocabulary.pop(one)
    (tmp_path / "other" / "tokenizer.json").write_text(json.dumps(words))
    for split, count in (("train", 60), ("dev", 12), ("test", 16)):
        write_jsonl(tmp_path / f"{split}.jsonl", [tagged(rng, 2) for _ in range(count)])
    write_jsonl(tmp_path / "more.jsonl", [{"text": " ".join(tagged(rng, 2)["tokens"])} for _ in range(60)])
    recipes = {
        "teacher": [{"finetune": {"lr": 5e-3, "epochs": 12, "min_steps": 0, "dropout": 0.0}}],
        "student": {
            "base": str(tmp_path / "other"),
            "stages": [
                {
                    "distill": {
                        "teacher": "teacher",
                        "corpus": {"task": 1, "more": 1},
                        "lr": 5e-3,
                        "epochs": 8,
                        "min_steps": 0,
                        "batch_size": 16,
                        "dropout": 0.0,
                    }
                }
            ],
        },
    }
    made = study(tmp_path, {"kind": "tag"}, recipes, data={"corpora": {"more": str(tmp_path / "more.jsonl")}}, labels=[40])
    prepared = prepare(made, tmp_path, tmp_path / "store")
    nodes = done(prepared, tmp_path)
    scores = {name: measured(prepared, nodes[name][-1])["metrics"] for name in recipes}
    assert scores["student"]["test_entity_f1"] > 0.9 * scores["teacher"]["test_entity_f1"] > 0.5
    assert (scores["student"]["transfer_items"], scores["student"]["labelled_items"]) == (120, 40)

    folder = prepared.store.path(nodes["teacher"][-1].key) / "model"
    model, reads = AutoModelForTokenClassification.from_pretrained(folder).eval(), ModelFolder(folder).tokenizer()
    row = json.loads((tmp_path / "more.jsonl").read_text().splitlines()[0])
    read = reads.encode(row["text"])
    with torch.no_grad():
        logits = model(torch.tensor([read.ids])).logits[0].log_softmax(-1).numpy()
    first = [read.word_ids.index(number) for number in range(len(row["text"].split()))]
    np.testing.assert_allclose(said[1][: len(first)], logits[first], atol=1e-4)


@pytest.mark.parametrize("kind", ["pair", "similarity"])
def test_pairs_are_taught_on_those_of_the_whole_training_split(tiny_world, tmp_path, said, kind):
    pairs(tmp_path, tiny_world)
    distill = SHORT | {"teacher": "teacher", "max_length": 24}
    recipes = {"teacher": [{"finetune": SHORT | {"max_length": 24}}], "student": {"base": "random", "stages": [{"distill": distill}]}}
    prepared = prepare(study(tmp_path, {"kind": kind}, recipes, labels=[40]), tmp_path, tmp_path / "store")
    nodes = done(prepared, tmp_path)
    facts = measured(prepared, nodes["student"][-1])["metrics"]
    assert (facts["transfer_items"], facts["labelled_items"]) == (100, 40)
    folder = prepared.store.path(nodes["teacher"][-1].key) / "model"
    model, words = AutoModelForSequenceClassification.from_pretrained(folder).eval(), ModelFolder(folder).tokenizer()
    row = json.loads((tmp_path / "train.jsonl").read_text().splitlines()[0])
    read = words.encode(row["premise"], row["hypothesis"])
    assert len(read.ids) <= 24
    with torch.no_grad():
        plain = model(torch.tensor([read.ids]), token_type_ids=torch.tensor([read.type_ids])).logits[0].numpy()
    np.testing.assert_allclose(said[0][0], plain, atol=1e-5)

    recipes["student"] = [{"distill": distill | {"corpus": {"task": 1, "domain": 1}}}]
    with pytest.raises(SettingsError, match=f"corpus: domain holds single texts, and an item of {kind} has 2"):
        prepare(study(tmp_path, {"kind": kind}, recipes, data={"domain": str(tiny_world / "domain.jsonl")}), tmp_path, tmp_path / "store")
    if kind == "similarity":
        recipes["student"] = [{"distill": distill | {"temperature": 2}}]
        with pytest.raises(SettingsError, match="temperature: similarity is answered by a number, which none softens"):
            prepare(study(tmp_path, {"kind": kind}, recipes), tmp_path, tmp_path / "store")


def test_sets_of_labels_are_taught_from_windows_of_long_texts(tiny_world, tmp_path, said):
    rng = random.Random(0)
    shutil.copytree(tiny_world / "model", tmp_path / "model")
    for split, count in (("train", 40), ("dev", 12), ("test", 12)):
        texts = [" ".join(sentence(topic, rng) for topic in rng.sample(list(WORDS), 2)) for _ in range(count)]
        rows = [{"text": text, "labels": [topic for topic, words in WORDS.items() if set(words) & set(text.split()[:9])]} for text in texts]
        write_jsonl(tmp_path / f"{split}.jsonl", rows)
    recipes = {
        "teacher": [{"finetune": SHORT | {"max_length": 12, "long": "windows", "pool": "mean"}}],
        "student": [{"distill": SHORT | {"teacher": "teacher"}}],
    }
    prepared = prepare(study(tmp_path, {"kind": "multilabel"}, recipes), tmp_path, tmp_path / "store")
    nodes = done(prepared, tmp_path)
    assert measured(prepared, nodes["student"][-1])["metrics"]["transfer_items"] == 40
    from acclimate.evaluation.predictor import load_predictor

    texts = [json.loads(line)["text"] for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    expected = load_predictor(prepared.store.path(nodes["teacher"][-1].key) / "model").probabilities(texts)
    np.testing.assert_allclose(1 / (1 + np.exp(-said[0])), expected, atol=1e-5)
