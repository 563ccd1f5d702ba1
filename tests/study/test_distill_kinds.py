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
from tests.study.test_pair_study import rows as rows_of_pairs
from tests.study.test_pair_study import world as pairs
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from acclimate.errors import SettingsError
from acclimate.evaluation.predictor import load_predictor
from acclimate.modeling.folder import ModelFolder
from acclimate.stages import distilling, teacher
from acclimate.study.language.study import Study
from acclimate.study.plan.prepared import prepare

from .conftest import WORDS, sentence, write_jsonl

pytestmark = pytest.mark.measured(0)

SHORT = {"epochs": 1, "min_steps": 0, "lr": 1e-2}


def study(folder, task, recipes, **also):
    task |= {split: str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}
    fixed = {"base": str(folder / "model"), "seeds": 1, "forgetting": False}
    return Study.model_validate(fixed | {"data": {"task": task} | also.pop("data", {}), "recipes": recipes} | also)


def work_of(prepared, key):
    node, given = prepared.plan.nodes[key], prepared.plan.given[key]
    return node.stage.work(given, prepared.readings.read_by(node, given.source))


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


def teacher_of_pairs(folder, labels):
    """A model in `theirs` that has an answer to pairs, with one label a number: mostly the first."""
    torch.manual_seed(3)
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}
    problem = "regression" if len(labels) == 1 else "single_label_classification"
    model = AutoModelForSequenceClassification.from_pretrained(folder / "model", num_labels=len(labels), problem_type=problem, **names)
    for weight in (each for name, each in model.named_parameters() if each.dim() == 2 and "embeddings" not in name):
        weight.data *= 10  # what is said follows the texts
    model.classifier.bias.data = torch.tensor([0.7, -0.7])[: len(labels)]
    model.save_pretrained(folder / "theirs")
    shutil.copy(folder / "model" / "tokenizer.json", folder / "theirs")
    return model.eval()


@pytest.mark.parametrize(("kind", "labels"), [("pair", ("other", "same")), ("similarity", ("score",))])
def test_pairs_are_taught_on_those_of_train_and_on_pairs_without_labels(tiny_world, tmp_path, said, monkeypatch, kind, labels):
    pairs(tmp_path, tiny_world)
    for name, count, seed in (("more", 30, 3), ("transfer", 200, 4)):
        write_jsonl(tmp_path / f"{name}.jsonl", rows_of_pairs(count, seed))
    model, words = teacher_of_pairs(tmp_path, labels), ModelFolder(tmp_path / "model").tokenizer()
    asked, plain, read, objective = [], teacher.class_probabilities, [], distilling.Distilled
    monkeypatch.setattr(teacher, "class_probabilities", lambda *of: asked.append(len(of[1])) or plain(*of))
    monkeypatch.setattr(distilling, "Distilled", lambda texts, *of: read.append(texts) or objective(texts, *of))
    distill = SHORT | {"teacher": "theirs", "max_length": 24, "evaluations": 1}
    recipes = {
        "student": [{"distill": distill | {"corpus": {"task": 1, "transfer": 1}}}],
        "other": [{"distill": distill | {"corpus": "transfer", "epochs": 4}}],
    }
    of_pairs = {name: {"path": str(tmp_path / f"{name}.jsonl"), "text_b": "hypothesis"} for name in ("more", "transfer")}
    made = study(tmp_path, {"kind": kind, "unlabeled": of_pairs["more"]}, recipes, labels=[40], data={"transfer": of_pairs["transfer"]})
    prepared = prepare(made, tmp_path, tmp_path / "store")
    works = {run.recipe: work_of(prepared, run.end) for run in prepared.plan.runs}
    assert {name: work.cache_bytes for name, work in works.items()} == {"student": 4 * len(labels) * 330, "other": 4 * len(labels) * 200}
    nodes = done(prepared, tmp_path)
    assert asked == [130, 200]  # by the first of both, and what it was told the other finds
    facts = measured(prepared, nodes["student"][-1])["metrics"]
    assert (facts["transfer_items"], facts["labelled_items"]) == (330, 40)

    rows = {
        name: list(map(json.loads, (tmp_path / f"{name}.jsonl").read_text().splitlines())) for name in ("train", "more", "transfer", "test")
    }
    for found, name, row, place in ((said[0][0], "train", 0, 0), (said[0][129], "more", 29, 129), (said[1][199], "transfer", 199, 329)):
        whole = words.encode(rows[name][row]["premise"], rows[name][row]["hypothesis"])
        with torch.no_grad():
            logits = model(torch.tensor([whole.ids]), token_type_ids=torch.tensor([whole.type_ids])).logits[0].numpy()
        np.testing.assert_allclose(found, logits, atol=1e-5)
        words.enable_truncation(24)  # the student reads less of the same pair
        assert (
            read[0].batch(np.array([place])).input_ids.tolist()
            == words.encode(rows[name][row]["premise"], rows[name][row]["hypothesis"]).ids
        )
        words.no_truncation()

    # It has seen no label, and says what its teacher says of other pairs; a head that has not learned says about 0.
    folders = (tmp_path / "theirs", prepared.store.path(nodes["other"][-1].key) / "model")
    columns = [[row[name] for row in rows["test"]] for name in ("premise", "hypothesis")]
    theirs, own = (load_predictor(folder).probabilities(*columns)[:, 0] for folder in folders)
    assert np.abs(theirs - own).max() < 0.2 < np.abs(theirs - (0.5 if kind == "pair" else 0)).min()


