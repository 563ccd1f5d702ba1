"""What is told of a model that finds documents: on which rank the first right one stands, and queries that went best and worst."""

from collections.abc import Mapping

import numpy as np

from acclimate.data.ragged import Ragged
from acclimate.tasks.blocks import Examples, Table, shortened
from acclimate.tasks.collection import Collection, judged
from acclimate.tasks.kind import Judged
from acclimate.tasks.metrics.ranking import DEPTH, NDCG, grades_at

SHOWN = 4  # queries at either end
RANKS = ((1, 1), (2, 3), (4, 10), (11, DEPTH))


def by_rank(told: Judged) -> Table | None:
    """Where the first relevant document stands, as shares of the queries."""
    if not told.answers or not len(told.split):
        return None
    shares = np.zeros(len(RANKS) + 1)
    for answers in told.answers:
        right = grades_at(told.split, answers, DEPTH) > 0
        first = np.where(right.any(axis=1), right.argmax(axis=1) + 1, DEPTH + 1)
        shares += [*(((first >= low) & (first <= high)).mean() for low, high in RANKS), (first > DEPTH).mean()]
    names = ["first" if low == high else f"{low} to {high}" for low, high in RANKS]
    rows = tuple((name, float(share)) for name, share in zip([*names, f"not among {DEPTH}"], shares / len(told.answers), strict=True))
    return Table("Where the first right document stands", ("rank", "share of queries"), rows, "the mean of the seeds", shares=(1,))


def ends(told: Judged) -> Examples | None:
    """Queries with what came first and what is right: those that went worst, and those that went best."""
    collection = told.split.collection
    if not told.answers or not len(told.split) or not isinstance(collection, Collection):
        return None
    each = np.mean([NDCG.each(told.split, answers) for answers in told.answers], axis=0)
    order = np.argsort(each, kind="stable")
    chosen = order if len(order) <= 2 * SHOWN else np.concatenate([order[:SHOWN], order[-SHOWN:]])
    documents, grades = judged(told.split)
    items: list[Mapping[str, str | float]] = []
    for row in chosen.tolist():
        found = told.answers[0]["predicted"]
        assert isinstance(found, Ragged)
        right = int(documents[row][int(np.argmax(grades[row]))])
        first = shortened(collection.texts[int(found[row][0])]) if len(found[row]) else "nothing"
        items.append({
            "query": shortened(told.split.inputs[0][row]), "came first": first, "is right": shortened(collection.texts[right]),
            NDCG.words: round(float(each[row]), 3),
        })  # fmt: skip
    return Examples("Queries that went worst, and best", tuple(items))


TOLD = (by_rank, ends)
