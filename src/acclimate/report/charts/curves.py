"""The learning curves of every stage, a small chart each: all seeds as thin lines, their mean as a thick one."""

from dataclasses import dataclass
from typing import Any

from acclimate.inert import one_line
from acclimate.report.charts.svg import ACCENT, SOFT, Figure, chart_of, draw
from acclimate.report.results.finished import Results
from acclimate.report.results.groups import groups
from acclimate.report.words.text import curve_name, with_labels
from acclimate.wording import side_by_side

WIDTH, HEIGHT = 250, 130


@dataclass(frozen=True)
class Curves:
    """One stage of some recipes at one budget, with a chart for each thing that was followed."""

    title: str
    figures: tuple[Figure, ...]


def curves(results: Results) -> list[Curves]:
    """The curves by stage, in the order of the plan; stages without steps have none."""
    found = []
    several = len(results.budgets) > 1
    for number, group in enumerate(groups(results.stages)):
        by_name: dict[str, list[list[tuple[float, float]]]] = {}
        for stage in group.stages:
            for name, points in results.curves.get(stage.key, {}).items():
                by_name.setdefault(name, []).append(points)
        title = f"{side_by_side(map(one_line, group.recipes))}: {group.name}"
        title += f", {with_labels(group.labels)}" if several and group.labels else ""
        # A single point is no curve; it stands in the tables.
        shown = {name: lines for name, lines in by_name.items() if any(len(points) > 1 for points in lines)}
        figures = tuple(_figure(f"curve-{number}-{name}", title, _words(results, name), lines) for name, lines in shown.items())
        if figures:
            found.append(Curves(title, figures))
    return found


def _words(results: Results, curve: str) -> str:
    return f"dev {results.kind.words(curve)}" if curve.startswith("dev_") else curve_name(curve)


def _figure(name: str, title: str, words: str, lines: list[list[tuple[float, float]]]) -> Figure:
    import altair as alt

    each = [{"seed": seed, "step": step, "value": value} for seed, points in enumerate(lines) for step, value in points]
    mean = [{"step": step, "value": value} for step, value in _mean(lines)]
    x = alt.X("step:Q", title="step", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=4, grid=False, format="~s"))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4))
    markers: Any = {"point": {"filled": True, "size": 20, "color": ACCENT}} if len(mean) < 15 else {}
    chart = alt.layer(
        chart_of(each).mark_line(strokeWidth=0.8, color=SOFT, opacity=0.5).encode(x=x, y=y, detail="seed:N"),
        chart_of(mean).mark_line(strokeWidth=2, color=ACCENT, **markers).encode(x=x, y=y),
    )
    first, last = mean[0]["value"], mean[-1]["value"]
    return Figure(name, words, f"{title}, {words}: from {first:.3f} to {last:.3f}", draw(chart, WIDTH, HEIGHT))


def _mean(lines: list[list[tuple[float, float]]]) -> list[tuple[float, float]]:
    """The mean of the seeds at the steps of the shortest curve, each read between its neighbouring points: early stopping leaves some
    seeds fewer steps, and points of long curves stand for several."""
    import numpy as np

    steps = [step for step, _ in min(lines, key=lambda points: points[-1][0])]
    values = np.mean([np.interp(steps, [step for step, _ in points], [value for _, value in points]) for points in lines], axis=0)
    return list(zip(steps, values.tolist(), strict=True))
