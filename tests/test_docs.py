"""The reference that is committed is the one that the code would write today."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("file", "options"), [("study.schema.json", []), ("study-file.md", ["--markdown"])])
def test_committed_reference_is_up_to_date(file: str, options: list[str]) -> None:
    acclimate = Path(sys.executable).with_name("acclimate")
    written = subprocess.run([acclimate, "schema", *options], check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs" / file).read_text(encoding="utf-8") == written, "run `make docs`, and commit what it wrote"


def test_the_performance_page_shows_what_was_measured() -> None:
    from bench.page import markdown
    from bench.report import measured
    from bench.rows import ROWS

    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- measured: begin -->\n")[2].partition("<!-- measured: end -->")[0]
    assert shown.strip() == markdown(measured(), ROWS).strip(), "print it with `python -m bench --page`"
