"""From documents that were found to answers: a query's own text is no answer to it, and a hundred documents are enough."""

from typing import Any

import numpy as np

from acclimate.data.ragged import Ragged, offsets_of
from acclimate.errors import TrainingError
from acclimate.tasks.collection import Collection, relevance
from acclimate.tasks.metrics.ranking import DEPTH
from acclimate.tasks.split import Answers, Split


def asked_for(*splits: Split) -> int:
    """How many documents a query of these splits must be given, so that enough are left without those that are the query itself."""
    return DEPTH + max((int(_itself(split).lengths.max(initial=0)) for split in splits), default=0)


def ranked(found: Any, split: Split) -> Answers:
    """Documents [N, K] and their scores, the highest first, as answers: `predicted` and `scores`, at most 100 of each query.

    A document that is the query word for word is left out, unless it is relevant (as BEIR's `ignore_identical_ids`).

    Raises:
        TrainingError: a score is not a number.
    """
    rows_NK, scores_NK = (np.asarray(column) for column in found)
    if not np.isfinite(scores_NK).all():
        raise TrainingError("the scores of documents are not numbers: the model's weights grew without bound in training")
    every = Ragged(rows_NK.ravel().astype(np.int64), offsets_of(np.full(len(rows_NK), rows_NK.shape[1])))
    kept_NK = np.ones(rows_NK.shape, dtype=np.bool_)
    for query, own in enumerate(_excluded(split)):
        if len(own):
            kept_NK[query] = ~np.isin(rows_NK[query], own)
    kept_NK &= np.cumsum(kept_NK, axis=1) <= DEPTH
    offsets, kept = offsets_of(kept_NK.sum(axis=1)), kept_NK.ravel()
    return {"predicted": Ragged(every.values[kept], offsets), "scores": Ragged(scores_NK.ravel()[kept].astype(np.float64), offsets)}


def ranked_by_words(found: Any, split: Split) -> Answers:
    """As `ranked`, of scores by shared words: a document whose score is 0 shares none with the query, and is not found by it.

    Else the order of the files would decide what comes behind the last match, and a relevant document that stands early there be found.
    """
    answers = ranked(found, split)
    documents, scores = answers["predicted"], answers["scores"]
    assert isinstance(documents, Ragged)
    assert isinstance(scores, Ragged)
    kept = scores.values > 0
    query = np.repeat(np.arange(len(scores)), scores.lengths)
    offsets = offsets_of(np.bincount(query[kept], minlength=len(scores)))
    return {"predicted": Ragged(documents.values[kept], offsets), "scores": Ragged(scores.values[kept], offsets)}


def _itself(split: Split) -> Ragged:
    collection = split.collection
    assert isinstance(collection, Collection)
    return collection.same_as(split.inputs[0])


def _excluded(split: Split) -> list[np.ndarray]:
    itself = _itself(split)
    grades = relevance(split, itself)
    return [itself[query][grades[query] == 0] for query in range(len(itself))]
