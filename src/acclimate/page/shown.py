"""Pages from templates: everything that somebody else wrote stands in them as text."""

from functools import cache
from importlib.resources import files
from typing import Any

from starlette.responses import HTMLResponse, Response

from acclimate.page.home import Home
from acclimate.report.pages.page import environment
from acclimate.report.words.text import size

PACKAGES = ("acclimate.page", "acclimate.report")
STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


def page(template: str, home: Home, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page of this template."""
    return HTMLResponse(rendered(template, home=home, status=status, **shown), status)


def rendered(template: str, **shown: Any) -> str:
    """A page, or a part of one, as HTML."""
    found = environment(*PACKAGES)
    found.filters["size"] = size
    return found.get_template(f"{template}.html.jinja").render(**shown)


def static(name: str) -> Response:
    """A sheet or a script of the package."""
    return Response(_text(name), media_type=STATIC[name], headers={"cache-control": "no-cache"})


@cache
def _text(name: str) -> str:
    own = files("acclimate.page").joinpath("static", name).read_text(encoding="utf-8")
    sheet = files("acclimate.report").joinpath("templates", "report.css").read_text(encoding="utf-8") if name.endswith(".css") else ""
    return sheet + own
