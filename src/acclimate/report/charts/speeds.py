"""The score against what a model needs where it is used: time for one text, room on disk."""

import math
from collections.abc import Callable

from acclimate.report.charts.svg import Figure
from acclimate.report.charts.trade_off import Across, Point, front, trade_off
from acclimate.report.results.finished import Results
from acclimate.report.results.speeds import timed_models
from acclimate.report.tables.comparison import Row
from acclimate.report.words.text import listing, quoted, size

MOST_TICKS = 7
STEPS = (1, 2, 5)  # of a decade
TIME_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def latency_chart(results: Results, rows: list[Row]) -> Figure | None:
    """By the time of one text; None where fewer than two recipes were timed."""
    item = results.kind.item
    costs = {model.recipe: model.latency for model in timed_models(results)}
    return _chart(results, rows, costs, "pareto-latency", f"time for one {item}", _time)


def size_chart(results: Results, rows: list[Row]) -> Figure | None:
    """By the size on disk, of those that were timed."""
    costs = {model.recipe: model.bytes for model in timed_models(results) if model.bytes}
    return _chart(results, rows, costs, "pareto-size", "size on disk", size)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two positive ones, by 1, 2 and 5 of every decade, or fewer where these are too many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in (STEPS, STEPS[:1]):
        found = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(found) <= MOST_TICKS:
            break
    return found


def _chart(
    results: Results, rows: list[Row], costs: dict[str, float], name: str, what: str, written: Callable[[float], str]
) -> Figure | None:  # fmt: skip
    import altair as alt

    points = [Point(row, costs[row.recipe]) for row in rows if row.mean is not None and row.recipe in costs]
    if len(points) < 2:
        return None
    ends = (min(point.cost for point in points) / 1.6, max(point.cost for point in points) * 1.6)
    values = ticks(*ends)
    # A Vega expression of our own numbers; nothing of the study's text is in it.
    named = "".join(f"datum.value == {value!r} ? '{written(value)}' : " for value in values) + "''"
    across = Across(ends, f"{what} (logarithmic)", alt.Axis(values=values, labelExpr=named, grid=False), logarithmic=True)
    best = front(points, results.score.lower_is_better)
    says = (
        f"{what.capitalize()} against {results.score.words}; not beaten in both: {listing([quoted(point.row.recipe) for point in best])}."
    )
    caption = (
        f"Quality against {what}: mean score with its standard deviation over seeds. The line joins the recipes that no other one beats "
        "in both."
    )
    return Figure(name, caption, says, trade_off(results, points, across))


def _time(seconds: float) -> str:
    least, unit = next(((each, unit) for each, unit in TIME_UNITS if seconds >= each * 0.999), TIME_UNITS[-1])
    return f"{seconds / least:g} {unit}"
