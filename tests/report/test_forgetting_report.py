"""What was forgotten of general text stands in the table, in a sentence, stage by stage, and as a chart against the score."""

from collections.abc import Callable
from typing import Any

import pytest

from acclimate.cli import show
from acclimate.report.charts import svg
from acclimate.report.charts.general_text import forgetting_chart
from acclimate.report.charts.trade_off import Point, front, vertical
from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.page import render
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.report.tables.comparison import Row, table_rows
from acclimate.report.tables.general_text import general_grids
from acclimate.report.tables.tree import saving, tree
from acclimate.report.words.general_text import forgetting_sentence

from .conftest import HOSTILE, stage

SCORES = {name: {"all": [score, score + 0.01]} for name, score in (("fine-tune", 0.8), ("DAPT", 0.84), ("kept", 0.83), ("tfidf", 0.7))}


def state(after: str, value: float, since: tuple[float, float, float] | None = None, carried: bool = False, **more: Any) -> dict[str, Any]:
    """A state as `study.json` tells it; `since` is the difference to before with its interval."""
    told = {} if since is None else dict(zip(("difference", "low", "high"), since, strict=True))
    return {"before": since is None, "after": after, "carried_head": carried, "trainings": 1, "bits_per_byte": value, **told, **more}


BASE = state("read the base mini", 1.5)
TUNED = state("finetune", 1.75, (0.25, 0.2, 0.3), carried=True)
STAGES = {
    "fine-tune": [BASE, TUNED],
    "DAPT": [BASE, state("pretrain on domain", 1.6, (0.1, 0.08, 0.12)), TUNED],
    "kept": [BASE, state("pretrain on domain", 1.502, (0.002, -0.004, 0.008)), TUNED],
}


def made(results_of: Callable[..., Results], known: dict[str, Any], **more: Any) -> Results:
    recipes = {name: {"stages": each} for name, each in known.items()}
    block = {"text": "acclimate-general", "documents": 100, "bytes": 47_000, "labels": "all", "seconds": 12.0, "recipes": recipes}
    return results_of(SCORES, forgetting=block, **more)


def test_the_sentence_is_never_stronger_than_its_intervals(results_of: Callable[..., Results]) -> None:
    gained = [BASE, state("merge with base", 1.45, (-0.05, -0.06, -0.04))]
    fresh = [state("pretrain on domain", 2.5, before=False)]
    said = forgetting_sentence(made(results_of, STAGES | {"tfidf": gained}))
    assert said == (
        "Of general text (100 documents of acclimate-general that no stage read), “DAPT” forgot 0.100 bits per byte (95 % interval +0.080 "
        "to +0.120); whether “kept” (+0.002, \u22120.004 to +0.008) forgot any cannot be told; “tfidf” knows more than before, by 0.050 "
        "bits per byte (95 % interval \u22120.060 to \u22120.040)."
    )
    said = forgetting_sentence(made(results_of, STAGES | {"tfidf": fresh}))
    assert said.endswith(
        "“tfidf” began without a head that had learned to predict words, so only what came then is known: 2.500 bits per byte after "
        "pretrain on domain."
    )
    same = [BASE, state("pretrain on domain", 1.5, (0.0, 0.0, 0.0))]
    hardly = [BASE, state("pretrain on domain", 1.5, (-0.0002, -0.0003, -0.0001))]
    said = forgetting_sentence(made(results_of, {"kept": same, "tfidf": hardly}))
    assert said.endswith("stage read), less than 0.001 bits per byte changed in “kept” and “tfidf”.")
    assert forgetting_sentence(made(results_of, STAGES, smoke=True)) == ""
    assert forgetting_sentence(results_of(SCORES)) == ""
    alone = forgetting_sentence(made(results_of, STAGES), "DAPT")
    assert "“DAPT” forgot 0.100 bits per byte" in alone
    assert "kept" not in alone


def test_a_base_that_was_not_measured_is_no_fresh_head(results_of: Callable[..., Results]) -> None:
    results = made(results_of, {"kept": [state("pretrain on domain", 2.5, before=False)]})
    results.study["forgetting"]["recipes"]["kept"]["knew_before"] = True
    assert "“kept” could not be measured before anything was done, so only what came then is known: 2.500" in forgetting_sentence(results)


