"""Verbs that look at this machine and at the settings."""

from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli import show


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
