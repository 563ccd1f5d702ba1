"""The verb `overlap`, on files: what it tells, in which words, and what it refuses."""

import json

import pytest

from acclimate.data.tokens import TokenStore, encoded
from acclimate.data.windows import sliding
from acclimate.evaluation.inference import heldout_loss
from acclimate.modeling.execution import Packed
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.source import resolve_base
from acclimate.objectives.mlm import Vocabulary, heldout_batches
from acclimate.study.compared_texts import Asked, compare_texts
from acclimate.training.devices import Devices

from .conftest import write_jsonl


def asked(*paths, **others):
    return Asked(**({"paths": paths, "task": None, "kind": None, "reading": {}, "words": 10_000, "documents": 50_000, "seed": 0} | others))


@pytest.fixture(scope="module")
def told(tiny_world):
    lines: list[str] = []
    paths = f"near={tiny_world}/domain.jsonl", str(tiny_world / "dev.jsonl")
    return compare_texts(asked(*paths, task=str(tiny_world)), "acclimate-tiny", lines.append), lines


def test_corpora_and_the_training_split_of_a_task_are_told_by_name(told):
    found, lines = told
    assert {name: text["documents"] for name, text in found["texts"].items()} == {"near": 300, "dev": 40, "task": 90}
    assert "task: 90 of 90 documents looked at" in lines
    assert found["overlap"]["near"]["task"] == 1.0  # both are of the same few words
    assert 0 < found["divergence"]["near"]["task"] < 0.1
    assert any("fewer than the 10,000" in note for note in found["notes"])


def test_tokens_and_masked_loss_are_those_of_the_base_on_held_out_text(told, tiny_world, tmp_path):
    texts = [json.loads(line)["text"] for line in (tiny_world / "train.jsonl").read_text().splitlines()]
    folder = import_base(resolve_base("acclimate-tiny", tmp_path), tmp_path / "model")
    tokenizer, task = folder.tokenizer(), told[0]["texts"]["task"]
    assert task["tokens_per_word"] == pytest.approx(encoded(tokenizer, texts)[1].sum() / sum(len(text.split()) for text in texts))
    store = TokenStore.build(tmp_path / "store", iter(texts), tokenizer, "")
    batches = heldout_batches(store, sliding(store, 510), Vocabulary.of(tokenizer, whole_word=False), 10_000)
    assert task["masked_loss"] == pytest.approx(heldout_loss(Packed(load_mlm(folder, 0)[0]), batches, Devices()), rel=1e-4)


def test_documents_are_drawn_by_the_seed_from_the_whole_corpus(tmp_path, tiny_world):
    write_jsonl(tmp_path / "many.jsonl", [{"text": f"word{number:04}"} for number in range(1000)])
    write_jsonl(tmp_path / "half.jsonl", [{"text": " ".join(f"word{number:04}" for number in range(500))}])

    def drawn(seed):
        paths = str(tmp_path / "many.jsonl"), str(tmp_path / "half.jsonl")
        return compare_texts(asked(*paths, documents=100, seed=seed), f"{tiny_world}/model", lambda _: None)

    found = drawn(0)
    assert found["texts"]["many"]["looked_at"] == found["texts"]["many"]["different_words"] == 100
    assert 30 < found["shared"]["many"]["half"] < 70  # as many from the first half as from the second
    assert found == drawn(0)
    assert found["shared"] != drawn(2)["shared"]


def test_a_base_without_a_head_has_no_masked_loss_and_that_is_noted(tiny_world):
    found = compare_texts(asked(str(tiny_world / "domain.jsonl"), str(tiny_world / "dev.jsonl")), f"{tiny_world}/model", lambda _: None)
    assert found["texts"]["dev"]["masked_loss"] is None
    assert any("has no head for masked language modelling" in note for note in found["notes"])


