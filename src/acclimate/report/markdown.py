"""The report as Markdown, for a pull request: the same figures as the page, without its charts."""

import re

from acclimate.report.grid import Grid
from acclimate.report.tables import Row, markdown_table
from acclimate.report.text import plain_markdown as plain
from acclimate.report.text import with_labels
from acclimate.report.view import View


def markdown(view: View) -> str:
    """The whole report; text from the study can become neither markup nor a link."""
    parts = [f"# {plain(view.title)}", *map(plain, view.sentences)]
    if view.study.get("smoke"):
        parts.append("**Smoke run:** every stage saw a sliver of the data. No number below says anything about the recipes.")
    parts += ["## Comparison", _about(view), markdown_table(view.results)]
    for figure in (view.pareto, view.efficiency):
        if figure is not None:
            parts.append(f"![{plain(figure.caption)}](plots/{figure.name}.svg)")
    grids: list[tuple[str, list[Grid]]] = [
        ("All scores", view.scores),
        ("The chosen recipe", [grid for grid in (view.by_label, view.mistakes) if grid is not None]),
        ("Data", list(view.data.grids)),
        ("Stages and costs", [view.stages, view.times, view.sizes]),
    ]
    for title, found in grids:
        shown = [_grid(grid) for grid in found if grid.rows]
        if shown:
            parts += [f"## {title}", *shown]
            if title == "Data":
                parts.append("\n".join(f"- {plain(what)}: {plain(value)}" for what, value in view.data.lines))
            if title == "Stages and costs":
                parts.append(view.saving.sentence)
    if view.results.failed:
        failed = (f"- {plain(run.recipe)}, seed {run.seed}, {with_labels(run.labels)}: {plain(run.error)}" for run in view.results.failed)
        parts += ["## Failed runs", "\n".join(failed)]
    if view.notes:
        parts += ["## Notes", "\n".join(f"- {plain(note)}" for note in view.notes)]
    versions = ", ".join(f"{plain(name)} {plain(str(version))}" for name, version in view.versions.items())
    machine = ", ".join(f"{plain(name)} {plain(value)}" for name, value in view.machine.items())
    parts += ["## How to repeat it", _code(str(view.study.get("command") or "acclimate study study.yaml"))]
    parts += [_code(view.results.study_yaml), "; ".join(each for each in (versions, machine) if each)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(view: View) -> str:
    chosen: Row | None = next((row for row in view.rows if row.is_chosen), None)
    bold = f" In bold: {plain(chosen.recipe)}, which the dev set chose." if chosen else ""
    return f"Every recipe against the reference, {plain(view.results.reference)}, on the same seeds and test examples.{bold}"


def _grid(grid: Grid) -> str:
    lines = [f"**{plain(grid.caption)}**", "", _line([plain(heading) or " " for heading in grid.headings])]
    lines.append(_line(["---" if place in grid.words else "---:" for place in range(len(grid.headings))]))
    return "\n".join([*lines, *(_line([plain(cell) for cell in row]) for row in grid.rows)])


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _code(code: str) -> str:
    # A fence longer than any run of backticks inside cannot be closed from inside.
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
    return f"{fence}\n{code.strip()}\n{fence}"
