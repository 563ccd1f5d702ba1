"""Scores of rankings: what of the relevant documents of a query stands how high among those that were found.

Of the answers `predicted` are the documents of each query, the best first. A grade above 0 is relevant, and where there are several grades
nDCG gains a document's grade (trec_eval's linear gain, as BEIR has it; Järvelin & Kekäläinen 2002). Values of 0 to 1.
"""

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.tasks.collection import judged, relevance
from acclimate.tasks.metrics.metric import Each, Metric, Numbers, mean_of
from acclimate.tasks.split import Answers, Split

DEPTH = 100  # documents of a query that are looked at, at most


def grades_at(split: Split, answers: Answers, depth: int) -> NDArray[np.int64]:
    """[N, depth] the grade of the document on each rank, 0 where it is not relevant or there is none."""
    found = answers["predicted"]
    assert isinstance(found, Ragged)
    return _matrix(relevance(split, found), depth)


def _matrix(rows: Ragged, depth: int) -> NDArray[np.int64]:
    query = np.repeat(np.arange(len(rows)), rows.lengths)
    rank = np.arange(len(rows.values)) - rows.offsets[query]
    kept = rank < depth
    matrix = np.zeros((len(rows), depth), dtype=np.int64)
    matrix[query[kept], rank[kept]] = rows.values[kept]
    return matrix


def _best(split: Split, depth: int) -> NDArray[np.int64]:
    """[N, depth] the grades of the best ranking that there is."""
    grades = judged(split)[1]
    query = np.repeat(np.arange(len(grades)), grades.lengths)
    order = np.lexsort((-grades.values, query))
    return _matrix(Ragged(grades.values[order], grades.offsets), depth)


def relevant(split: Split) -> NDArray[np.int64]:
    """[N] how many documents are relevant to each query."""
    grades = judged(split)[1]
    query = np.repeat(np.arange(len(grades)), grades.lengths)
    return np.bincount(query, weights=grades.values > 0, minlength=len(grades)).astype(np.int64)


def ndcg(depth: int) -> Each:
    """Discounted gain of the first documents, by that of the best ranking."""
    discount = 1 / np.log2(np.arange(2, depth + 2))

    def each(split: Split, answers: Answers) -> Numbers:
        best = _best(split, depth) @ discount
        return np.asarray(grades_at(split, answers, depth) @ discount / np.where(best > 0, best, 1))

    return each


def mrr(depth: int) -> Each:
    """One by the rank of the first relevant document, 0 where none is among the first."""

    def each(split: Split, answers: Answers) -> Numbers:
        right = grades_at(split, answers, depth) > 0
        return np.asarray(np.where(right.any(axis=1), 1 / (1 + right.argmax(axis=1)), 0.0))

    return each


def recall(depth: int) -> Each:
    """The share of the relevant documents that are among the first."""

    def each(split: Split, answers: Answers) -> Numbers:
        right = grades_at(split, answers, depth) > 0
        return np.asarray(right.sum(axis=1) / np.maximum(relevant(split), 1))

    return each


def average_precision(depth: int) -> Each:
    """The mean, over the relevant documents, of the precision where each is found; of more than `depth` of them over `depth`."""

    def each(split: Split, answers: Answers) -> Numbers:
        right = grades_at(split, answers, depth) > 0
        precision = np.cumsum(right, axis=1) / np.arange(1, depth + 1)
        return np.asarray((precision * right).sum(axis=1) / np.clip(relevant(split), 1, depth))

    return each


NDCG = mean_of("ndcg_at_10", "nDCG@10", ndcg(10))
METRICS: tuple[Metric, ...] = (
    NDCG,
    mean_of("mrr_at_10", "MRR@10", mrr(10)),
    mean_of("recall_at_10", "recall@10", recall(10)),
    mean_of("recall_at_100", "recall@100", recall(DEPTH)),
    mean_of("map_at_100", "MAP@100", average_precision(DEPTH)),
)
