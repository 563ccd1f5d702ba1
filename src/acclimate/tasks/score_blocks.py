"""What is told of a model that estimates numbers: what it says by what is right, and where it is furthest off. Seeds stand together."""

from collections.abc import Mapping

import numpy as np

from acclimate.tasks.blocks import Examples, Points, shortened
from acclimate.tasks.kind import Judged
from acclimate.tasks.metrics.correlation import SPEARMAN, absolute_error

CELLS = 24  # of each axis: predictions that fall into one are one point, larger with more of them
SHOWN = 8  # pairs with the largest errors


def by_gold(judged: Judged) -> Points | None:
    """Predicted against gold numbers, as points of a grid."""
    if not judged.answers or not len(judged.split):
        return None
    predicted = np.concatenate([np.asarray(answers["predicted"], dtype=np.float64) for answers in judged.answers])
    gold = np.tile(np.asarray(judged.split.gold, dtype=np.float64), len(judged.answers))
    both = np.stack([gold, predicted], axis=1)
    low, high = both.min(), both.max()
    cell = (high - low) / CELLS or 1.0
    places, of, counts = np.unique(np.floor((both - low) / cell), axis=0, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(of.ravel(), weights=column, minlength=len(places)) for column in both.T], axis=1)
    points = tuple((float(x), float(y), int(count)) for (x, y), count in zip(sums / counts[:, None], counts, strict=True))
    score = float(np.mean([SPEARMAN.score(judged.split, answers) for answers in judged.answers]))
    note = "on the dashed line a prediction is the score itself"
    return Points(
        "Predicted scores", "the score is", "the model says", points, note, diagonal=True, measure=("Spearman's correlation", score)
    )


def largest_errors(judged: Judged) -> Examples | None:
    """The items on which the model is furthest off, in the mean of its seeds."""
    if not judged.answers or not len(judged.split):
        return None
    errors = np.mean([absolute_error(judged.split, answers) for answers in judged.answers], axis=0)
    said = np.mean([np.asarray(answers["predicted"], dtype=np.float64) for answers in judged.answers], axis=0)
    gold, inputs = np.asarray(judged.split.gold, dtype=np.float64), judged.split.inputs
    items: list[Mapping[str, str | float]] = []
    for row in np.argsort(-errors, kind="stable")[:SHOWN].tolist():
        texts = {name: shortened(column[row]) for name, column in zip(("text", "text_b"), inputs, strict=False)}
        items.append({**texts, "the score is": round(float(gold[row]), 3), "the model says": round(float(said[row]), 3)})
    return Examples("The largest errors", tuple(items))


TOLD = (by_gold, largest_errors)