def test_single_texts_beside_pairs_are_told_or_refused(tiny_world, tmp_path):
    pairs(tmp_path, tiny_world)
    recipes = {"teacher": ["finetune"], "student": [{"distill": {"teacher": "teacher", "corpus": {"task": 1, "domain": 1}}}]}
    texts = str(tiny_world / "domain.jsonl")
    with pytest.raises(SettingsError, match=r"recipes\.student.*corpus: domain holds single texts, and an item of pair has 2; .*`text_b:`"):
        study(tmp_path, {"kind": "pair"}, recipes, data={"domain": texts})
    chosen = {
        "domain": {"select": {"among": "read", "documents": 2}},
        "read": {"path": str(tmp_path / "train.jsonl"), "text_b": "hypothesis"},
    }
    recipes["student"][0]["distill"]["corpus"] = "chosen"
    with pytest.raises(SettingsError, match=r"chosen holds single texts, .*; what is chosen from others is chosen text by text"):
        study(tmp_path, {"kind": "pair"}, recipes, data={"corpora": {"chosen": chosen.pop("domain"), **chosen}})
    recipes["student"][0]["distill"] = {"teacher": "teacher", "temperature": 2}
    with pytest.raises(SettingsError, match="temperature: similarity is answered by a number, which none softens"):
        prepare(study(tmp_path, {"kind": "similarity"}, recipes), tmp_path, tmp_path / "store")
    del recipes["student"][0]["distill"]["temperature"]
    prepared = prepare(study(tmp_path, {"kind": "pair", "unlabeled": texts}, recipes), tmp_path, tmp_path / "store")
    (note,) = (note for note in prepared.readings.notes(prepared.plan) if "unlabeled" in note)
    assert note.startswith("student: the 300 single texts of `unlabeled` are no pairs, so the teacher is asked about those of train alone")
    (end,) = (run.end for run in prepared.plan.runs if run.recipe == "student")
    assert work_of(prepared, end).cache_bytes == 4 * 2 * 100


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
    texts = [json.loads(line)["text"] for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    expected = load_predictor(prepared.store.path(nodes["teacher"][-1].key) / "model").probabilities(texts)
    np.testing.assert_allclose(1 / (1 + np.exp(-said[0])), expected, atol=1e-5)
