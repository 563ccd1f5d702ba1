"""`distill` in a study: what is refused before anything is spent, what is computed once, and the chain that ends with labels."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from acclimate.errors import AcclimateError
from acclimate.modeling.folder import ModelFolder
from acclimate.stages import distilling, teacher
from acclimate.stages.distill import Distill
from acclimate.stages.transfer_text import TransferText
from acclimate.study.language.study import Study, parse_study, resolved
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, carry_out
from acclimate.study.watch.journal import Journal

from .conftest import WORDS

pytestmark = pytest.mark.measured(0)

SHORT = {"epochs": 1, "min_steps": 0, "max_length": 32, "lr": 1e-2}
TEACHER = [{"finetune": SHORT | {"epochs": 4}}]


def student(*stages, keep=1, **settings):
    distill = {"distill": SHORT | {"teacher": "teacher", "corpus": {"task": 1, "domain": 1}, "evaluations": 2} | settings}
    return {"base": {"layers_of": "teacher", "keep": keep}, "stages": [*stages, distill]}


def study(world, recipes, **also):
    task = {split: str(world / f"{split}.jsonl") for split in ("train", "dev", "test")}
    data = {"task": task, "domain": str(world / "domain.jsonl")}
    return Study.model_validate({"base": str(world / "model"), "data": data, "seeds": 1, "forgetting": False, "recipes": recipes} | also)


def done(prepared, folder):
    """The nodes of a study that was carried out, by recipe, and the store."""
    options = Options(folder / "out", folder / "store", engine="inline", say=lambda _: None)
    with Journal("distill", owns_terminal=False) as journal:
        reports = carry_out(prepared, options, journal)
    assert {report.status for report in reports.values()} <= {"done", "cached"}, [report.error for report in reports.values()]
    return {run.recipe: [prepared.plan.nodes[key] for key in run.nodes] for run in prepared.plan.runs}


def measured(prepared, node):
    return json.loads((prepared.store.path(node.key) / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"teacher": "student"}, "goes in a circle: student needs student"),
        ({"teacher": "words"}, "words is a plain baseline, and what is needed here is a transformer"),
        ({"teacher": "tfidf"}, "tfidf is a plain baseline"),
        ({"teacher": "nobody"}, r"nobody.*nor is it a recipe: those are teacher, words, student"),
        (
            {"teacher": "read"},
            r"recipes\.student: teacher: read has no trained classifier of its own; name a recipe that ends with finetune",
        ),
        ({"corpus": "nowhere"}, "there is no corpus 'nowhere'"),
        ({"corpus": "domain", "alpha": 0.5}, r"recipes\.student: alpha: no text of domain has a label; leave it out"),
        ({"alpha": 0}, "alpha: should be more than 0, not 0"),
    ],
)
def test_what_cannot_be_taught_is_refused_before_anything_is_spent(tiny_world, tmp_path, settings, said):
    recipes = {"teacher": TEACHER, "words": {"base": "tfidf"}, "student": student(**settings)}
    recipes |= {"read": ["pretrain"]} if settings.get("teacher") == "read" else {}
    with pytest.raises(AcclimateError, match=said):
        prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"id2label": {"0": "sport", "1": "trade", "2": "films"}}, r"its labels are sport, trade, films, and none of them is 'music'"),
        (
            {"id2label": {"0": "music", "1": "trade", "2": "sport", "3": "films"}},
            "it also gives films, which no label of the task is: those are music, sport, trade",
        ),
        ({"problem_type": "multi_label_classification"}, "gives each of its labels by itself, and classify asks for one of its labels"),
        ({"architectures": ["BertForTokenClassification"]}, "learned to answer words, and classify asks about a text as a whole"),
    ],
)
def test_a_folder_that_learned_something_else_is_no_teacher(tiny_world, tmp_path, config, said):
    theirs = trained(tiny_world, tmp_path / "theirs")
    file = theirs / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    with pytest.raises(AcclimateError, match=rf"recipes\.student: teacher: .*theirs:? {said}"):
        prepare(study(tiny_world, {"teacher": TEACHER, "student": student(teacher=str(theirs))}), tmp_path, tmp_path / "store")


def trained(world, folder, labels=("music", "trade", "sport")):
    """A model with a classifier, as transformers saves one."""
    torch.manual_seed(3)
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}
    model = AutoModelForSequenceClassification.from_pretrained(
        world / "model", num_labels=3, problem_type="single_label_classification", **names
    )
    model.classifier.weight.data *= 20
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((world / "model" / "tokenizer.json").read_bytes())
    return folder


def test_two_students_ask_their_teacher_once_and_labels_go_on_from_what_it_taught(tiny_world, tmp_path, monkeypatch):
    asked, given = [], []
    plain, says = teacher.class_probabilities, teacher.Teacher.says
    monkeypatch.setattr(teacher, "class_probabilities", lambda *of: asked.append(len(of[1])) or plain(*of))
    monkeypatch.setattr(teacher.Teacher, "says", lambda self, items, count: given.append(found := says(self, items, count)) or found)
    still = {"finetune": SHORT | {"lr": 1e-12}}
    recipes = {
        "teacher": TEACHER,
        "student": student(),
        "other": {"base": "random", "stages": student(temperature=5, alpha=1)["stages"]},
        "chain": {**student(), "stages": [*student()["stages"], still]},
        "fresh": {**student(), "stages": [*student()["stages"], {"finetune": still["finetune"] | {"head": {"layers": 2}}}]},
    }
    prepared = prepare(study(tiny_world, recipes, labels=[30]), tmp_path, tmp_path / "store")
    work = {node.title: node.stage.work(prepared.plan.given[key], prepared.readings.read_by(node, prepared.plan.given[key].source))
            for key, node in prepared.plan.nodes.items() if isinstance(node.stage, Distill)}  # fmt: skip
    assert {each.cache_bytes for each in work.values()} == {4 * 3 * 390}
    assert len({each.cache_key for each in work.values()}) == 1
    nodes = done(prepared, tmp_path)
    assert asked == [90, 300]  # every text of each corpus, by whoever came first
    assert len(given) == 4

    taught = nodes["student"][-1]
    assert nodes["chain"][:-1] == nodes["student"]
    assert taught.beside == (("teacher", nodes["teacher"][-1].key),)
    facts = measured(prepared, taught)["metrics"]
    assert (facts["transfer_items"], facts["labelled_items"]) == (390, 30)
    assert measured(prepared, nodes["other"][-1])["metrics"]["labelled_items"] == 0

    def tensors(node):
        return load_file(prepared.store.path(node.key) / "model" / "model.safetensors")

    head, after, fresh = (tensors(nodes[name][-1]) for name in ("student", "chain", "fresh"))
    torch.testing.assert_close(after["classifier.weight"], head["classifier.weight"], atol=1e-6, rtol=0)
    assert "classifier.weight" not in fresh
    notes = [measured(prepared, nodes[name][-1])["notes"] for name in ("chain", "fresh")]
    assert ["the head goes on from what the teacher made of it" in each for each in notes] == [True, False]
    assert "acclimate_distilled" not in ModelFolder(prepared.store.path(nodes["chain"][-1].key) / "model").config

    # What it gave is what plain transformers gives for the same texts.
    folder = prepared.store.path(nodes["teacher"][-1].key) / "model"
    model, words = AutoModelForSequenceClassification.from_pretrained(folder).eval(), ModelFolder(folder).tokenizer()
    texts = [json.loads(line)["text"] for line in (tiny_world / "domain.jsonl").read_text().splitlines()[:5]]
    with torch.no_grad():
        logits = torch.cat([model(torch.tensor([words.encode(text).ids])).logits for text in texts])
    assert [model.config.id2label[number] for number in range(3)] == sorted(WORDS)
    np.testing.assert_allclose(given[1][:5], logits.numpy(), atol=1e-5)

    # Nor does a student of another study ask, after all models are gone: the same teacher, trained again, is that teacher.
    prepared.store.prune(keep=set())
    again = prepare(study(tiny_world, {"teacher": TEACHER, "later": student(lr=1e-3)}, labels=[30]), tmp_path, tmp_path / "store")
    assert again.cached == frozenset()
    done(again, tmp_path)
    assert (asked, len(given)) == ([90, 300], 6)


def test_a_teacher_is_the_run_of_the_same_seed_and_budget(tiny_world, tmp_path):
    recipes = {"teacher": TEACHER, "student": student()}
    plan = prepare(study(tiny_world, recipes, seeds=2, labels=[30, "all"]), tmp_path, tmp_path / "store").plan
    ends = {(run.recipe, run.seed, run.labels): plan.nodes[run.end] for run in plan.runs}
    assert len({node.key for node in ends.values()}) == 8
    for (recipe, *of), node in ends.items():
        if recipe == "student":
            assert node.beside == (("teacher", ends["teacher", *of].key),)


@pytest.mark.parametrize(
    ("broken", "said"),
    [(False, "theirs: its files changed while the study ran; run the same command again"),
     (True, "theirs: 1 of the 48 numbers of its weight classifier.weight are not finite")],
    ids=["changed", "broken"],
)  # fmt: skip
def test_a_folder_that_changes_after_the_plan_or_is_broken_teaches_nothing(tiny_world, tmp_path, broken, said):
    theirs = trained(tiny_world, tmp_path / "theirs")
    made = study(tiny_world, {"student": student(teacher="theirs", corpus="domain") | {"base": "random"}})
    prepared = None if broken else prepare(made, tmp_path, tmp_path / "store")
    model = AutoModelForSequenceClassification.from_pretrained(theirs)
    model.classifier.weight.data[0, 0] = math.nan if broken else 1
    model.save_pretrained(theirs)
    prepared = prepared or prepare(made, tmp_path, tmp_path / "store")
    with pytest.raises(AssertionError, match=said):
        done(prepared, tmp_path)
    assert not list((tmp_path / "store" / "cache").glob("*/outputs.json"))


def test_a_part_of_a_corpus_is_a_part_of_a_larger_one_and_keeps_its_labels(tiny_world, tmp_path):
    prepared = prepare(study(tiny_world, {"teacher": TEACHER}, labels=[30]), tmp_path, tmp_path / "store")
    data, task = prepared.data, prepared.data.task.budget(30, 0)

    def read(mixture, most=None):
        text = TransferText.of(mixture, most, "sequence", SimpleNamespace(data=data))
        texts = [document for (corpus,) in text.whole.columns for document in corpus.documents()] if len(text.parts) == 1 else None
        return text, texts

    _, texts = read("task", 20)
    large, more = read({"task": 0.5})
    assert (len(texts), len(more)) == (20, 45)
    assert set(texts) < set(more)
    gold, known = large.gold(data, task)
    labels = dict(zip(task.train.inputs[0], task.train.gold.tolist(), strict=True))
    assert known.tolist() == [text in labels for text in more]
    assert gold.gold[known].tolist() == [labels[text] for text in more if text in labels]
    assert 0 < known.sum() < 30
    both, _ = read({"domain": 2.5, "task": 1}, 40)
    assert (len(both.read), both.counts) == (100 + 40, (40, 40))
    assert np.bincount(both.read).tolist().count(3) == 20
    assert len(read("task")[1]) == 90
    assert both.gold(data, task)[1][:40].sum() == 0 < both.labelled(data, task).sum() <= 30


def test_a_folder_teaches_by_the_names_of_its_labels_and_another_seed_asks_it_nothing(tiny_world, tmp_path, monkeypatch):
    theirs = trained(tiny_world, tmp_path / "theirs")
    # It has the words of the students in another order.
    tokenizer = json.loads((theirs / "tokenizer.json").read_text())
    entries = tokenizer["model"]["vocab"]
    numbers = [number for word, number in entries.items() if not word.startswith("[")]
    entries |= dict(zip([word for word in entries if not word.startswith("[")], reversed(numbers), strict=True))
    (theirs / "tokenizer.json").write_text(json.dumps(tokenizer))
    asked, given = [], []
    plain, says = teacher.class_probabilities, teacher.Teacher.says
    monkeypatch.setattr(teacher, "class_probabilities", lambda *of: asked.append(len(of[1])) or plain(*of))
    monkeypatch.setattr(teacher.Teacher, "says", lambda self, items, count: given.append(found := says(self, items, count)) or found)
    recipe = {"base": "random", "stages": student(teacher="theirs", corpus="domain")["stages"]}
    made = study(tiny_world, {"student": recipe}, seeds=2)
    prepared = prepare(made, tmp_path, tmp_path / "store")
    nodes = done(prepared, tmp_path)
    assert asked == [300]
    model = AutoModelForSequenceClassification.from_pretrained(theirs).eval()
    words = ModelFolder(theirs).tokenizer()
    text = json.loads((tiny_world / "domain.jsonl").read_text().splitlines()[0])["text"]
    with torch.no_grad():
        logits = model(torch.tensor([words.encode(text).ids])).logits[0]
    by_name = {model.config.id2label[number]: float(logits[number]) for number in range(3)}
    np.testing.assert_allclose(given[0][0], [by_name[name] for name in sorted(WORDS)], atol=1e-5)
    assert measured(prepared, nodes["student"][-1])["metrics"]["transfer_items"] == 300
    assert resolved(parse_study(resolved(made))) == resolved(made)


def test_the_runs_of_all_seeds_of_a_recipe_teach_as_one(tiny_world, tmp_path, monkeypatch):
    said, plain = [], distilling.together
    monkeypatch.setattr(distilling, "together", lambda each, link: said.append((each, found := plain(each, link))) or found)
    recipes = {"teacher": TEACHER, "one": student(), "all": student(ensemble=True)}
    prepared = prepare(study(tiny_world, recipes, seeds=2, labels=[30]), tmp_path, tmp_path / "store")
    planned = estimates(prepared, 1e9)
    assert len({planned[run.end].cache_key for run in prepared.plan.runs if run.recipe != "teacher"}) == 2  # one a teacher
    done(prepared, tmp_path)
    assert len([*(tmp_path / "store" / "cache").glob("*/outputs.json")]) == 2 * 2  # two teachers were asked about two corpora
    ends = {(run.recipe, run.seed): prepared.plan.nodes[run.end] for run in prepared.plan.runs}
    teachers = [ends["teacher", seed].key for seed in (0, 1)]
    assert ends["one", 1].beside == (("teacher", teachers[1]),)
    assert ends["all", 1].beside == (("teacher", teachers[1]), ("teacher (seed 0)", teachers[0]))
    assert ends["all", 0].key != ends["one", 0].key
    both = [(each, found) for each, found in said if len(each) == 2]
    assert len(both) == 2
    each, found = both[0]
    assert not np.allclose(each[0], each[1])
    mean = np.mean([torch.softmax(torch.from_numpy(np.array(logits)), dim=1).numpy() for logits in each], axis=0)
    np.testing.assert_allclose(np.exp(found), mean, rtol=1e-5)
    (note,) = [note for note in measured(prepared, ends["all", 0])["notes"] if "teachers" in note]
    assert note.startswith(
        "2 teachers, one of each seed, are one, the same for the students of all seeds; together they have seen the labels"
    )


@pytest.mark.parametrize(
    ("more", "settings", "said"),
    [
        ({}, {}, "the runs of all seeds are asked, and teacher has a single seed here"),
        ({"seeds": 2}, {"teacher": "acclimate-tiny"}, "the runs of all seeds are asked, and acclimate-tiny is no recipe of this study"),
        ({"seeds": 2}, {"hidden": "relations"}, "hidden: relations is learned from one teacher"),
    ],
)
def test_an_ensemble_of_what_are_not_several_runs_is_refused(tiny_world, tmp_path, more, settings, said):
    with pytest.raises(AcclimateError, match=said):
        prepare(
            study(tiny_world, {"teacher": TEACHER, "student": student(ensemble=True, **settings)}, **more), tmp_path, tmp_path / "store"
        )


def test_what_several_teachers_say_is_the_mean_of_their_probabilities_or_numbers():
    one, other = np.array([[0.0, np.log(3.0)]], np.float32), np.array([[5.0, 5.0]], np.float32)
    np.testing.assert_allclose(np.exp(teacher.together([one, other], "softmax")), [[0.375, 0.625]], rtol=1e-6)
    np.testing.assert_allclose(teacher.together([one, -one], "sigmoid"), [[0.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(teacher.together([one, other], "none"), [[2.5, (5 + np.log(3.0)) / 2]], rtol=1e-6)
    assert teacher.together([one], "softmax") is one
