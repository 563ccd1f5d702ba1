import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import altair
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.report.charts import svg
from acclimate.report.charts.curves import _mean, curves
from acclimate.report.charts.svg import apart
from acclimate.report.charts.trade_off import Point, front
from acclimate.report.pages.page import page
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.report.tables.comparison import Row

GRAMMAR: dict[str, Any] = {"layer": altair.LayerChart, "facet": altair.FacetChart}


def _row(mean: float, seconds: float) -> Row:
    return Row("r", "all", mean, None, None, None, None, None, None, None, seconds, None, 1, 0, False, False)


def test_hostile_names_stay_text_in_a_chart(folder: Path) -> None:
    view = View(Results.load(folder))
    assert view.figures
    for figure in view.figures:
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(figure.svg).iter()}
        assert tags <= {"svg", "g", "path", "line", "text", "rect", "title", "desc", "circle", "tspan", "defs", "clipPath"}
        assert "<script" not in figure.html
        assert not re.search(r"\son\w+=", re.sub(r">[^<]*<", "><", figure.html))


@pytest.mark.measured(0)
def test_every_chart_is_one_by_the_grammar_which_is_not_asked_while_it_is_drawn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[dict[str, Any]] = []
    monkeypatch.setattr(svg, "_svg", lambda specification: drawn.append(specification) or "<svg/>")
    assert View(Results.load(folder)).figures
    assert drawn
    for specification in drawn:
        kind = next(kind for part, kind in GRAMMAR.items() if part in specification)
        kind.from_dict({name: value for name, value in specification.items() if name != "config"}, validate=True)


def test_a_chart_on_the_page_takes_the_colours_of_the_page(folder: Path) -> None:
    figure = View(Results.load(folder)).pareto
    assert figure is not None
    assert "var(--soft)" in figure.html
    assert "var(" not in figure.svg
    assert figure.html.startswith('<svg role="img" aria-label="')


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(0, 300)), max_size=25))
def test_labels_do_not_lie_on_each_other(places: list[tuple[float, float]]) -> None:
    heights = apart(places, 150, 14)
    assert all(height >= place[1] for height, place in zip(heights, places, strict=True))
    for one in range(len(places)):
        for other in range(one):
            if abs(places[one][0] - places[other][0]) < 150:
                assert abs(heights[one] - heights[other]) >= 14 - 1e-6


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 100)), min_size=1, max_size=20))
def test_the_front_holds_what_nothing_beats_in_both(points: list[tuple[float, float]]) -> None:
    known = [Point(_row(mean, seconds), seconds) for mean, seconds in points]
    best = front(known)
    assert best
    for point in known:
        beaten = any((o.mean >= point.mean and o.cost < point.cost) or (o.mean > point.mean and o.cost <= point.cost) for o in known)
        assert (point in best) != beaten


def test_a_study_of_which_nothing_worked_at_two_budgets_still_has_its_page(results_of: Callable[..., Results]) -> None:
    results = results_of({"fine-tune": {"50": ["bad"], "all": ["bad"]}}, data={"task": {"examples": {"train": 100}}})
    assert View(results).efficiency is None
    assert "bad" in page([View(results)])


def test_two_pretrainings_of_one_recipe_are_two_curves(results_of: Callable[..., Results]) -> None:
    facts = {"stage": "pretrain", "recipes": ["DAPT + TAPT"], "seed": 0, "labels": None, "status": "done"}
    stages = [{**facts, "key": where, "title": f"DAPT + TAPT, seed 0: pretrain on {where}"} for where in ("domain", "task")]
    results = results_of({"DAPT + TAPT": {"all": [0.8]}}, stages=stages, reference="DAPT + TAPT")
    assert [each.title for each in curves(results)] == ["DAPT + TAPT: pretrain on domain", "DAPT + TAPT: pretrain on task"]


def test_the_mean_curve_is_of_all_seeds_however_long_each_ran() -> None:
    long, short = [(2.0, 10.0), (4.0, 8.0), (6.0, 6.0)], [(1.0, 5.0), (3.0, 3.0), (5.0, 1.0)]
    assert _mean([long, short]) == [(1.0, 7.5), (3.0, 6.0), (5.0, 4.0)]


def test_one_budget_has_no_curve_of_labels_and_one_recipe_no_front(results_of: Callable[..., Results]) -> None:
    view = View(results_of({"fine-tune": {"all": [0.8]}}))
    assert (view.efficiency, view.pareto, view.differences) == (None, None, None)


def test_all_labels_that_are_as_many_as_the_budget_have_no_curve(results_of: Callable[..., Results]) -> None:
    scores = {"fine-tune": {"100": [0.7, 0.8], "all": [0.7, 0.8]}}
    assert View(results_of(scores, data={"task": {"examples": {"train": 100}}})).efficiency is None
    assert View(results_of(scores, data={"task": {"examples": {"train": 101}}})).efficiency is not None
