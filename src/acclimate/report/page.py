"""The report: one HTML file that needs nothing else, made from the result files alone."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from acclimate.files import write_text
from acclimate.report import text
from acclimate.report.facts import data_facts
from acclimate.report.forest import axis_of
from acclimate.report.mistakes import mistakes_grid
from acclimate.report.results import Results
from acclimate.report.tables import table_rows
from acclimate.report.words import verdict_sentences
from acclimate.report.work import scores_grid, size_grid, stages_grid, time_grid

NAME = "report.html"


def write_report(folder: Path) -> Path:
    """Write `report.html` into a results folder and return its path.

    Raises:
        SettingsError: the folder does not hold the results of a study.
    """
    page = render(Results.load(folder))
    write_text(folder / NAME, page)
    return folder / NAME


def render(results: Results) -> str:
    """The page as HTML: no script, no request to anywhere, text from data only as text."""
    rows = table_rows(results)
    axis = axis_of(rows)
    # The largest budget is the one that the verdict speaks of, so it comes first.
    budgets = [(labels, [row for row in rows if row.labels == labels]) for labels in reversed(results.budgets)]
    return _template().render(
        results=results,
        study=results.study,
        sentences=verdict_sentences(results),
        metric=text.metric_words(results.metric),
        rows=rows,
        budgets=[(labels, of_budget, axis.marks(of_budget)) for labels, of_budget in budgets],
        axis=axis,
        data=data_facts(results),
        mistakes=mistakes_grid(results),
        scores=[grid for labels in reversed(results.budgets) if (grid := scores_grid(results, labels)).rows],
        stages=stages_grid(results),
        times=time_grid(results),
        sizes=size_grid(results),
        notes=_notes(results),
        seconds=sum(run.values.get("seconds_shared_once") or 0 for run in results.runs),
        created=_moment(str(results.study.get("created") or "")),
        machine=_machine(results.study.get("machine") or {}),
        versions=results.study.get("versions") or {},
    )


def _notes(results: Results) -> tuple[str, ...]:
    """The study's notes, and those of stages that the study did not repeat with the names of their recipes."""
    notes = [str(note) for note in results.study.get("notes") or ()]
    for stage in results.stages:
        for note in stage.notes:
            if not any(known.endswith(note) for known in notes):
                notes.append(f"{', '.join(stage.recipes)}: {note}")
    return tuple(notes)


def _moment(written: str) -> str:
    """`2026-01-02 03:04 UTC` from ISO 8601; anything else as it stands."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return written
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".rstrip()


def _machine(machine: dict[str, Any]) -> dict[str, str]:
    """Facts about the machine with their units."""
    return {
        name.removesuffix("_bytes").replace("_", " "): text.size(value) if name.endswith("_bytes") else str(value)
        for name, value in machine.items()
    }


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("acclimate.report"),
        # Always on: jinja2's own choice by file ending would leave a template named otherwise open.
        autoescape=True,
        undefined=StrictUndefined,
        # Escaping keeps text from becoming markup; this keeps it from reordering or hiding what stands around it.
        finalize=lambda value: text.inert(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "score": text.score,
        "signed": text.signed,
        "duration": text.duration,
        "amount": text.amount,
        "one_line": text.one_line,
    }
    environment.globals |= {"interval": text.interval, "with_labels": text.with_labels, "percent": text.percent}
    return environment.get_template("report.html.jinja")
