import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.training.schedule import rate

SHAPES = st.sampled_from(["linear", "cosine", "constant"])


@given(steps=st.integers(1, 5000), warmup=st.floats(0, 1), shape=SHAPES, data=st.data())
def test_rate_is_a_share_of_the_peak_and_reaches_it_at_the_end_of_warm_up(steps, warmup, shape, data):
    step = data.draw(st.integers(0, steps - 1))
    assert 0 < rate(step, steps, warmup, shape) <= 1
    assert max(rate(each, steps, warmup, shape) for each in range(steps)) == pytest.approx(1.0)


@pytest.mark.parametrize(("shape", "middle"), [("linear", 0.5), ("cosine", 0.5), ("constant", 1.0)])
def test_rate_rises_then_falls_in_the_shape_that_was_asked_for(shape, middle):
    assert [rate(step, 100, 0.1, shape) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert rate(55, 100, 0.1, shape) == pytest.approx(middle)
