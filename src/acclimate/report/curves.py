"""The learning curves of every stage, a small chart each: all seeds as thin lines, their mean as a thick one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from acclimate.report.drawing import ACCENT, SOFT, Figure, chart_of, draw
from acclimate.report.results import Results
from acclimate.report.text import metric_words, one_line, with_labels

WIDTH, HEIGHT = 250, 130
NAMES = {"loss": "training loss", "heldout_loss": "held-out loss", "dev_loss": "dev loss"}


@dataclass(frozen=True)
class Curves:
    """One stage of some recipes at one budget, with a chart for each thing that was followed."""

    title: str
    figures: tuple[Figure, ...]


def curves(results: Results) -> list[Curves]:
    """The curves by stage, in the order of the plan; stages without steps have none."""
    found = []
    for number, (title, keys) in enumerate(_groups(results)):
        by_name: dict[str, list[list[tuple[float, float]]]] = {}
        for key in keys:
            for name, points in results.curves.get(key, {}).items():
                by_name.setdefault(name, []).append(points)
        # A single point is no curve; it stands in the tables.
        shown = {name: lines for name, lines in by_name.items() if name != "dev_loss" and any(len(points) > 1 for points in lines)}
        figures = tuple(_figure(f"curve-{number}-{name}", title, name, lines) for name, lines in shown.items())
        if figures:
            found.append(Curves(title, figures))
    return found


def _groups(results: Results) -> Iterator[tuple[str, list[str]]]:
    groups: dict[tuple[str, tuple[str, ...], str | None], list[str]] = {}
    for stage in results.stages:
        groups.setdefault((stage.stage, stage.recipes, stage.labels), []).append(stage.key)
    several = len(results.budgets) > 1
    for (stage_name, recipes, labels), keys in groups.items():
        names = ", ".join(map(one_line, recipes))
        yield f"{names}: {stage_name}" + (f", {with_labels(labels)}" if several and labels else ""), keys


def _figure(name: str, title: str, curve: str, lines: list[list[tuple[float, float]]]) -> Figure:
    import altair as alt

    words = NAMES.get(curve) or f"dev {metric_words(curve)}"
    each = [{"seed": seed, "step": step, "value": value} for seed, points in enumerate(lines) for step, value in points]
    mean = [{"step": step, "value": value} for step, value in _mean(lines) or lines[0]]
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
    """The mean at the steps that all seeds have; early stopping leaves some seeds fewer."""
    by_step: dict[float, list[float]] = {}
    for points in lines:
        for step, value in points:
            by_step.setdefault(step, []).append(value)
    return [(step, sum(values) / len(values)) for step, values in sorted(by_step.items()) if len(values) == len(lines)]
