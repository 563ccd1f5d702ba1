"""Charts drawn as SVG by altair and vl-convert: no script and no network, sharp on paper, in the page's colours by day and by night."""

import json
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    import altair

# What a chart is drawn in. The page's style sheet gives each of these its colour in light, dark and print.
INK, SOFT, LINE, ACCENT, PAGE = "#1d1f23", "#565b63", "#d9dad4", "#1f4f8f", "#fcfcfa"
# Told apart by people who see few colours (after Okabe & Ito 2008), and dark and light enough for both pages.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d1f", "#56b4e9", "#7a5ac8", "#b2182b", "#5e6b73")
FONT = "system-ui, 'Liberation Sans', 'DejaVu Sans', sans-serif"
ALONE = 120.0  # seconds that a chart may take in a process of its own
_ALONE = "import json, sys, vl_convert; sys.stdout.write(vl_convert.vegalite_to_svg(json.load(sys.stdin)))"
_VARIABLES = {INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)", ACCENT: "var(--accent)", PAGE: "var(--page)"}


@dataclass(frozen=True)
class Figure:
    """A drawn chart: `name` is that of its file in plots/, `caption` says what it shows, `says` the same in a line for those who listen."""

    name: str
    caption: str
    says: str
    svg: str

    @property
    def html(self) -> Markup:
        """The SVG as part of the page."""
        # Colours stand in attributes; a variable there is understood by every browser.
        svg = re.sub(r'="(#[0-9a-f]{6})"', lambda found: f'="{_VARIABLES.get(found[1], found[1])}"', self.svg)
        return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{escape(self.says)}" ', 1))  # the SVG's own text is escaped


def chart_of(rows: list[dict[str, Any]]) -> "altair.Chart":
    """A chart of these values."""
    import altair

    return altair.Chart(altair.Data(values=rows))  # type: ignore[no-untyped-call]


def draw(chart: "altair.LayerChart | altair.FacetChart", width: int, height: int) -> str:
    """The chart as SVG, `width` x `height` pixels without its axes.

    Raises:
        NotDrawn: there is not enough memory for the library that draws.
    """
    axis = {
        "domainColor": SOFT, "tickColor": SOFT, "gridColor": LINE, "labelColor": SOFT, "titleColor": SOFT, "titleFontWeight": "normal",
        "labelFontSize": 11, "titleFontSize": 11, "labelFont": FONT, "titleFont": FONT, "labelFlush": True,
        "titleLimit": 500, "titlePadding": 8,
    }  # fmt: skip
    config = {
        "background": None, "aria": False, "font": FONT, "view": {"stroke": None}, "axis": axis, "text": {"color": INK, "font": FONT},
        "legend": {"labelColor": SOFT, "titleColor": SOFT, "labelFont": FONT, "labelLimit": 300},
    }  # fmt: skip
    # Unchecked against the grammar, as `unchecked` says.
    specification: dict[str, Any] = chart.properties(width=width, height=height).to_dict(validate=False)
    specification["config"] = config
    return _apart(specification) if _memory_is_limited() else _svg(specification)


def unchecked() -> AbstractContextManager[None]:
    """Within it altair does not hold each part of a chart against its grammar, which takes as long as drawing it: our tests do so."""
    from altair.utils import schemapi

    return schemapi.debug_mode(False)


class NotDrawn(Exception):
    """The drawing library could not do it, for want of memory."""


def _svg(specification: dict[str, Any]) -> str:
    import vl_convert

    return str(vl_convert.vegalite_to_svg(specification))


def _memory_is_limited() -> bool:
    # Where it may not have the addresses it wants, the library ends its process without a word: there, not here.
    try:
        import resource
    except ImportError:  # not every system has limits
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _apart(specification: dict[str, Any]) -> str:
    """Drawn in a process of its own.

    Raises:
        NotDrawn: that process died.
    """
    try:
        # -P: the current folder may hold somebody else's modules, which a report must not run.
        drawn = subprocess.run(
            [sys.executable, "-P", "-X", "utf8", "-c", _ALONE], input=json.dumps(specification), capture_output=True, encoding="utf-8",
            timeout=ALONE,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotDrawn(str(error)) from error
    if drawn.returncode or not drawn.stdout.startswith("<svg"):
        raise NotDrawn(f"the drawing library ended with {drawn.returncode}")
    return drawn.stdout


def apart(places: list[tuple[float, float]], wide: float, high: float) -> list[float]:
    """Where labels go beside their points, in pixels from the top, so that none lies on another.

    `places` holds (x, y) of the points; labels less than `wide` from each other must be `high` apart.
    """
    chosen: dict[int, float] = {}
    for number in sorted(range(len(places)), key=lambda each: places[each][1]):
        x, y = places[number]
        for _, taken in sorted((chosen[other], chosen[other]) for other in chosen if abs(places[other][0] - x) < wide):
            if abs(taken - y) < high:
                y = taken + high
        chosen[number] = y
    return [chosen[number] for number in range(len(places))]
