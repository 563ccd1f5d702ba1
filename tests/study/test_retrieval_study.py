"""A study of retrieval: what answers it, what is told of it, and what is refused in words that say what can."""

import json
import random

import pyarrow.parquet as pq
import pytest
from tests.study.conftest import WORDS, sentence, write_jsonl

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
    runs = {(run["recipe"], run["labels"]): run for run in pq.read_table(tmp_path / "out" / "results.parquet").to_pylist()}
    assert 0 < runs["cut", "all"]["test_ndcg_at_10"] < runs["whole", "all"]["test_ndcg_at_10"] <= 1
    assert runs["whole", "20"]["test_ndcg_at_10"] == runs["whole", "all"]["test_ndcg_at_10"]
    assert json.loads((tmp_path / "out" / "study.json").read_text())["data"]["task"]["unlabeled"]["documents"] > 50
    told = (tmp_path / "out" / "report.md").read_text() if (tmp_path / "out" / "report.md").exists() else ""
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Where the first right document stands" in page + told
    card = (tmp_path / "out" / "best" / "README.md").read_text()
    assert "encode_query" in card
    refused = acclimate("evaluate", tmp_path / "out" / "best", tmp_path / "rows.jsonl")
    assert refused.returncode != 0
    assert "acclimate search" in refused.stderr


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


@pytest.mark.parametrize("recipe", ["f: [finetune]", "t: {base: tfidf}"])
def test_a_stage_that_ranks_nothing_is_refused_and_what_can_is_said(recipe, study, acclimate):
    refused = acclimate("plan", study("v: [vectors]", recipe))
    assert refused.returncode != 0
    assert "does not learn tasks of the kind retrieve" in refused.stderr
    assert "vectors" in refused.stderr
