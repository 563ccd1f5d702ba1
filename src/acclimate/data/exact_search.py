"""The most similar of many vectors, by the exact products with all of them, block by block: nothing is approximated, memory is flat."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray, offsets_of

QUERIES, DOCUMENTS = 256, 1 << 14  # of a block: 16 MB of products


class Found(NamedTuple):
    """Of Q queries the K most similar documents, the most similar first, of equal ones the first."""

    rows: IntArray
    """[Q, K]"""
    scores: NDArray[np.float32]
    """[Q, K]"""


def unit(vectors_ND: NDArray[np.floating]) -> NDArray[np.floating]:
    """Vectors of length 1, whose products are cosines; those of nothing but zeros stay so."""
    lengths_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    found: NDArray[np.floating] = vectors_ND / np.where(lengths_N1 > 0, lengths_N1, 1)
    return found


def most_similar(queries_QD: NDArray[np.floating], documents_ND: NDArray[np.floating], count: int) -> Found:
    """The `count` documents (all, where there are fewer) with the largest products with each query; `documents_ND` may be a memory map."""
    return most_similar_of(queries_QD, (documents_ND[start : start + DOCUMENTS] for start in range(0, len(documents_ND), DOCUMENTS)), count)


def most_similar_of(queries_QD: NDArray[np.floating], blocks: Iterable[NDArray[np.floating]], count: int) -> Found:
    """The same of documents that come in blocks [B, D], none of which is kept."""
    parts = [np.asarray(queries_QD[first : first + QUERIES], dtype=np.float32) for first in range(0, len(queries_QD), QUERIES)]
    best = [Found(np.zeros((len(part), 0), np.int64), np.zeros((len(part), 0), np.float32)) for part in parts]
    start = 0
    for block in blocks:
        documents_DB = np.asarray(block, dtype=np.float32).T
        best = [_merged(found, part @ documents_DB, start, count) for found, part in zip(best, parts, strict=True)]
        start += len(block)
    if not best:
        return Found(np.zeros((0, min(count, start)), np.int64), np.zeros((0, min(count, start)), np.float32))
    return Found(np.concatenate([found.rows for found in best]), np.concatenate([found.scores for found in best]))


def _merged(best: Found, scores_QN: NDArray[np.float32], start: int, kept: int) -> Found:
    """The best so far and a block of products with the documents from `start` on."""
    had, more = best.scores.shape[1], scores_QN.shape[1]
    if had == kept:
        passed = scores_QN > best.scores[:, -1:]  # of equals the first stay, so that results hang on no block's size
    elif more > kept:
        passed = scores_QN >= np.partition(scores_QN, more - kept, axis=1)[:, more - kept, None]
    else:
        passed = np.ones(scores_QN.shape, dtype=np.bool_)
    query, place = np.nonzero(passed)
    counts = np.bincount(query, minlength=len(scores_QN))
    column = np.arange(len(query)) - offsets_of(counts)[query]
    scores = np.full((len(scores_QN), int(counts.max(initial=0))), -np.inf, dtype=np.float32)
    rows = np.zeros(scores.shape, dtype=np.int64)
    scores[query, column], rows[query, column] = scores_QN[query, place], start + place
    scores, rows = np.concatenate([best.scores, scores], axis=1), np.concatenate([best.rows, rows], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : min(kept, had + more)]
    return Found(np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1))
