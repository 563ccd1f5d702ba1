"""The report as Markdown, for a pull request: the same numbers as the page."""

from collections.abc import Iterable

from acclimate.report.charts.svg import Figure
from acclimate.report.pages.markdown import block, bullets, escaped, grid, plain
from acclimate.report.pages.view import Told, View
from acclimate.report.tables.chosen import Lines, Segment, Shaded
from acclimate.report.tables.comparison import Row, markdown_table
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import with_labels


def markdown(view: View) -> str:
    """The whole report; text from the study can become neither markup nor a link."""
    parts = [f"# {plain(view.title)}", *map(escaped, view.sentences)]
    if view.study.get("smoke"):
        parts.append("**Smoke run:** every stage saw a sliver of the data. No number below says anything about the recipes.")
    parts += ["## Comparison", _about(view), markdown_table(view.results)]
    if view.unequal:
        parts.append(escaped(view.unequal))
    if view.forgot:
        parts.append(escaped(view.forgot))
    for budget in view.budgets:
        said = bullets(escaped(f"{each.sentence} {each.advice}".strip()) for each in budget.said)
        parts += [f"**{with_labels(budget.labels).capitalize()}:**", said] if len(view.budgets) > 1 else [said]
    parts += [escaped(view.faster)] if view.faster else []
    parts += [_image(figure) for figure in (*(figure for _, figure in view.axes), view.efficiency) if figure is not None]
    parts += _grids(view.speeds)
    sections: list[tuple[str, list[str]]] = [
        ("What was forgotten", [*([_image(view.forgetting)] if view.forgetting is not None else []), *_grids(view.general)]),
        ("All scores", _grids(view.scores)),
        ("The chosen recipe", list(map(_told, view.told))),
        ("Searches", list(map(_told, view.searched))),
        ("Attention before and after", _attention(view)),
        ("Data", [*_grids(view.data.grids), *map(_told, view.alike)]),
        ("Leaks", _grids(view.leaks)),
        ("Vocabularies", _grids(view.vocabularies)),
        ("Stages and costs", _grids([view.stages, view.times, view.sizes])),
    ]
    for title, shown in sections:
        if shown:
            parts += [f"## {title}", *shown]
            if title == "Data":
                parts.append(bullets(f"{plain(what)}: {plain(value)}" for what, value in view.data.lines))
            if title == "Stages and costs":
                parts.append(view.saving.sentence)
    if view.results.failed:
        failed = (
            f"{plain(run.recipe)}, seed {run.seed}, {with_labels(run.labels)}: {plain(run.error.partition(chr(10))[0])}"
            for run in view.results.failed
        )
        parts += ["## Failed runs", bullets(failed)]
    if view.notes:
        parts += ["## Notes", bullets(map(plain, view.notes))]
    versions = ", ".join(f"{plain(name)} {plain(str(version))}" for name, version in view.versions.items())
    machine = ", ".join(f"{plain(name)} {plain(value)}" for name, value in view.machine.items())
    parts += ["## How to repeat it", block(view.command or "acclimate study study.yaml")]
    parts += [block(view.study_yaml), "; ".join(each for each in (versions, machine) if each)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _grids(found: Iterable[Grid]) -> list[str]:
    return [grid(each) for each in found if each.rows]


def _told(each: Told) -> str:
    """What a kind of task tells of the chosen recipe."""
    match each:
        case Grid():
            return grid(each)
        case Shaded():
            return grid(each.grid)
        case Figure():
            return _image(each)
        case Lines():
            pairs = (f"gold: {_line(right)}\n- predicted: {_line(said)}" for right, said in each.items)
            return f"{plain(each.caption)}:\n\n" + "\n\n".join(f"- {pair}" for pair in pairs)
    items = ("; ".join(f"{plain(what)}: {plain(value)}" for what, value in pairs) for pairs in each.items)
    return f"{plain(each.caption)}:\n\n{bullets(items)}"


def _line(segments: Iterable[Segment]) -> str:
    """A text on one line; what is marked stands in bold, with its label and what is wrong with it behind."""
    parts = []
    for segment in segments:
        label = "" if segment.label is None else f" ({plain(', '.join(each for each in (segment.label, segment.fault) if each))})"
        words = plain(segment.text)
        parts.append(f"**{words}**{label}" if label and words else words)
    return " ".join(part for part in parts if part)


def _image(figure: Figure) -> str:
    return f"![{plain(figure.caption)}](plots/{figure.name}.svg)"


def _attention(view: View) -> list[str]:
    found = view.attention
    return [] if found is None else [*map(escaped, filter(None, (found.said, found.warning))), *_grids([heat.grid for heat in found.heats])]


def _about(view: View) -> str:
    chosen: Row | None = next((row for row in view.rows if row.is_chosen), None)
    bold = f" In bold: {plain(chosen.recipe)}, which the dev set chose." if chosen else ""
    results = view.results
    on = (
        f" Test {results.kind.items} belong together, so that groups are what is counted: {results.judged_on}." if results.judged_on else ""
    )
    return f"Every recipe against the reference, {plain(results.reference)}, on the same seeds and test examples.{on}{bold}"
