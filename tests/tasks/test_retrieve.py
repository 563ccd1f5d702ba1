import gzip
import json

import numpy as np
import pytest

from acclimate.errors import DataError, SettingsError, TrainingError
from acclimate.tasks.metrics.ranking import DEPTH
from acclimate.tasks.opened import Data, DataSettings
from acclimate.tasks.relations import Told
from acclimate.tasks.relevance import ByRelevance
from acclimate.tasks.retrieve import Retrieve
from acclimate.tasks.task import Task

DOCUMENTS = [{"_id": f"d{number}", "title": "", "text": f"document {number}"} for number in range(30)]
QUERIES = [{"_id": f"q{number}", "text": f"query {number}"} for number in range(20)]


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def beir(tmp_path):
    """A function that writes a BEIR folder, some of it changed, and gives its path."""

    def write(corpus=DOCUMENTS, queries=QUERIES, **more):
        jsonl(tmp_path / "corpus.jsonl", corpus)
        jsonl(tmp_path / "queries.jsonl", queries)
        (tmp_path / "qrels").mkdir(exist_ok=True)
        splits = {"train": range(12), "dev": range(12, 15), "test": range(15, 20)}
        for split, numbers in splits.items():
            lines = [f"q{number}\td{number}\t{1 + number % 2}" for number in numbers] + more.get(split, [])
            (tmp_path / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(lines) + "\n")
        return tmp_path

    return write


def opened(folder, **settings):
    return Task.open(Retrieve.model_validate({"path": str(folder), **settings}), folder, folder / "rejects")


def said(task):
    """By query the documents that are judged, with their grades."""
    texts = task.train.collection.texts
    return {
        query: {texts[document]: grade for document, grade in split.gold[row].tolist()}
        for split in task.splits.values()
        for row, query in enumerate(split.inputs[0])
    }


def test_a_beir_folder_is_read_with_grades_and_the_title_before_the_text(beir):
    task = opened(beir([{"_id": "d0", "title": "A title", "text": "document 0"}, *DOCUMENTS[1:]], test=["q15\td3\t0"]))
    assert [len(split) for split in task.splits.values()] == [12, 3, 5]
    assert said(task)["query 0"] == {"A title document 0": 1}
    assert said(task)["query 15"] == {"document 15": 2, "document 3": 0}
    assert task.test.collection.ids == tuple(f"d{number}" for number in range(30))


def test_a_title_stands_for_a_document_without_a_text(beir):
    documents = [{"_id": "d0", "title": "A title", "text": None}, {"_id": "d1", "title": " Another ", "text": ""}, *DOCUMENTS[2:]]
    assert opened(beir(documents)).test.collection.texts[:2] == ("A title", "Another")


def test_a_copy_of_judgements_is_not_read_and_a_second_file_of_one_split_is_refused(beir):
    folder = beir()
    whole = said(opened(folder))
    (folder / "qrels" / "test.tsv.bak").write_text("query-id\tcorpus-id\tscore\nq15\td1\t1\n")
    assert said(opened(folder)) == whole
    (folder / "qrels" / "validation.tsv").write_text("query-id\tcorpus-id\tscore\nq15\td1\t1\n")
    with pytest.raises(DataError, match=r"validation.tsv: dev.tsv says what is relevant in dev, too"):
        opened(folder)


def test_a_document_that_a_row_names_twice_has_the_higher_grade_and_none_is_beyond_all_measure(tmp_path):
    twice = [{"text": "document 0", "grade": 3}, "document 0"]
    rows = [{"query": f"query {number}", "positive": twice if number == 0 else f"document {number}"} for number in range(20)]
    jsonl(tmp_path / "rows.jsonl", rows)
    assert said(Task.open(Retrieve(path="rows.jsonl"), tmp_path))["query 0"] == {"document 0": 3}
    jsonl(tmp_path / "rows.jsonl", [*rows, {"query": "odd", "positive": {"text": "document 1", "grade": 10**30}}])
    with pytest.raises(DataError, match=r"rows.jsonl:21: the grade of a document is 10{30}, and a whole number up to 1,000,000"):
        Task.open(Retrieve(path="rows.jsonl"), tmp_path)


def test_a_document_whose_vector_is_no_number_is_an_error_and_not_passed_over(beir):
    from acclimate.evaluation.by_vectors import by_vectors

    def encode(texts, side):
        return np.array([[np.nan if text == "document 7" else len(text), 1.0] for text in texts], dtype=np.float32)

    with pytest.raises(TrainingError, match="vectors of texts are not numbers"):
        by_vectors(opened(beir()), "embedding", encode)


def test_packed_files_are_read(beir):
    folder = beir()
    whole = said(opened(folder))
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress((folder / "corpus.jsonl").read_bytes()))
    (folder / "corpus.jsonl").unlink()
    assert said(opened(folder)) == whole


