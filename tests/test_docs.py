"""The reference that is committed is the one that the code would write today."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from acclimate.cli.verbs import app

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("file", "options"), [("study.schema.json", []), ("study-file.md", ["--markdown"])])
def test_committed_reference_is_up_to_date(file: str, options: list[str]) -> None:
    written = CliRunner().invoke(app, ["schema", *options], catch_exceptions=False).stdout
    assert (ROOT / "docs" / file).read_text(encoding="utf-8") == written, "run `make docs`, and commit what it wrote"


def test_the_performance_page_shows_what_was_measured() -> None:
    from bench.page import markdown
    from bench.report import measured
    from bench.rows import ROWS

    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- measured: begin -->\n")[2].partition("<!-- measured: end -->")[0]
    assert shown.strip() == markdown(measured(), ROWS).strip(), "print it with `python -m bench --page`"
