import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.study.outputs.learning_curves import MOST_POINTS, _thinned


@given(st.lists(st.floats(-10, 10), max_size=700))
def test_a_long_curve_becomes_means_of_equal_parts(values):
    points = list(enumerate(values, start=1))
    thinned = _thinned(points)
    assert len(thinned) <= MOST_POINTS
    assert thinned == points or len(points) > MOST_POINTS
    each = -(-len(points) // MOST_POINTS) or 1
    sizes = [len(points[begin : begin + each]) for begin in range(0, len(points), each)]
    assert sum(size * value for size, (_, value) in zip(sizes, thinned, strict=True)) == pytest.approx(sum(values), abs=1e-6)
    assert [step for step, _ in thinned] == sorted(step for step, _ in thinned)