def test_what_cannot_be_compared_is_refused(acclimate, tiny_world, tmp_path):
    (tmp_path / "stop.txt").write_text("of the and\n")
    domain, model = tiny_world / "domain.jsonl", tiny_world / "model"
    for words, said in {
        (domain,): "one text alone cannot be compared",
        (domain, f"x={domain}", f"x={tiny_world}/dev.jsonl"): "x: named twice",
        (domain, tmp_path / "stop.txt"): "there is no word in 'stop'",
        (domain, tmp_path / "nowhere.txt"): "nowhere.txt",
        (f"task={domain}", "--task", tiny_world): "is what the texts of --task are called",
        (domain, tiny_world / "dev.jsonl", "--kind", "tag"): "--kind tag: is said of a task",
        (domain, "--task", tiny_world, "--kind", "perplexity"): "--kind perplexity: no kind of labelled examples",
        (domain, tiny_world / "dev.jsonl", "--out", tiny_world): "and acclimate did not make it",
    }.items():
        ran = acclimate("overlap", *words, "--model", model)
        assert ran.returncode == 2
        assert said in ran.stderr


@pytest.mark.parametrize(
    ("kind", "name", "line"),
    [
        ("pair", "pairs.jsonl", '{{"premise": "goal{0} score", "hypothesis": "team", "label": "{1}"}}\n'),
        ("tag", "tags.conll", "goal{0} B-X\nscore O\nteam O\n\n"),
    ],
)
def test_texts_of_pairs_and_of_tagged_words_are_read_by_the_kind_of_the_task(tiny_world, tmp_path, kind, name, line):
    (tmp_path / name).write_text("".join(line.format(number, "ab"[number % 2]) for number in range(40)))
    domain, task = str(tiny_world / "domain.jsonl"), str(tmp_path / name)
    found = compare_texts(asked(domain, task=task, kind=kind), f"{tiny_world}/model", lambda _: None)
    texts = found["texts"]["task"]["documents"]
    assert found["texts"]["task"]["different_words"] == 2 + texts // (2 if kind == "pair" else 1)  # goal0, goal1, ..., score and team
    assert found["shared"]["task"]["domain"] == 2


def test_json_alone_stands_on_standard_output_else_tables_and_a_page_with_heat_maps(acclimate, tiny_world, tmp_path):
    words = ("overlap", tiny_world / "domain.jsonl", tiny_world / "dev.jsonl", "--model", tiny_world / "model")
    found = json.loads(acclimate(*words, "--json").stdout)
    assert set(found["overlap"]) == {"domain", "dev"}
    shown = acclimate(*words, "--out", tmp_path / "alike").stdout
    assert json.loads((tmp_path / "alike" / "overlap.json").read_text()) == found
    page, text = ((tmp_path / "alike" / f"overlap.{ending}").read_text() for ending in ("html", "md"))
    assert f"| dev | {100 * found['overlap']['domain']['dev']:.1f} | 100.0 |" in text
    assert '<td class="shade9">100.0</td>' in page
    assert f"Report: {tmp_path / 'alike' / 'overlap.html'}" in shown
    assert "Vocabulary overlap, %" in shown
    assert "Jensen-Shannon divergence" in shown
    assert f"{100 * found['overlap']['domain']['dev']:.1f}" in shown


def test_a_study_compares_its_corpora_with_its_training_texts(tiny_world, tmp_path):
    from acclimate.study.language.language import BUILT_IN
    from acclimate.study.outputs.text_overlap import text_overlap
    from acclimate.tasks.opened import Data

    (tmp_path / "other.txt").write_text("film actor scene\n")
    task = {split: f"{tiny_world}/{split}.jsonl" for split in ("train", "dev", "test")}
    settings = {"task": task, "domain": f"{tiny_world}/domain.jsonl", "general": f"{tmp_path}/other.txt"}
    study = BUILT_IN.parse({"data": settings, "recipes": {"tfidf": {"base": "tfidf"}}})
    found = text_overlap(Data.open(study.data, tmp_path))
    assert found is not None
    assert {name: text["documents"] for name, text in found["texts"].items()} == {"task": 90, "domain": 300, "general": 1}
    assert (found["overlap"]["task"]["domain"], found["overlap"]["task"]["general"]) == (1.0, 0.0)
    alone = BUILT_IN.parse({"data": {"task": task}, "recipes": {"tfidf": {"base": "tfidf"}}})
    assert text_overlap(Data.open(alone.data, tmp_path)) is None
