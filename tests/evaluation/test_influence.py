"""What a text contributes to a score: equal to moving its cell of a dense confusion matrix, in time linear in texts and classes."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.tasks.metrics.classes import METRICS
from acclimate.tasks.split import Split

pytestmark = pytest.mark.measured(1)

COUNTED = {metric.name: metric for metric in METRICS if metric.reads == ("predicted",)}


def split_of(gold, classes):
    return Split((("",) * len(gold),), gold, np.arange(len(gold)), (), None, ("",) * classes)


@st.composite
def predicted(draw):
    classes = draw(st.integers(2, 6))
    count = draw(st.integers(2, 50))
    numbers = st.lists(st.integers(0, classes - 1), min_size=count, max_size=count)
    return np.array(draw(numbers)), np.array(draw(numbers)), classes


def ratio(part, whole):
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=np.asarray(whole) > 0)


def dense_score(matrix, metric):
    """The scores as they are defined, of a whole confusion matrix [L, L]."""
    right, gold, said, total = np.diagonal(matrix), matrix.sum(1), matrix.sum(0), matrix.sum()
    spread = (total**2 - (gold**2).sum()) * (total**2 - (said**2).sum())
    return {
        "accuracy": right.sum() / total,
        "micro_f1": right.sum() / total,
        "macro_f1": ratio(2 * right, gold + said).mean(),
        "macro_precision": ratio(right, said).mean(),
        "macro_recall": ratio(right, gold).mean(),
        "mcc": float(ratio(right.sum() * total - (gold * said).sum(), np.sqrt(max(spread, 0)))),
    }[metric]


def dense_influence(gold, said, metric, classes):
    """Each occupied cell of the matrix is made a little larger and a little smaller."""
    matrix = np.bincount(gold * classes + said, minlength=classes**2).reshape(classes, classes).astype(float)
    slope, step = np.zeros((classes, classes)), 1e-4
    for cell in zip(*np.nonzero(matrix), strict=True):
        for sign in (1, -1):
            moved = matrix.copy()
            moved[cell] += sign * step
            slope[cell] += sign * dense_score(moved, metric) / (2 * step)
    each = slope[gold, said] * len(gold)
    return dense_score(matrix, metric) + each - each.mean()


@pytest.mark.parametrize("metric", sorted(COUNTED))
@given(case=predicted())
def test_influence_equals_that_of_moving_each_cell_of_the_whole_matrix(metric, case):
    gold, said, classes = case
    split = split_of(gold, classes)
    assert COUNTED[metric].score(split, {"predicted": said}) == pytest.approx(
        dense_score(np.bincount(gold * classes + said, minlength=classes**2).reshape(classes, classes).astype(float), metric)
    )
    each = COUNTED[metric].each(split, {"predicted": said})
    assert each == pytest.approx(dense_influence(gold, said, metric, classes), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("metric", sorted(COUNTED))
def test_memory_of_an_influence_is_linear_in_classes(metric):
    rng = np.random.default_rng(0)
    gold, said = rng.integers(0, 20_000, (2, 3_000))
    tracemalloc.start()
    COUNTED[metric].each(split_of(gold, 20_000), {"predicted": said})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 8 * 20_000  # a matrix would be 20,000 x 8 x 20,000
