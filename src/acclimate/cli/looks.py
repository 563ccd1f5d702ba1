"""Verbs that look at this machine and at the settings."""

from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli import show
from acclimate.cli.options import StudyFile


def doctor() -> None:
    """Say what this machine has and what is missing."""
    from acclimate.cli.doctor import examine

    findings = examine(Path.cwd())
    show.findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def schema(markdown: Annotated[bool, typer.Option("--markdown", help="As a reference page instead of JSON Schema.")] = False) -> None:
    """Print the JSON Schema of study files, for editors."""
    from acclimate.study.language.schema import json_schema, reference_markdown

    show.plain(reference_markdown() if markdown else json_schema())


def leaks(
    file: StudyFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print every leak as JSON, and nothing else.")] = False,
    examples: Annotated[int, typer.Option("--examples", min=0, help="Examples of each corpus and kind.")] = 3,
    fail: Annotated[bool, typer.Option("--fail", help="Exit code 1 if anything was found, e.g. for a CI.")] = False,
) -> None:
    """Show which texts of dev and test stand in a study's corpora or in train: equal, nearly so, or within longer documents."""
    from acclimate.cli.shown_leaks import leaks as show_leaks
    from acclimate.study.language.study import load_study
    from acclimate.study.leaks import leaks_json, look_for_leaks

    data = look_for_leaks(load_study(file), file.resolve().parent)
    if as_json:
        show.plain(leaks_json(data))
    else:
        show_leaks(data, examples)
    if fail and any(holding.leaks for holding in data.found.holdings.values()):
        raise typer.Exit(1)
