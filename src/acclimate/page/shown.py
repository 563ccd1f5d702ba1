"""Pages from templates: everything that somebody else wrote stands in them as text."""

from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from acclimate.page.home import Home
from acclimate.report.pages.page import environment
from acclimate.report.words.text import size

PACKAGES = ("acclimate.page", "acclimate.report")
# Of a page in a frame: an origin of its own, and nothing is fetched.
SHEET_WITHIN = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


def page(template: str, home: Home, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page of this template."""
    return HTMLResponse(rendered(template, home=home, status=status, **shown), status)


def problem(request: Request, home: Home, status: int, said: str) -> HTMLResponse:
    """What went wrong. A page in a frame of ours cannot fetch the sheet, so there it stands within."""
    if request.headers.get("sec-fetch-dest") != "iframe":
        return page("problem", home, status, said=said)
    text = rendered("framed_problem", status=status, said=said, sheet=Markup(_text("page.css")))
    return HTMLResponse(text, status, headers={"content-security-policy": SHEET_WITHIN})


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
