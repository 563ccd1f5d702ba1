"""The charts of a study: cost against quality, scores by number of labels, differences, points."""

from typing import TYPE_CHECKING, Any

from acclimate.inert import one_line
from acclimate.report.charts.svg import ACCENT, INK, SERIES, SOFT, Figure, apart, chart_of, draw
from acclimate.report.charts.trade_off import HEIGHT, LINE_HEIGHT, WIDTH, Across, Point, domain, front, spread, trade_off, vertical
from acclimate.report.results.finished import Results
from acclimate.report.tables.comparison import Row
from acclimate.report.words.text import listing, quoted, score, with_labels
from acclimate.tasks.blocks import Points

if TYPE_CHECKING:
    pass

TICKS = {0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36_000: "10 h", 360_000: "100 h"}  # seconds


def pareto(results: Results, rows: list[Row]) -> Figure | None:
    """Time of a run against the score; a line joins the recipes that no other beats in both. None where fewer than two have both."""
    import altair as alt

    known = [row for row in rows if row.mean is not None and row.seconds]
    if len(known) < 2:
        return None
    points = [Point(row, row.seconds) for row in known if row.seconds]
    seconds = [point.cost for point in points]
    ends = (min(seconds) / 1.6, max(seconds) * 1.6)
    ticks = [each for each in TICKS if ends[0] <= each <= ends[1]]
    axis = alt.Axis(values=ticks, labelExpr=_named(ticks), grid=False)
    across = Across(ends, "time of a run, all its stages (logarithmic)", axis, logarithmic=True)
    best = front(points, results.score.lower_is_better)
    says = f"Time against {results.score.words}; not beaten in both: {listing([quoted(point.row.recipe) for point in best])}."
    caption = (
        "Quality against cost: mean score with its standard deviation over seeds, by the time of a run. The line joins the recipes that no "
        "other one beats in both."
    )
    return Figure("pareto", caption, says, trade_off(results, points, across))


def efficiency(results: Results, rows: list[Row]) -> Figure | None:
    """The score by number of labels, a line a recipe; None where there is one number only."""
    import altair as alt

    counts = {labels: count for labels in results.budgets if (count := results.labels_at(labels)) is not None}
    if len(set(counts.values())) < 2 or len(counts) < len(results.budgets):
        return None
    known = [row for row in rows if row.mean is not None]
    if not known:
        return None
    y = domain([value for row in known for value in spread(row)])
    x = (min(counts.values()), max(counts.values()))
    data = [
        {
            "recipe": one_line(row.recipe), "labels": counts[row.labels], "mean": row.mean, "low": spread(row)[0], "high": spread(row)[1],
            "colour": SERIES[results.recipes.index(row.recipe) % len(SERIES)],
        }
        for row in known
    ]  # fmt: skip
    last: dict[str, dict[str, Any]] = {str(point["recipe"]): point for point in data}
    heights = apart([(0, HEIGHT * (y[1] - float(point["mean"])) / (y[1] - y[0])) for point in last.values()], 1, LINE_HEIGHT)
    ends = [{**point, "label": y[1] - height / HEIGHT * (y[1] - y[0])} for point, height in zip(last.values(), heights, strict=True)]
    horizontal = alt.X(
        "labels:Q", title="labelled examples (logarithmic)", scale=alt.Scale(type="log", domain=list(x), nice=False),
        axis=alt.Axis(values=sorted(set(counts.values())), format=",d", grid=False),
    )  # fmt: skip
    base = chart_of(data).encode(
        x=horizontal, y=vertical("mean", results.judged_by, y), color=alt.Color("colour:N", scale=None), detail="recipe:N"
    )
    title = results.judged_by
    chart = alt.layer(
        base.mark_line(strokeWidth=2),
        base.mark_rule(strokeWidth=1).encode(y=vertical("low", title, y), y2="high:Q"),
        base.mark_point(filled=True, size=45, opacity=1),
        chart_of(ends)
        .mark_text(align="left", baseline="middle", dx=10, fontSize=11)
        .encode(x=horizontal, y=vertical("label", title, y), text="recipe:N", color=alt.Color("colour:N", scale=None)),
    )
    caption = "Scores by number of labelled examples: means with their standard deviation over seeds."
    says = f"{results.score.words} of {len(results.recipes)} recipes {with_labels(*results.budgets)}."
    return Figure("label-efficiency", caption, says, draw(chart, WIDTH - 140, HEIGHT))


