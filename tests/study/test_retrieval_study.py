"""A study of retrieval: what answers it, what is told of it, and what is refused in words that say what can."""

import json
import random

import pyarrow.parquet as pq
import pytest
from tests.study.conftest import WORDS, sentence, write_jsonl

from acclimate.report.pages.vectors_use import told_of
from acclimate.report.results.finished import Results
from acclimate.study.language.study import load_study
from acclimate.study.plan.prepared import prepare
from acclimate.study.plan.smoke import sliver
from acclimate.study.store.artifacts import Store
from acclimate.tasks.retrieve import Retrieve

pytestmark = pytest.mark.measured(0)

STUDY = """
forgetting: false
base: {world}/model
data: {{ task: {{ kind: retrieve, path: {folder}/rows.jsonl }} }}
seeds: 2
labels: [20, all]
recipes:
"""


@pytest.fixture
def study(tiny_world, tmp_path):
    rng = random.Random(0)
    texts = dict.fromkeys(sentence(topic, rng) for _ in range(30) for topic in WORDS)
    rows = [{"query": " ".join(text.split()[-4:]), "document": text} for text in texts]
    write_jsonl(tmp_path / "rows.jsonl", rows)

    def write(*recipes):
        (tmp_path / "study.yaml").write_text(STUDY.format(world=tiny_world, folder=tmp_path) + "".join(f"  {each}\n" for each in recipes))
        return tmp_path / "study.yaml"

    return write


def test_one_model_is_judged_by_its_vectors_and_the_report_shows_queries(study, acclimate, tmp_path):
    made = acclimate("study", study("whole: [vectors]", "cut: [vectors: {dimensions: 3}]"), "--out", tmp_path / "out", "--engine", "inline")
    assert made.returncode == 0, made.stderr
    found = pq.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    assert {"predicted", "scores", "gold"} <= found[0].keys()
    assert all(len(row["predicted"]) == len(row["scores"]) == len(set(row["predicted"])) <= 100 for row in found)
    searched = {row["id"]: row["text"] for row in pq.read_table(tmp_path / "out" / "searched_documents.parquet").to_pylist()}
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert sorted(searched.values()) == sorted({row["document"] for row in rows})
    right = {row["query"]: row["document"] for row in rows}  # the file names no ids, so documents are told by this table
    for row in found:
        (gold,) = row["gold"]
        assert (searched[gold["document"]], gold["grade"]) == (right[rows[row["index"]]["query"]], 1)
        assert set(row["predicted"]) <= searched.keys()
    runs = {(run["recipe"], run["labels"]): run for run in pq.read_table(tmp_path / "out" / "results.parquet").to_pylist()}
    assert 0 < runs["cut", "all"]["test_ndcg_at_10"] < runs["whole", "all"]["test_ndcg_at_10"] <= 1
    assert runs["whole", "20"]["test_ndcg_at_10"] == runs["whole", "all"]["test_ndcg_at_10"]
    assert json.loads((tmp_path / "out" / "study.json").read_text())["data"]["task"]["unlabeled"]["documents"] > 50
    told = (tmp_path / "out" / "report.md").read_text() if (tmp_path / "out" / "report.md").exists() else ""
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Where the first right document stands" in page + told
    card = (tmp_path / "out" / "best" / "README.md").read_text()
    assert "encode_query" in card
    best = max((run for run in runs.values() if run["labels"] == "all"), key=lambda run: run["dev_ndcg_at_10"])
    same = acclimate(
        "evaluate", tmp_path / "out" / "best", tmp_path / "out" / "splits" / "test.jsonl", "--documents",
        tmp_path / "out" / "searched_documents.parquet",
    )  # fmt: skip
    assert same.returncode == 0, same.stderr
    assert scores_in(same.stdout)["ndcg_at_10"] == pytest.approx(best["test_ndcg_at_10"], abs=1e-4)


def scores_in(printed):
    return {name: float(value) for name, value in (line.split() for line in printed.splitlines())}


