"""Recipes as points of two things that matter; a line joins those that no other one beats in both."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acclimate.inert import one_line
from acclimate.report.charts.svg import ACCENT, INK, LINE, PAGE, SOFT, apart, chart_of, draw
from acclimate.report.results.finished import Results
from acclimate.report.tables.comparison import Row

if TYPE_CHECKING:
    import altair

WIDTH, HEIGHT = 620, 340
LINE_HEIGHT = 14.0  # pixels a label needs
LABEL_WIDTH = 150.0
NARROW = 0.1  # of an axis of scores
HALO: dict[str, Any] = {"stroke": PAGE, "strokeWidth": 4, "strokeJoin": "round"}  # behind the letters of a name


@dataclass(frozen=True)
class Point:
    """A recipe by what it costs, the less the better, with the ends of an interval where there is one, and by its mean score."""

    row: Row
    cost: float
    low: float | None = None
    high: float | None = None

    @property
    def mean(self) -> float:
        assert self.row.mean is not None
        return self.row.mean


@dataclass(frozen=True)
class Across:
    """The horizontal axis."""

    ends: tuple[float, float]
    title: str
    axis: "altair.Axis"
    logarithmic: bool = False

    def pixels(self, value: float) -> float:
        """From the left."""
        of, left, right = (math.log(each) if self.logarithmic else each for each in (value, *self.ends))
        return WIDTH * (of - left) / (right - left)


def front(points: list[Point], lower: bool = False) -> list[Point]:
    """Those that no other one beats in both; `lower`: lower scores are better."""

    def beaten(point: Point) -> bool:
        return any(
            (other.mean <= point.mean if lower else other.mean >= point.mean)
            and other.cost <= point.cost
            and (other.mean, other.cost) != (point.mean, point.cost)
            for other in points
        )

    return [point for point in points if not beaten(point)]


def trade_off(results: Results, points: list[Point], across: Across) -> str:
    """The chart as SVG."""
    import altair as alt

    best = front(points, results.score.lower_is_better)
    y = domain([value for point in points for value in spread(point.row)])

    def down(value: float) -> float:
        return HEIGHT * (y[1] - value) / (y[1] - y[0])

    heights = apart([(across.pixels(point.cost), down(point.mean)) for point in points], LABEL_WIDTH, LINE_HEIGHT)
    data = [
        {
            "recipe": one_line(point.row.recipe), "cost": point.cost, "mean": point.mean,
            "low": spread(point.row)[0], "high": spread(point.row)[1],
            "label": y[1] - height / HEIGHT * (y[1] - y[0]), "left": across.pixels(point.cost) > 0.7 * WIDTH,
            "kind": "chosen" if point.row.is_chosen else "front" if point in best else "other", "best": point in best,
            "from": point.cost if point.low is None else point.low, "to": point.cost if point.high is None else point.high,
        }
        for point, height in zip(points, heights, strict=True)
    ]  # fmt: skip
    scale = alt.Scale(type="log" if across.logarithmic else "linear", domain=list(across.ends), nice=False)
    horizontal = alt.X("cost:Q", title=across.title, scale=scale, axis=across.axis)
    base, title = chart_of(data).encode(x=horizontal, y=vertical("mean", results.judged_by, y)), results.judged_by
    colour = alt.Color("kind:N", scale=alt.Scale(domain=["chosen", "front", "other"], range=[ACCENT, INK, SOFT]), legend=None)
    wide = any(point.low is not None for point in points)  # then names stand above their points, not on the bars beside them
    intervals = [base.mark_rule(strokeWidth=1.5).encode(x=alt.X("from:Q", title=across.title), x2="to:Q", color=colour)] if wide else []
    chart = alt.layer(
        base.transform_filter("datum.best").mark_line(color=LINE, strokeWidth=2).encode(order="cost:Q"),
        *intervals,
        base.mark_rule(strokeWidth=1.5).encode(y=vertical("low", title, y), y2="high:Q", color=colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(color=colour),
        *(
            base.transform_filter(f"datum.left == {str(left).lower()}")
            .mark_text(
                align="right" if left else "left", baseline="middle", dx=-9 if left else 9, dy=-9 if wide else 0, fontSize=11, **halo
            )
            .encode(y=vertical("label", title, y), text="recipe:N")
            for halo in (HALO, {})  # names may stand over bars of others
            for left in (True, False)
        ),
    )
    return draw(chart, WIDTH, HEIGHT)


def spread(row: Row) -> tuple[float, float]:
    """A standard deviation over seeds below and above the mean."""
    mean, deviation = row.mean or 0.0, row.spread or 0.0
    return mean - deviation, mean + deviation


def domain(values: list[float]) -> tuple[float, float]:
    """The ends of an axis that holds these values, with some air."""
    low, high = min(values), max(values)
    air = 0.08 * ((high - low) or 0.1)
    return low - air, high + air


def vertical(field: str, title: str, ends: tuple[float, float]) -> "altair.Y":
    """The axis of scores."""
    import altair as alt

    digits = 2 if ends[1] - ends[0] > NARROW else 3  # else neighbouring ticks would read alike
    axis = alt.Axis(tickCount=6, format=f".{digits}f")
    return alt.Y(f"{field}:Q", title=title, scale=alt.Scale(domain=list(ends), nice=False), axis=axis)