def differences(results: Results, rows: list[Row]) -> Figure | None:
    """The forest plot for a paper; the page has one of its own that fits every screen."""
    import altair as alt

    known = [row for row in rows if row.difference is not None]
    if not known:
        return None
    data = [
        {
            "recipe": one_line(row.recipe), "difference": row.difference,
            "low": row.difference if row.low is None else row.low, "high": row.difference if row.high is None else row.high,
            "fill": INK if row.outcome in ("better", "worse") else "white",
        }
        for row in known
    ]  # fmt: skip
    order = list(dict.fromkeys(str(point["recipe"]) for point in data))
    vertical = alt.Y("recipe:N", sort=order, title=None, axis=alt.Axis(labelColor=INK, ticks=False, domain=False, labelLimit=300))
    title = f"difference in {results.score.words} to {one_line(results.reference)}, 95 % interval"
    base = chart_of(data).encode(y=vertical)
    chart = alt.layer(
        chart_of([{"zero": 0}]).mark_rule(color=SOFT, strokeDash=[3, 3]).encode(x=alt.X("zero:Q", title=title)),
        base.mark_rule(color=INK, strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        base.mark_point(filled=True, size=70, opacity=1, stroke=INK, strokeWidth=2).encode(
            x=alt.X("difference:Q", title=title), fill=alt.Fill("fill:N", scale=None)
        ),
    )
    caption = f"Differences to the reference {with_labels(known[0].labels)}; a hollow dot means “cannot tell”."
    return Figure("differences", caption, caption, draw(chart, WIDTH - 160, 26 * len(order)))


def points(results: Results, block: Points, name: str) -> Figure:
    """What a kind of task shows as points; `name` is that of the chart's file."""
    import altair as alt

    data = [{"x": x, "y": y, "size": count} for x, y, count in block.points]
    total = sum(count for _, _, count in block.points)
    ends = [[point[axis] for point in block.points] for axis in (0, 1)]
    if block.diagonal:
        ends = [[*ends[0], *ends[1]]] * 2
    unit = block.diagonal and all(0 <= value <= 1 for value in ends[0])
    domains = [(0.0, 1.0)] * 2 if unit else [domain(values or [0.0, 1.0]) for values in ends]
    axis = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]) if unit else alt.Axis(tickCount=5)
    scales = [alt.Scale(domain=list(domain), nice=False) for domain in domains]
    x = alt.X("x:Q", scale=scales[0], axis=axis, title=one_line(block.x))
    y = alt.Y("y:Q", scale=scales[1], axis=axis, title=one_line(block.y))
    base = chart_of(data).encode(x=x, y=y)
    layers: list[Any] = []
    if block.diagonal:
        both = chart_of([{"x": end, "y": end} for end in domains[0]])
        layers.append(both.mark_line(color=SOFT, strokeDash=[3, 3], strokeWidth=1).encode(x=x, y=y))
    if block.joined:
        layers.append(base.mark_line(color=ACCENT, strokeWidth=1.5))
    size = alt.Size("size:Q", scale=alt.Scale(range=[15, 350], domain=[0, max(total, 1)]), legend=None)
    layers.append(base.mark_point(filled=True, color=ACCENT, opacity=1).encode(size=size))
    known = "" if block.measure is None else f"; {one_line(block.measure[0])} is {score(block.measure[1])}, the mean of the seeds"
    title = f"{one_line(block.title)} of {quoted(results.chosen or '')}"
    note = f": {one_line(block.note)}" if block.note else ""
    larger = ". Larger dots hold more predictions" if any(count > 1 for _, _, count in block.points) else ""
    caption = f"{title} on the test set, all seeds together{note}{larger}{known}."
    return Figure(name, caption, f"{title}: {one_line(block.y)} by {one_line(block.x)}{known}.", draw(alt.layer(*layers), 260, 260))


def _named(ticks: list[float]) -> str:
    # A Vega expression that names each tick; the values are ours, so nothing of the study's text is in it.
    return "".join(f"datum.value == {tick} ? '{TICKS[tick]}' : " for tick in ticks) + "''"
