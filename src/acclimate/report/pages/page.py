"""The report: one HTML file that needs nothing else, the same as Markdown, and the charts as SVG, made from the result files alone."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import escape

from acclimate.errors import SettingsError
from acclimate.files import write_text
from acclimate.inert import inert, one_line
from acclimate.report.charts.svg import Figure
from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.report.tables.chosen import Lines, Shaded
from acclimate.report.tables.grid import Grid
from acclimate.report.tables.several import comparison
from acclimate.report.words import text

GENERATOR = b'<meta name="generator" content="acclimate'  # stands near the beginning of every page
NAME, MARKDOWN, PLOTS = "report.html", "report.md", "plots"
SORTS, CHOOSES = "sort.js", "attention.js"  # scripts: of tables, of maps of attention


def write_report(folder: Path) -> Path:
    """Write `report.html`, `report.md` and `plots/*.svg` into a results folder and return the page's path.

    Raises:
        SettingsError: the folder does not hold the results of a study.
    """
    view = View(Results.load(folder))
    write_text(folder / NAME, page([view]))
    write_text(folder / MARKDOWN, markdown(view))
    figures = {f"{figure.name}.svg": figure.svg for figure in view.figures}
    for name, svg in figures.items():
        write_text(folder / PLOTS / name, svg)
    for old in (folder / PLOTS).glob("curve-*.svg"):  # of a study that had more stages
        if old.name not in figures:
            old.unlink()
    return folder / NAME


def write_reports(folders: Sequence[Path], out: Path, public: bool = False) -> Path:
    """Write one or several studies as one page; a `public` one shows no text of the data and no folder of this machine.

    Raises:
        SettingsError: one of the folders does not hold the results of a study, `out` is the page of one of them, or no page of ours.
    """
    if any(out.resolve() == (folder / NAME).resolve() for folder in folders):
        raise SettingsError(f"{out}: is the page of one of these studies; name another with --out")
    refuse_foreign_page(out)
    views = [View(Results.load(folder), prefix=f"s{number}-", public=public) for number, folder in enumerate(folders, start=1)]
    write_text(out, page(views))
    return out


def refuse_foreign_page(out: Path) -> None:
    """Refuse to write a page over what is no page of ours.

    Raises:
        SettingsError: it stands there.
    """
    if out.is_dir():
        raise SettingsError(f"{out}: is a folder; name the page itself with --out, e.g. {out / NAME}")
    if not out.exists():
        return
    if not out.is_file():
        raise SettingsError(f"{out}: is no file; name another with --out")
    with out.open("rb") as file:
        if GENERATOR not in file.read(4096):
            raise SettingsError(f"{out}: is there already, and is no report of acclimate; name another with --out")


def render(results: Results) -> str:
    """One study's page."""
    return page([View(results)])


def page(views: Sequence[View]) -> str:
    """The page as HTML: no request to anywhere, one script (of tables and maps of attention), text from data only as text."""
    several = comparison(views) if len(views) > 1 else None
    scripts = (SORTS, CHOOSES) if any(view.attention is not None and view.attention.models for view in views) else (SORTS,)
    return written("report.html.jinja", str(views[0].study.get("version", "")), scripts, views=views, several=several)


def written(template: str, version: str, scripts: Sequence[str] = (SORTS,), **shown: Any) -> str:
    """A page of ours: what is `shown` in its template, with these scripts as one, and the version of acclimate that it came from."""
    parts = {"version": version, "script": _script(scripts), "digest": script_digest(scripts)}
    return environment("acclimate.report").get_template(template).render(**parts, **shown)


def script_digest(scripts: Sequence[str]) -> str:
    """The SHA-256 of these scripts as one, as a policy names it."""
    return b64encode(hashlib.sha256(_script(scripts).encode()).digest()).decode()


def _script(names: Sequence[str]) -> str:
    return "".join(files("acclimate.report").joinpath("templates", name).read_text(encoding="utf-8") for name in names)


@cache
def environment(*packages: str) -> Environment:
    """The templates of these packages, as all pages read them."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in packages]),
        # Always on: jinja2's own choice by file ending would leave a template named otherwise open.
        autoescape=True,
        undefined=StrictUndefined,
        # Escaping keeps text from becoming markup; this keeps it from reordering or hiding what stands around it.
        finalize=lambda value: inert(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "score": text.score,
        "signed": text.signed,
        "duration": text.duration,
        "amount": text.amount,
        "one_line": one_line,
        "label_count": text.label_count,
        # Our own sentences: the names in them are inert already, and what holds their direction must stay.
        "said": escape,
    }
    for name, kind in (("grid", Grid), ("shaded", Shaded), ("figure", Figure), ("marked", Lines)):
        environment.tests[name] = _is_a(kind)
    environment.globals |= {"interval": text.interval, "with_labels": text.with_labels, "percent": text.percent}
    return environment


def _is_a(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)
