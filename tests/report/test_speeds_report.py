"""What is said, listed and drawn of models that were timed."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.report.charts.speeds import MOST_TICKS, ticks
from acclimate.report.pages.page import render
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.report.words.text import moment

from .conftest import stage

SCORES = {"teacher": {"all": [0.90, 0.92]}, "student": {"all": [0.88, 0.90]}, "slow": {"all": [0.80, 0.82]}, "tfidf": {"all": [0.7, 0.7]}}
# seconds, texts a second, bytes, parameters
MODELS = {
    "teacher": (0.033, 40.0, 90_000_000, 22e6), "student": (0.002, 900.0, 2_900_000, 0.7e6), "slow": (0.004, 500.0, 9_000_000, 2e6),
    "tfidf": (0.0005, 5000.0, 91_000_000, 1e6),
}  # fmt: skip


@pytest.fixture
def timed(results_of: Callable[..., Results]) -> Callable[..., Results]:
    """The results of four recipes whose models were timed; `distilled` names those that the teacher taught."""

    def make(distilled: tuple[str, ...] = ("student", "slow"), **more: Any) -> Results:
        more = {"reference": "teacher", "verdicts": {("student", "all"): (-0.02, -0.035, -0.005, "worse")}} | more
        taught = [stage("distill", name, beside={"teacher": "k"}) for name in distilled]
        results = results_of(SCORES, stages=taught, **more)
        columns = ("latency_seconds", "batch_texts_per_second", "disk_bytes", "parameters")
        runs = tuple(replace(run, values={**run.values, **dict(zip(columns, MODELS[run.recipe], strict=True))}) for run in results.runs)
        recipes = {name: {"by": "acclimate" if name == "tfidf" else "transformers"} for name in MODELS}
        return replace(results, runs=runs, study={**results.study, "speeds": {"batch": 32, "recipes": recipes, "failed": {}}})

    return make


def test_a_student_is_told_beside_its_teacher_with_the_interval_where_the_study_compares_them(timed: Callable[..., Results]) -> None:
    said = View(timed()).faster
    assert said.startswith(
        "“student” is 31 times smaller and 16 times faster (2.00 ms a text instead of 33.0 ms) than “teacher”, and loses 0.020 of "
        "macro F1 (95 % interval of the difference −0.035 to −0.005). "
    )
    assert "“slow”" not in said  # slower and worse than the student
    assert "“tfidf” is 66 times faster (0.50 ms a text instead of 33.0 ms) than “teacher”, and loses 0.210 of macro F1." in said
    assert said.endswith("A difference without an interval is what was seen; it was not tested.")


def test_of_a_busy_machine_no_speed_is_told_in_times(timed: Callable[..., Results]) -> None:
    results = timed()
    results.study["speeds"]["doubt"] = "the machine was busy with other work"
    said = View(results).faster
    assert said.startswith("“student” is 31 times smaller (2.00 ms a text instead of 33.0 ms) than “teacher”, and loses 0.020 of macro F1")
    assert "faster" not in said
    assert said.endswith("the machine was busy with other work; the same command times them again when it is quiet.")


def test_without_a_teacher_the_largest_model_is_what_others_are_told_beside(timed: Callable[..., Results]) -> None:
    assert "than “teacher”" in View(timed(distilled=())).faster
    assert View(timed(smoke=True)).faster == ""


def test_nothing_is_said_or_drawn_where_nothing_was_timed(results_of: Callable[..., Results]) -> None:
    view = View(results_of(SCORES, reference="teacher"))
    assert (view.faster, view.speeds) == ("", ())
    assert [name for name, _ in view.axes] == ["training time"]
    assert 'type="radio"' not in render(view.results)


def test_the_table_and_the_charts_are_of_every_recipe_that_was_timed(timed: Callable[..., Results]) -> None:
    view = View(timed())
    (grid,) = view.speeds
    assert grid.headings == ("recipe", "macro F1", "parameters", "on disk", "one text", "texts/s", "answered by")
    assert grid.rows[1] == ("student", "0.890", "700 k", "2.9 MB", "2.00 ms", "900", "transformers")
    assert [name for name, _ in view.axes] == ["training time", "time for one text", "size on disk"]
    assert [figure.name for _, figure in view.axes] == ["pareto", "pareto-latency", "pareto-size"]
    assert view.axes[1][1].says == "Time for one text against macro F1; not beaten in both: “teacher”, “student” and “tfidf”."
    assert ">1 ms<" in view.axes[1][1].svg
    assert ">10 MB<" in view.axes[2][1].svg
    html = render(view.results)
    assert "31 times smaller" in html
    assert html.count('type="radio"') == 3


@given(st.floats(1e-6, 1e9), st.floats(2.6, 1e6))
def test_ticks_are_round_few_and_within_their_ends(low: float, times: float) -> None:
    found = ticks(low, low * times)
    assert 1 <= len(found) <= max(MOST_TICKS, 8)
    assert all(low <= each <= low * times for each in found)
    assert all(one < other for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("seconds", "written"), [(0.00021, "0.21 ms"), (0.0342, "34.2 ms"), (0.4567, "457 ms"), (1.25, "1.25 s"), (72.0, "72.0 s")]
)
def test_short_times_have_three_digits(seconds: float, written: str) -> None:
    assert moment(seconds) == written
