"""A report is written where the drawing library cannot be given the memory it wants, which it answers by ending its process."""

import subprocess

import pytest

from acclimate.report.charts import svg as drawing
from acclimate.report.charts.svg import NotDrawn, chart_of, draw


def chart():
    return chart_of([{"x": 1, "y": 2}]).mark_point().encode(x="x:Q", y="y:Q")


@pytest.fixture
def limited(monkeypatch):
    monkeypatch.setattr(drawing, "_memory_is_limited", lambda: True)


def test_under_a_limit_a_chart_is_drawn_elsewhere_and_is_the_same(limited, monkeypatch):
    elsewhere = draw(chart(), 100, 80)
    monkeypatch.setattr(drawing, "_memory_is_limited", lambda: False)
    assert draw(chart(), 100, 80) == elsewhere


def test_the_death_of_the_library_is_an_error_of_ours(limited, monkeypatch):
    monkeypatch.setattr(drawing, "_ALONE", "import os; os.abort()")
    with pytest.raises(NotDrawn, match="-6"):
        draw(chart(), 100, 80)


def test_the_report_is_written_without_charts_and_says_so(limited, monkeypatch, folder):
    from acclimate.report.pages.page import write_report

    tried = []

    def died(*given, **more):
        tried.append(1)
        return subprocess.CompletedProcess(given, -6, "", "")

    monkeypatch.setattr(drawing.subprocess, "run", died)
    page = write_report(folder)
    assert len(tried) == 1
    for name in (page, page.with_name("report.md")):
        assert "this report has no charts" in name.read_text()