def test_a_beir_folder_is_told_by_its_ids_and_whatever_ranks_its_documents_is_evaluated_with_the_scores_of_the_study(
    tiny_world, acclimate, tmp_path
):
    rng = random.Random(0)
    documents = {f"doc-{number}": sentence("sport", rng) + f" {number}" for number in range(20)}
    write_jsonl(tmp_path / "corpus.jsonl", [{"_id": key, "text": text} for key, text in documents.items()])
    write_jsonl(tmp_path / "queries.jsonl", [{"_id": str(number), "text": documents[f"doc-{number}"][4:]} for number in range(12)])
    (tmp_path / "qrels").mkdir()
    for split, numbers in (("train", range(4)), ("dev", range(4, 7)), ("test", range(7, 12))):
        lines = "".join(f"{number}\tdoc-{number}\t{1 + number % 2}\n{number}\tdoc-{number + 1}\t0\n" for number in numbers)
        (tmp_path / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    said = f"data: {{task: {{kind: retrieve, path: {tmp_path}}}}}\nbase: {tiny_world}/model\nseeds: 1\nforgetting: false\n"
    recipes = "{whole: [vectors], cut: [vectors: {dimensions: 2}], embed: [embed: {epochs: 1}, vectors], bm25: {base: bm25}, "
    recipes += "tfidf: {base: tfidf}, static: {base: {static: {dimensions: 8}}}, doc2vec: {base: {doc2vec: {vector_size: 8, epochs: 2}}}}"
    (tmp_path / "study.yaml").write_text(f"{said}recipes: {recipes}\n")
    made = acclimate("study", tmp_path / "study.yaml", "--out", tmp_path / "out", "--store", tmp_path / "store", "--engine", "inline")
    assert made.returncode == 0, made.stderr
    for row in pq.read_table(tmp_path / "out" / "predictions.parquet").to_pylist():
        assert set(row["predicted"]) <= documents.keys()
        first, second = row["gold"]
        number = int(first["document"].removeprefix("doc-"))
        assert (first["grade"], second) == (1 + number % 2, {"document": f"doc-{number + 1}", "grade": 0})
    assert not (tmp_path / "out" / "searched_documents.parquet").exists()
    results = Results.load(tmp_path / "out")
    assert results.without_labels == {*results.recipes} - {"embed"}
    assert {each.labels for each in results.stages if each.stage == "start"} == {None}
    assert all(each["gold"].startswith("document doc-") for each in json.loads((tmp_path / "out" / "disagreements.json").read_text()))
    (tmp_path / "documents.txt").write_text("".join(f"{text}\n" for text in documents.values()))
    for run in pq.read_table(tmp_path / "out" / "results.parquet").to_pylist():
        model = Store(tmp_path / "store").path(run["key"]) / "model"
        judged = acclimate("evaluate", model, tmp_path, "--split", "test")
        assert judged.returncode == 0, judged.stderr
        assert "20 documents are searched" in judged.stderr
        found = scores_in(judged.stdout)
        assert (found.pop("queries"), found.pop("documents")) == (5, 20)
        assert found == pytest.approx({name: run[f"test_{name}"] for name in found}, abs=1e-4), run["recipe"]
        use = told_of(json.loads((model / "config.json").read_text()), Retrieve.own_use)["own_use"]
        assert ("sentence_transformers" in use, "load_encoder" in use) == {
            "bm25": (False, False), "tfidf": (False, False), "static": (False, True), "doc2vec": (False, True)
        }.get(run["recipe"], (True, False))  # fmt: skip
        searched = acclimate("search", model, tmp_path / "documents.txt", documents["doc-3"], "--json", "-k", "2")
        assert searched.returncode == 0, searched.stderr
        assert json.loads(searched.stdout)[0]["index"] == 3
    unclear = acclimate("evaluate", model, tmp_path)
    assert "name one with --split" in unclear.stderr
    foreign = acclimate("evaluate", model, tmp_path, "--split", "test", "--label", "x")
    assert "says nothing of documents that are found" in foreign.stderr


def test_a_further_task_of_retrieval_brings_its_documents(study, acclimate, tmp_path):
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    write_jsonl(tmp_path / "more.jsonl", [{"text": f"further {number}"} for number in range(5)])
    write_jsonl(tmp_path / "others.jsonl", [{"query": f"other {row['query']}", "document": row["document"]} for row in rows])
    file = study("v: [vectors]", "e: [embed: {task: other, epochs: 1}, vectors]")
    other = f"tasks: {{ other: {{ kind: retrieve, path: {tmp_path}/others.jsonl, documents: {tmp_path}/more.jsonl }} }}"
    file.write_text(file.read_text().replace("rows.jsonl }", f"rows.jsonl }}, {other}"))
    planned = acclimate("plan", file)
    assert planned.returncode == 0, planned.stderr
    with_text = file.read_text().replace("documents:", "unlabeled:")
    file.write_text(with_text)
    refused = acclimate("plan", file)
    assert "the documents are the text of this task" in refused.stderr


def test_the_plan_counts_the_documents(study, tmp_path):
    from acclimate.study.language.study import load_study
    from acclimate.study.plan.graph import Plan
    from acclimate.study.plan.readings import Readings
    from acclimate.tasks.opened import Data

    asked = load_study(study("v: [vectors]"))
    data = Data.open(asked.data, tmp_path, tmp_path / "cache")
    plan = Plan.of(asked, data, tmp_path)
    node, given = plan.nodes[plan.runs[-1].end], plan.given[plan.runs[-1].end]
    words = sum(len(text.split()) + 2 for text in data.task.test.collection.texts)
    assert node.stage.work(given, Readings(data).read_by(node, given.source)).operations > 2 * given.body * words


@pytest.mark.parametrize("recipe", ["f: [finetune]", "t: {base: majority}"])
def test_a_stage_that_ranks_nothing_is_refused_and_what_can_is_said(recipe, study, acclimate):
    refused = acclimate("plan", study("v: [vectors]", recipe))
    assert refused.returncode != 0
    assert "does not learn tasks of the kind retrieve" in refused.stderr
    assert "vectors" in refused.stderr


def test_a_sliver_searches_few_documents_and_asks_the_same_of_them(study, tmp_path):
    file = study("whole: [vectors]")
    write_jsonl(tmp_path / "more.jsonl", [{"text": f"nobody asks for paper {number}"} for number in range(200)])
    file.write_text(file.read_text().replace("rows.jsonl }", f"rows.jsonl, documents: {tmp_path}/more.jsonl }}"))
    whole = prepare(load_study(file), tmp_path, tmp_path / "store").data.task
    few = sliver(prepare(load_study(file), tmp_path, tmp_path / "store").data).task
    asked = {query: whole.kind.written(split, row) for split in whole.splits.values() for row, query in enumerate(split.inputs[0])}
    judged = 0
    for split in few.splits.values():
        assert split.collection is few.train.collection
        for row, query in enumerate(split.inputs[0]):
            assert few.kind.written(split, row) == asked[query]
            judged += 1
    assert judged < len(few.train.collection) == judged + 64 < len(whole.train.collection)


def test_an_encoder_is_timed_on_queries_and_a_ranking_by_words_says_why_it_is_not(study, acclimate, tmp_path):
    path = study("whole: [vectors]", "words: {base: tfidf}")
    path.write_text("speed: true\n" + path.read_text())
    made = acclimate("study", path, "--out", tmp_path / "out", "--engine", "inline")
    assert made.returncode == 0, made.stderr
    told = json.loads((tmp_path / "out" / "study.json").read_text())
    assert {name: each["by"] for name, each in told["speeds"]["recipes"].items()} == {"whole": "acclimate"}
    assert "words was not timed: ranks documents by words that are counted over them" in " ".join(told["notes"])
    assert "one query" in made.stdout