def test_without_a_train_split_the_queries_that_are_there_are_dealt_to_all_three(beir):
    folder = beir(test=[f"q{number}\td{number}\t1" for number in range(12)])
    for split in ("train", "dev"):
        (folder / "qrels" / f"{split}.tsv").unlink()
    task = opened(folder, test_share=0.3, dev_share=0.2)
    assert sum(map(len, task.splits.values())) == 17
    assert task.facts.made == ("test", "dev")
    assert "there is no train.tsv" in task.facts.detected["train"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"test": ["q15\td99\t1"]}, r"qrels/test.tsv:7: no document 'd99' in corpus.jsonl"),
        ({"test": ["q77\td1\t1"]}, r"qrels/test.tsv:7: no query 'q77' in queries.jsonl"),
        ({"test": ["q16\td16\t1"]}, r"qrels/test.tsv:7: the document 'd16' is judged twice for the query 'q16'"),
        ({"dev": ["q1\td16\thigh"]}, r"qrels/dev.tsv:5: 'score' is 'high', and a whole number is wanted"),
        ({"dev": ["q19\td1\t0"]}, r"qrels/dev.tsv:5: no document is relevant to this query"),
        ({"corpus": [*DOCUMENTS, DOCUMENTS[3]]}, r"corpus.jsonl:31: the _id 'd3' stands there twice \(first in line 4\)"),
        ({"queries": [*QUERIES, QUERIES[0]]}, r"queries.jsonl:21: the _id 'q0' stands there twice"),
        ({"corpus": [*DOCUMENTS, {"_id": "d30", "text": ""}]}, r"corpus.jsonl:31: 'text' is empty"),
        ({"corpus": [*DOCUMENTS, {"_id": None, "text": "none"}]}, r"corpus.jsonl:31: the _id is None, and a word or number is wanted"),
        ({"test": [f"q16\td17\t{10**30}"]}, r"qrels/test.tsv:7: 'score' is '10{30}', and a whole number is wanted"),
    ],
)
def test_what_does_not_fit_together_is_told_with_file_and_line(changed, told, beir):
    with pytest.raises(DataError, match=told):
        opened(beir(**changed))


def test_a_column_of_a_beir_folder_cannot_be_named(beir):
    with pytest.raises(SettingsError, match="query: a BEIR folder says by itself"):
        opened(beir(), query="text")


def test_rows_with_one_query_are_one_query_and_further_documents_are_searched_too(tmp_path):
    rows = [{"query": f"query {number // 2}", "document": f"document {number}", "negative": f"other {number}"} for number in range(40)]
    jsonl(tmp_path / "rows.jsonl", rows)
    jsonl(tmp_path / "more.jsonl", [{"text": f"further {number}"} for number in range(7)])
    task = Task.open(Retrieve(path="rows.jsonl", documents={"path": "more.jsonl"}), tmp_path)
    assert sum(map(len, task.splits.values())) == 20
    assert said(task)["query 3"] == {"document 6": 1, "document 7": 1, "other 6": 0, "other 7": 0}
    assert len(task.train.collection) == 87
    assert "20 rows say more of a query that stands in a row before" in task.facts.labels_noted[0]


def test_what_vectors_are_trained_from_is_every_relevant_document_with_hard_negatives(beir):
    task = opened(beir(train=["q0\td20\t0", "q0\td21\t1"]))
    found = ByRelevance().examples(task.train, "ranked", Told(), task.train)
    told = [[found.texts[place] if place >= 0 else None for place in row] for row in found.rows.tolist()]
    assert told[:3] == [["query 0", f"document {own}", "document 20"] for own in (0, 21)] + [["query 1", "document 1", None]]
    triplets = ByRelevance().examples(task.train, "triplets", Told(), task.train)
    assert len(triplets) == 2
    with pytest.raises(SettingsError, match="positive: names labels of pairs"):
        ByRelevance().check((), Told(("a",)))


def test_label_budgets_count_queries_and_the_collection_stays(beir):
    task = opened(beir())
    assert len(task.budget(5, seed=1).train) == 5
    assert len(task.budget(5, seed=1).train.collection) == 30


def test_the_corpus_task_is_the_queries_of_train_and_the_documents(beir):
    data = Data.open(DataSettings.model_validate({"task": {"kind": "retrieve", "path": str(beir())}}), beir())
    documents = [*data.documents("task").documents()]
    assert documents == [*(f"query {number}" for number in range(12)), *(f"document {number}" for number in range(30))]
    assert "query 15" not in documents


