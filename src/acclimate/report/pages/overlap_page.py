"""The folder of `acclimate overlap`: how alike texts are, as JSON, as a page with heat maps, and as Markdown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acclimate.files import digest_json, write_json, write_text
from acclimate.owned import own_folder, refuse_foreign, refuse_holding
from acclimate.report.pages.markdown import bullets, escaped, grid, plain
from acclimate.report.pages.page import written
from acclimate.report.tables.text_overlap import matrices, texts_grid
from acclimate.versions import version

FACTS, PAGE, MARKDOWN = "overlap.json", "overlap.html", "overlap.md"


def check_place(out: Path) -> None:
    """Refuse a folder that is somebody's, before anything is read.

    Raises:
        SettingsError: it is.
    """
    refuse_holding(out, {})
    refuse_foreign(out, "overlap")


def write_overlap(facts: Mapping[str, Any], out: Path) -> Path:
    """Write what `compare_texts` found into a folder of its own, and return the page's path.

    Raises:
        SettingsError: the folder is somebody's.
    """
    check_place(out)
    with own_folder(out.resolve(), "overlap", digest_json(facts)) as folder:
        write_json(folder / FACTS, facts)
        write_text(folder / PAGE, overlap_page(facts))
        write_text(folder / MARKDOWN, overlap_markdown(facts))
    return out / PAGE


def overlap_page(facts: Mapping[str, Any]) -> str:
    """The page as HTML: no request to anywhere, names from data only as text."""
    return written(
        "overlap.html.jinja", version("acclimate"), texts=[*facts["texts"]], facts=texts_grid(facts), matrices=matrices(facts),
        notes=facts["notes"],
    )  # fmt: skip


def overlap_markdown(facts: Mapping[str, Any]) -> str:
    """The same numbers as Markdown."""
    parts = [
        f"# How alike are {plain(', '.join(facts['texts']))}?",
        *(grid(each.grid) for each in matrices(facts)),
        grid(texts_grid(facts)),
    ]
    return "\n\n".join([*parts, *([bullets(map(escaped, facts["notes"]))] if facts["notes"] else [])]) + "\n"
