"""The page in a real browser: what hostile text does there, what is sorted, how it looks on a phone, at night and on paper."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tests.chromium import chromium

from acclimate.report.charts.svg import Figure
from acclimate.report.pages.page import environment, write_reports


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """Open a page; whatever it says, asks for or throws is kept in `said`."""
    contexts = []

    def go(path: Path, **settings: Any) -> tuple[Any, list[str]]:
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: None if request.url == path.as_uri() else said.append(f"request: {request.url}"))
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        return page, said

    yield go
    for context in contexts:
        context.close()


@pytest.mark.measured(0)
def test_hostile_text_does_nothing(opened: Any, written: Path) -> None:
    page, said = opened(written / "report.html")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    assert "onerror=alert(1)" in page.inner_text("body")
    assert said == []


def test_a_click_or_a_key_on_a_heading_sorts_the_table(opened: Any, written: Path) -> None:
    page, said = opened(written / "report.html")
    table = page.locator("table.sortable").first

    def scores() -> list[float]:
        return [float(text.split()[0]) for text in table.locator("tbody tr td:nth-child(2)").all_inner_texts()]

    heading = table.get_by_role("button", name="macro F1")
    before = scores()
    heading.click()
    assert scores() == sorted(before, reverse=True)
    assert table.locator("th[aria-sort=descending]").count() == 1
    heading.press("Enter")
    assert scores() == sorted(before)
    table.get_by_role("button", name="recipe").click()
    assert table.locator("th[aria-sort]").count() == 1
    assert said == []


def test_one_chart_of_quality_against_cost_at_a_time_is_shown_and_all_of_them_on_paper(opened: Any, tmp_path: Path) -> None:
    figures = [(name, Figure(name, name, name, f"<svg><text>{name}</text></svg>")) for name in ("time", "latency", "size")]
    parts = environment("acclimate.report").from_string(
        '{% from "parts.html.jinja" import choice %}<style>{{ css|safe }}</style>{{ choice(figures, "p-") }}'
    )
    css = files("acclimate.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(parts.render(css=css, figures=figures))
    page, _ = opened(tmp_path / "page.html")

    def shown() -> list[bool]:
        return [page.locator("figure").nth(place).is_visible() for place in range(3)]

    assert shown() == [True, False, False]
    page.get_by_label("latency", exact=True).first.check()
    assert shown() == [False, True, False]
    page.keyboard.press("ArrowRight")
    assert shown() == [False, False, True]
    page.emulate_media(media="print")
    assert shown() == [True, True, True]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1200])
def test_the_page_fits_every_screen_by_day_and_by_night(opened: Any, written: Path, width: int, scheme: str) -> None:
    page, said = opened(written / "report.html", viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"
    assert dark == (scheme == "dark")
    # A chart's axis is drawn in the page's own colour.
    colours = page.evaluate("[...document.querySelectorAll('figure svg text')].map(each => getComputedStyle(each).fill)")
    assert colours
    assert ("rgb(169, 174, 182)" in colours) == (scheme == "dark")
    assert said == []


def test_it_prints_with_everything_open(opened: Any, written: Path) -> None:
    page, said = opened(written / "report.html")
    assert page.pdf()[:5] == b"%PDF-"
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = false)")
    page.emulate_media(media="print")
    hidden = page.evaluate(
        "[...document.querySelectorAll('details pre, details figure')].filter(each => each.checkVisibility() === false).length"
    )
    assert hidden == 0
    assert said == []


@pytest.mark.measured(0)
def test_several_studies_share_a_page(opened: Any, folder: Path, tmp_path: Path) -> None:
    page, said = opened(write_reports([folder, folder], tmp_path / "both.html"))
    assert page.locator("article").count() == 2
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))
    links = page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map(each => each.getAttribute('href').slice(1))")
    assert links
    assert set(links) <= set(ids)
    assert said == []
