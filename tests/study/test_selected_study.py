"""Corpora that are chosen from others: planned as steps, chosen once, kept with the results, and refused where they make no sense."""

import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.errors import SettingsError
from acclimate.study.given import with_rows
from acclimate.study.language.implied import with_task
from acclimate.study.language.study import Study, load_study

DATA = """
base: {world}/model
data:
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl, unlabeled: {folder}/domain.jsonl }}
  domain: {folder}/domain.jsonl
  corpora:
"""
STUDY = (
    DATA
    + """
    near: {{ select: {{ like: task, among: domain, method: dsir, tokens: 400 }} }}
    alike: {{ select: {{ like: near, among: domain, method: knn, documents: 290 }} }}
    few: {{ select: {{ among: [near, domain], method: random, documents: 20 }} }}
seeds: 2
recipes:
  tfidf: {{ base: tfidf }}
  near:
    - pretrain: {{ corpus: {{ task: 1, near: 2, few: 1, alike: 1 }}, tokens: 500, batch_tokens: 256 }}
    - finetune: {{ epochs: 1, min_steps: 0 }}
"""
)


def run(*words):
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_world):
    folder = tmp_path_factory.mktemp("selected")
    judged = (tiny_world / "test.jsonl").read_text().splitlines()[:5]
    text = (tiny_world / "domain.jsonl").read_text()
    (folder / "domain.jsonl").write_text(text + "".join(f"{line}\n" for line in [*text.splitlines()[:7], *judged]))
    return folder


@pytest.fixture(scope="module")
def finished(folder, tiny_world):
    (folder / "study.yaml").write_text(STUDY.format(world=tiny_world, folder=folder))
    planned = run("plan", folder / "study.yaml")
    ran = run("study", folder / "study.yaml", "--engine", "inline")
    assert ran.exit_code == 0, ran.output
    return planned.output, folder / "results/study", run("plan", folder / "study.yaml").output


def test_the_plan_says_what_will_be_chosen_and_then_what_was(finished):
    before, _, after = finished
    assert "corpora.near.select: to be chosen dsir, like task, among domain, 400 tokens" in before
    assert "select near (dsir, like task, among domain, 400 tokens)" in before
    assert "alike: knn, like near, among domain, 290 documents: about 93 % of what there is will be chosen" in before
    assert "of 312" in after
    assert "corpora.near.select.examples.1: corpus domain, document" in after
    assert "0 B of disk" in after


def test_the_chosen_documents_are_kept_with_the_results_and_none_of_them_is_judged_by(finished, folder, tiny_world):
    _, out, _ = finished
    domain = [json.loads(line)["text"] for line in (folder / "domain.jsonl").read_text().splitlines()]
    test = {json.loads(line)["text"] for line in (tiny_world / "test.jsonl").read_text().splitlines()}
    near = pq.read_table(out / "selected/near.parquet").to_pylist()
    texts = [domain[row["document"]] for row in near]
    assert len(set(texts)) == len(texts)
    assert not set(texts) & test
    assert 400 <= sum(row["tokens"] for row in near) < 400 + 20
    few = pq.read_table(out / "selected/few.parquet").to_pylist()
    assert len(few) == 20
    assert {row["corpus"] for row in few} == {"near", "domain"}
    facts = json.loads((out / "study.json").read_text())["data"]["corpora"]["near"]
    assert facts["select"]["documents"] | {"chosen": 0, "tokens": 0} == {"chosen": 0, "of": 312, "tokens": 0, "judged_by": 5, "repeated": 7}
    assert facts["documents"] == len(near)


def test_the_written_study_says_again_what_is_chosen_and_curated_text_is_read_beside_the_tasks_own(finished):
    _, out, _ = finished
    study = load_study(out / "study.yaml")
    assert {name: selection.method for name, selection in study.data.selections().items()} == {
        "near": "dsir", "alike": "knn", "few": "random",
    }  # fmt: skip
    assert study.data.sources("few") == ("domain", "domain")
    read = next(stage for stage in json.loads((out / "study.json").read_text())["stages"] if stage["role"] == "pretrains")
    near = pq.read_table(out / "selected/near.parquet").num_rows
    assert {name: (facts["documents"], facts["share"]) for name, facts in read["metrics"]["corpora"].items()} == {
        "task": (90 + 312, 1), "near": (near, 2), "few": (20, 1), "alike": (290, 1),
    }  # fmt: skip