def test_a_query_that_is_a_document_is_no_answer_to_itself_unless_it_is_said_to_be(beir):
    same = [{"_id": "d28", "text": "query 15"}, {"_id": "d29", "text": "query 16"}]
    task = opened(beir([*DOCUMENTS[:28], *same], test=["q16\td29\t1"]))
    assert (
        "1 query is a document word for word: it is no answer to its own query, unless it is said to be relevant" in task.facts.labels_noted
    )
    rows = np.tile(np.arange(29, -1, -1), (5, 1))
    answers = task.kind.decoded("embedding", (rows, np.tile(np.linspace(1, 0, 30), (5, 1))), task.test)
    assert answers["predicted"][0].tolist() == [29, *range(27, -1, -1)]  # query 15 is document 28
    assert answers["predicted"][1].tolist() == [*range(29, -1, -1)]
    assert answers["scores"].lengths.tolist() == answers["predicted"].lengths.tolist()


def test_by_words_a_document_without_one_of_the_query_is_not_found(beir):
    task = opened(beir())
    rows, scores = np.tile(np.arange(30), (5, 1)), np.zeros((5, 30))
    scores[0, :2], scores[2, 0] = (0.5, 0.1), 2.0
    answers = task.kind.decoded("ranking", (rows, scores), task.test)
    assert [answers["predicted"][row].tolist() for row in range(5)] == [[0, 1], [], [0], [], []]
    assert answers["scores"].values.tolist() == [0.5, 0.1, 2.0]
    assert task.kind.scores(task.test, answers)["recall_at_100"] == 0


def test_ndcg_gains_the_grade_of_a_document_and_is_one_for_the_best_ranking_only(beir):
    task = opened(beir(test=["q15\td0\t3", "q15\td1\t1", "q15\td2\t0"]))
    rows = np.tile(np.array([1, 2, 0, 15]), (5, 1))  # grades of query 15: 1, 0, 3, 2
    answers = task.kind.decoded("embedding", (rows, np.tile(np.array([0.4, 0.3, 0.2, 0.2]), (5, 1))), task.test)
    found = 1 / np.log2(2) + 3 / np.log2(4) + 2 / np.log2(5)
    best = 3 / np.log2(2) + 2 / np.log2(3) + 1 / np.log2(4)
    assert task.kind.right(task.test, answers).tolist() == pytest.approx([found / best, 0, 0, 0, 0])
    first = task.kind.decoded("embedding", (rows[:, [2, 3, 0, 1]], np.tile(np.array([0.4, 0.3, 0.2, 0.2]), (5, 1))), task.test)
    assert task.kind.right(task.test, first)[0] == pytest.approx(1)


def test_a_query_of_test_in_train_is_refused_or_dropped(beir):
    folder = beir(train=["q15\td1\t1"])
    with pytest.raises(DataError, match="identical query in train and test"):
        opened(folder)
    assert len(opened(folder, duplicates="drop").train) == 12


def test_scores_are_those_of_sentence_transformers_evaluator_on_the_same_vectors(beir):
    from unittest.mock import Mock

    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    from acclimate.evaluation.by_vectors import by_vectors

    corpus = [{"_id": f"d{number}", "text": f"document {number}"} for number in range(150)]
    rng = np.random.default_rng(0)
    more = sorted(
        {(f"q{query}", f"d{document}") for query, document in zip(rng.integers(15, 20, 30), rng.integers(30, 150, 30), strict=True)}
    )
    task = opened(beir(corpus, test=[f"{query}\t{document}\t1" for query, document in more]))
    vectors = {text: rng.normal(size=4).astype(np.float32) for text in (*task.test.collection.texts, *(each["text"] for each in QUERIES))}

    def encode(texts, side):
        assert {text.split()[0] for text in texts} == {side}
        return np.stack([vectors[text] for text in texts])

    found = by_vectors(task, "embedding", encode)
    answers = task.kind.decoded(found.form, found.test, task.test)
    assert set(answers["predicted"].lengths.tolist()) == {DEPTH}
    # Its relevance knows no grades.
    task.test.gold.values[:, 1] = 1
    scores = task.kind.scores(task.test, answers)
    ids = task.test.collection.ids
    relevant = {query: {ids[document] for document in task.test.gold[row][:, 0]} for row, query in enumerate(task.test.inputs[0])}
    judge = InformationRetrievalEvaluator(
        {query: query for query in relevant}, dict(zip(ids, task.test.collection.texts, strict=True)), relevant,
        precision_recall_at_k=[10, 100], write_csv=False,
    )  # fmt: skip
    model = Mock(similarity_fn_name="cosine", encode_query=lambda texts, **_: encode(texts, "query"),
                 encode_document=lambda texts, **_: encode(texts, "document"))  # fmt: skip
    from sentence_transformers.util import cos_sim

    model.similarity = cos_sim
    expected = judge(model)
    for ours, theirs in {"ndcg_at_10": "ndcg@10", "mrr_at_10": "mrr@10", "recall_at_10": "recall@10", "recall_at_100": "recall@100",
                         "map_at_100": "map@100"}.items():  # fmt: skip
        assert scores[ours] == pytest.approx(expected[f"cosine_{theirs}"], abs=1e-9), ours
    assert Retrieve.metric("nDCG@10").name == "ndcg_at_10"
