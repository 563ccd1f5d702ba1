"""The reference that is committed is the one that the code would write today, every page is in the index, and no link leads nowhere."""

import re
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
    from bench.report import measured, variants
    from bench.rows import ROWS

    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- measured: begin -->\n")[2].partition("<!-- measured: end -->")[0]
    assert shown.strip() == markdown(measured(), ROWS, variants()).strip(), "print it with `python -m bench --page`"


LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bases").glob("*.md")])


def _links(page: Path) -> list[str]:
    code = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
    return [link for link in LINK.findall(code.sub("", page.read_text(encoding="utf-8"))) if not re.match(r"[a-z]+:", link)]


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in _anchors(target), link


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link.partition("#")[0]).resolve() for link in _links(index)}
    # The pages of single studies are in the index of results.
    results = ROOT / "docs" / "results"
    named |= {(results / link.partition("#")[0]).resolve() for link in _links(results / "README.md")}
    missing = [str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md") if page.resolve() not in named | {index}]
    assert not missing


def test_every_fault_that_is_survived_has_its_test_and_every_test_of_a_fault_its_row() -> None:
    faults = ROOT / "tests" / "faults"
    tests = {
        (file.name, name) for file in faults.glob("test_*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    rows = list[tuple[str, str]]()
    for section in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        (file,) = set(re.findall(r"tests/faults/(test_\w+\.py)", section))
        rows += [(file, name) for name in re.findall(r"^\| .+ \| .+ \| `(test_\w+)` \|$", section, re.MULTILINE)]
    assert sorted(rows) == sorted(tests)


def test_pages_that_explain_are_short_and_show_something_that_was_run() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| \[(.*?)\]", index.partition("## Looking up")[0], flags=re.MULTILINE)
    for name in set(explained) - {"performance.md", "reading.md", "results/README.md", "results/bases.md"}:
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 120, name
        assert "```" in text, name
