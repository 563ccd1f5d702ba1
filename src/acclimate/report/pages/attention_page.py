"""What `acclimate attention` writes: a page where layer and head are chosen, and one head as SVG."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acclimate.errors import SettingsError
from acclimate.files import write_text
from acclimate.report.charts.attention import MARK, paper_svg
from acclimate.report.pages.page import CHOOSES, SORTS, refuse_foreign_page, written
from acclimate.report.tables.attention import attended
from acclimate.versions import version


def check_places(page: Path | None, svg: Path | None) -> None:
    """Refuse files that are somebody's, before any model is read.

    Raises:
        SettingsError: one is.
    """
    if page is not None:
        refuse_foreign_page(page)
    if svg is None or not svg.exists():
        return
    if not svg.is_file() or MARK not in svg.read_bytes()[:4096].decode("utf-8", "replace"):
        raise SettingsError(f"{svg}: is there already, and is no map of acclimate; name another with --svg")


def write_attention(facts: Mapping[str, Any], page: Path | None, svg: Path | None) -> None:
    """Write the page, and the maps of the shown head as SVG, where each is asked for.

    Raises:
        SettingsError: a file is somebody's.
    """
    check_places(page, svg)
    view = attended(facts)
    if page is not None:
        write_text(page, attention_page(facts))
    if svg is not None:
        write_text(svg, paper_svg(view.models, view.layer, view.head))


def attention_page(facts: Mapping[str, Any]) -> str:
    """The page as HTML: no request to anywhere, tokens only as text."""
    return written("attention.html.jinja", version("acclimate"), (SORTS, CHOOSES), view=attended(facts))
