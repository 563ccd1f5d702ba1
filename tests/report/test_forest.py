from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from acclimate.report.charts.forest import axis_of
from acclimate.report.results.finished import Results
from acclimate.report.tables.comparison import Row, table_rows

ROW = Row("a", "all", 0.5, None, 0.1, 0.05, 0.15, None, None, "better", None, None, 3, 0, False, False)
intervals = st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted), min_size=1, max_size=6)


def _rows(bounds: list[list[float]]) -> list[Row]:
    return [replace(ROW, low=low, difference=difference, high=high) for low, difference, high in bounds]


@given(intervals)
def test_every_mark_and_zero_stand_inside_the_plot_in_their_order(bounds: list[list[float]]) -> None:
    rows = _rows(bounds)
    axis = axis_of(rows)
    assert 0 <= axis.at(0) <= 100
    for mark in axis.marks(rows):
        assert mark.low is not None
        assert mark.high is not None
        assert 0 <= mark.low <= mark.at <= mark.high <= 100


@given(intervals)
@example([[0.0, 0.0, 5e-324]])  # rounding, and no width
def test_ticks_are_few_apart_and_told_from_each_other(bounds: list[list[float]]) -> None:
    ticks = axis_of(_rows(bounds)).ticks
    assert 2 <= len(ticks) <= 7
    assert len({tick.label for tick in ticks}) == len(ticks)
    assert "0" in {tick.label for tick in ticks}


def test_a_position_is_the_difference_on_the_axis() -> None:
    axis = axis_of([replace(ROW, low=-0.1, difference=0.0, high=0.1)])
    assert axis.at(0.0) == pytest.approx(50)
    assert [tick.label for tick in axis.ticks] == ["−0.10", "−0.05", "0", "+0.05", "+0.10"]


def test_what_was_not_compared_has_no_mark(results_of: Callable[..., Results]) -> None:
    rows = table_rows(results_of({"fine-tune": {"all": [0.8]}, "DAPT": {"all": ["bad"]}}))
    axis = axis_of(rows)
    assert axis.marks(rows) == ()
    assert axis.ticks