def test_where_nothing_is_done_before_labels_it_is_what_they_cost_and_said_so(results_of: Callable[..., Results]) -> None:
    said = forgetting_sentence(made(results_of, {"fine-tune": [BASE, TUNED]}))
    assert "in fine-tuning, by the head that each carried along, “fine-tune” forgot 0.250 bits per byte" in said
    said = forgetting_sentence(made(results_of, {"fine-tune": STAGES["fine-tune"]}), "fine-tune")
    assert "in fine-tuning, by the head that it carried along" in said


def test_it_stands_in_every_table(results_of: Callable[..., Results], capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "_svg", lambda specification: "<svg/>")
    results = made(results_of, STAGES)
    assert [row.general for row in table_rows(results)] == ["1.500", "1.600 (+0.100)", "1.502 (+0.002)", "–"]
    (grid,) = general_grids(results)
    assert grid.rows[0] == ("fine-tune, DAPT, kept", "read the base mini", "1.500", "–", "–", "its own", "1")  # told once
    assert grid.rows[1] == ("fine-tune", "finetune", "1.750", "+0.250", "+0.200 to +0.300", "carried along", "1")
    assert grid.rows[2] == ("DAPT", "pretrain on domain", "1.600", "+0.100", "+0.080 to +0.120", "its own", "1")
    show.results(results)
    printed = capsys.readouterr().out
    assert "general text [bits/byte]" in printed
    assert "carried along" in printed
    assert "“DAPT” forgot 0.100 bits per byte" in printed
    page, written = render(results), markdown(View(results))
    for text in (page, written):
        assert "1.600 (+0.100)" in text
        assert "What was forgotten" in text
    assert "general text" not in markdown(View(results_of(SCORES)))


def test_the_chart_sets_gain_against_forgetting(results_of: Callable[..., Results]) -> None:
    results = made(results_of, STAGES)
    figure = forgetting_chart(results, list(table_rows(results)))
    assert figure is not None
    assert figure.name == "forgetting"
    assert figure.says == "Forgetting against macro F1; not beaten in both: “fine-tune”, “DAPT” and “kept”."
    assert "bits per byte more than before" in figure.svg
    known = made(results_of, STAGES | {"kept": [state("pretrain on domain", 2.5, before=False)]})
    absolute = forgetting_chart(known, list(table_rows(known)))
    assert absolute is not None
    assert "what it forgot is not known" in absolute.caption
    assert "more than before" not in absolute.svg
    alone = made(results_of, {"DAPT": STAGES["DAPT"]})
    assert forgetting_chart(alone, list(table_rows(alone))) is None


def test_ticks_of_a_narrow_axis_of_scores_differ() -> None:
    formats = [vertical("mean", "macro F1", ends).to_dict()["axis"]["format"] for ends in ((0.5, 0.9), (0.82, 0.86))]
    assert formats == [".2f", ".3f"]


def test_what_is_less_in_both_is_beaten() -> None:
    def point(mean: float, cost: float) -> Point:
        return Point(Row("r", "all", mean, None, None, None, None, None, None, None, 1.0, None, 1, 0, False, False), cost)

    points = [point(0.8, 0.0), point(0.84, 0.1), point(0.79, 0.05)]
    assert front(points) == points[:2]
    assert front(points, lower=True) == [points[0], points[2]]


def test_measuring_is_no_stage_of_a_recipe_and_costs_it_nothing(results_of: Callable[..., Results]) -> None:
    own = stage("pretrain", "DAPT", key="p", runs=2, seconds=10.0)
    measured = stage("measure", "DAPT", key="m", role="measures", parent="p", runs=2, seconds=5.0)
    results = made(results_of, STAGES, stages=[own, measured])
    (branch,) = tree(results)
    assert branch.branches == ()
    assert saving(results).spent == 10.0
    assert "Measuring took 12 s, which is no cost of a recipe" in general_grids(results)[0].caption


def test_names_in_it_stay_text(results_of: Callable[..., Results], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "_svg", lambda specification: "<svg/>")
    results = made(results_of, {name: [BASE, state(f"pretrain on {HOSTILE}", 1.6, (0.1, 0.08, 0.12))] for name in ("DAPT", "kept")})
    assert HOSTILE not in render(results)