def test_a_corpus_is_chosen_once_for_all_seeds_and_its_cost_is_that_of_those_who_read_it(finished):
    _, out, _ = finished
    stages = json.loads((out / "study.json").read_text())["stages"]
    chose = [stage for stage in stages if stage["role"] == "selects"]
    assert [(stage["does"].split(" (")[0], stage["recipes"], stage["runs"]) for stage in chose] == [
        ("select near", ["near"], 2), ("select few", ["near"], 2), ("select alike", ["near"], 2),
    ]  # fmt: skip
    read = next(stage for stage in stages if stage["role"] == "pretrains")
    assert read["selected"] == {"near": chose[0]["key"], "few": chose[1]["key"], "alike": chose[2]["key"]}
    assert read["metrics"]["corpora"]["few"]["documents"] == 20
    base = next(stage for stage in stages if stage["role"] == "start")
    assert chose[2]["parent"] == base["key"]


@pytest.mark.parametrize(
    ("corpora", "said"),
    [
        (
            "near: {{ select: {{ like: taks, tokens: 9 }} }}",
            r"study.yaml:7:\d+: data.*select.like: there is no corpus 'taks' \(did you mean 'task'",
        ),
        ("near: {{ select: {{ among: task, tokens: 9 }} }}", "the task is no corpus to choose from"),
        ("near: {{ select: {{ among: domian, tokens: 9 }} }}", r"there is no corpus 'domian' \(did you mean 'domain'\?\)"),
        ("near: {{ select: {{ among: near, tokens: 9 }} }}", "goes in a circle: near needs near"),
        ("a: {{ select: {{ among: b, tokens: 9 }} }}\n    b: {{ select: {{ like: a, tokens: 9 }} }}", "circle: a needs b needs a"),
        ("a b: {{ select: {{ tokens: 9 }} }}\n    a_b: {{ select: {{ tokens: 8 }} }}", "the same file as 'a b', selected/a_b.parquet"),
        ("near: {{ select: {{ tokens: 9 }}, path: x }}", "stands in files .* or is chosen from others"),
        ("near: {{ select: {{ tokens: 9, metod: bm25 }} }}", r"unknown key 'metod' \(did you mean 'method'\?\)"),
        ("near: {{ select: {{ tokens: 9, method: knnn }} }}", "method: should be .*'bm25'"),
        ("near: {{ select: {{ among: domain }} }}", "either `tokens` or `documents`"),
        ("near: {{ skip_bda: true, path: x }}", r"unknown key 'skip_bda' \(did you mean 'skip_bad'\?\)"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(corpora, said, tiny_world, tmp_path):
    text = f"{DATA}    {corpora}\nrecipes: {{{{ a: [finetune] }}}}\n"
    (tmp_path / "study.yaml").write_text(text.format(world=tiny_world, folder=tmp_path))
    with pytest.raises(SettingsError, match=said):
        load_study(tmp_path / "study.yaml")


def test_forgetting_is_not_measured_on_text_that_is_still_to_be_chosen():
    data = {"corpora": {"a": {"path": "a.txt"}, "near": {"select": {"method": "random", "among": "a", "tokens": 9}}}}
    with pytest.raises(SettingsError, match="no corpus 'near' in files: it is chosen while the study runs; there are a,"):
        Study(data=data, forgetting="near", recipes={"one": [{"pretrain": {"corpus": "near"}}]})


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("domain: d.jsonl", "there is no `task`; name a corpus that the chosen documents are to be like"),
        ("domain: { select: { tokens: 9 } }", "what is chosen stands under `corpora:`, by a name of its own"),
        ("task: { kind: perplexity, on: [near] }\n  domain: d.jsonl", "hold documents out of domain, and it gets none"),
    ],
)
def test_without_texts_to_be_like_and_as_held_out_text_it_is_refused(task, said, tmp_path):
    recipes = "recipes: { a: [pretrain: { corpus: near }] }"
    (tmp_path / "study.yaml").write_text(f"data:\n  {task}\n  corpora: {{ near: {{ select: {{ tokens: 9 }} }} }}\n{recipes}\n")
    with pytest.raises(SettingsError, match=said):
        load_study(tmp_path / "study.yaml")


def test_held_out_text_is_held_out_of_what_is_chosen_from_and_rows_go_to_files_alone(tmp_path):
    data = {"corpora": {"a": {"path": "a.txt"}, "b": {"path": "b.txt"}, "near": {"select": {"like": "b", "among": "a", "tokens": 9}}}}
    study = Study(data=data, recipes={name: [{"pretrain": {"corpus": name}}] for name in ("b", "near")})
    compared, said = with_task(study)
    assert compared.data.task.on == ("b", "a")
    assert "on: [b, a]" in said
    with pytest.raises(SettingsError, match="'near' is chosen from other corpora"):
        with_rows(study, tmp_path, corpora={"near": ["text"]})
