"""What a report tells of the chosen recipe: blocks of whatever kind of task, and those of folders that hold none."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from acclimate.errors import SettingsError
from acclimate.report.charts.svg import Figure
from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.page import page
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.report.tables.chosen import Lines, Shaded
from acclimate.report.tables.grid import Grid
from acclimate.tasks.blocks import Block, Examples, Mark, Marked, MarkedText, Matrix, Points, Table, to_json

Make = Callable[..., Results]
EVIL = "<script>alert(1)</script> [l](http://e.example) {{ 7*7 }} | `x` \u202egnp\u2066"
MARKED = Marked(
    "Sentences with mistakes",
    (
        MarkedText(
            f"Ann Lee of {EVIL} left",
            (Mark(0, 7, "PER"), Mark(11, 11 + len(EVIL), EVIL)),
            (Mark(0, 3, "PER"), Mark(4, 7, "ORG")),
        ),
        MarkedText("in Rome, Italy", (Mark(3, 7, "LOC"), Mark(9, 14, "LOC")), (Mark(0, 2, "X"), Mark(3, 7, "LOC"), Mark(9, 14, "ORG"))),
    ),
)
BLOCKS: tuple[Block, ...] = (
    Table(f"By source {EVIL}", ("source", EVIL, "share"), ((EVIL, 0.25, 0.125), ("b", None, 0.5)), shares=(2,)),
    Matrix("What was said", (EVIL, "b"), ((1234, 0), (1, 3)), f"rows {EVIL}"),
    Points("Agreement", f"said {EVIL}", "meant", ((0.5, 3.5, 1), (2.0, 1.0, 1)), diagonal=True),
    Points("Agreement", "said", "meant", ((0.5, 0.5, 4),), measure=("its error", 0.03)),
    Examples("Farthest apart", ({"first": EVIL, "second": "x", "meant": 4.5, "count": 2},)),
    MARKED,
)


def _with(results: Results, *blocks: Block) -> Results:
    (results.folder / "blocks.json").write_text(json.dumps(list(map(to_json, blocks))), encoding="utf-8")
    return results


def test_in_a_folder_without_blocks_they_are_told_from_its_predictions(folder: Path) -> None:
    by_label, matrix, mistakes, calibration = Results.load(folder).blocks
    # Five test texts by three seeds, all with probability .5 for the first label; two of five have it, two the second, one the third.
    assert isinstance(by_label, Table)
    assert [row[1:] for row in by_label.rows] == [(0.4, 1.0, pytest.approx(4 / 7), 2), (None, 0.0, 0.0, 2), (None, 0.0, 0.0, 1)]
    assert isinstance(matrix, Matrix)
    assert matrix.counts == ((6, 0, 0), (6, 0, 0), (3, 0, 0))
    assert isinstance(mistakes, Table)
    assert [row[1:] for row in mistakes.rows] == [("pos", 6, 0.4), ("pos", 3, 0.2)]
    assert isinstance(calibration, Points)
    assert calibration.points == ((0.5, pytest.approx(0.4), 15),)


def test_predictions_without_probabilities_or_names_are_told_all_the_same(results_of: Make) -> None:
    results = results_of({"fine-tune": {"all": [0.8, 0.8]}})
    file = results.folder / "predictions.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["probabilities"]), file)
    assert [block.title for block in Results.load(results.folder).blocks] == [
        "Each label",
        "Confusion matrix",
        "The most frequent mistakes",
    ]


def test_blocks_of_any_kind_stand_on_the_page_and_in_markdown_and_stay_text(results_of: Make) -> None:
    results = _with(results_of({"fine-tune": {"all": [0.8, 0.8]}}), *BLOCKS)
    view = View(results)
    html, written = page([view]), markdown(view)
    assert html.count("<script>") == 1  # ours
    assert "49" not in html.split('id="chosen"')[1].split("<svg")[0]
    for text in (html, written):
        assert "\u202e" not in text
        for shown in (
            "By source",
            "What was said",
            "Agreement",
            "Farthest apart",
            "Sentences with mistakes",
            "0.250",
            "12.5 %",
            "its error is 0.030",
            "4.500",
        ):
            assert shown in text, shown
    assert "<script>" not in written
    assert "://" not in written.split("## How to repeat")[0]
    assert "| 1,234 | 0 |" in written
    assert [each.name for each in view.figures if each.name.startswith("agreement")] == ["agreement", "agreement-2"]


def test_numbers_are_written_by_what_they_are_and_shades_by_their_row(results_of: Make) -> None:
    grid, matrix, *_ = View(_with(results_of({"fine-tune": {"all": [0.8]}}), *BLOCKS)).told
    assert isinstance(grid, Grid)
    assert [row[1:] for row in grid.rows] == [("0.250", "12.5 %"), ("–", "50.0 %")]
    assert grid.words == {0}
    assert isinstance(matrix, Shaded)
    assert matrix.shades == ((9, 0), (2, 7))


def test_texts_of_the_data_are_not_shown_to_others(results_of: Make) -> None:
    results = _with(results_of({"fine-tune": {"all": [0.8]}}), *BLOCKS)
    for title in ("Farthest apart", "Sentences with mistakes", "<mark>"):
        assert title in page([View(results)])
        assert title not in page([View(results, public=True)])
    assert "What was said" in page([View(results, public=True)])


def test_marks_say_in_words_what_they_are_and_what_is_wrong_with_them(results_of: Make) -> None:
    results = _with(results_of({"fine-tune": {"all": [0.8]}}), BLOCKS[-1])
    (lines,) = View(results).told
    assert isinstance(lines, Lines)
    faults = [[(each.text, each.label, each.fault) for each in line if each.label] for item in lines.items for line in item]
    assert faults[0][0] == ("Ann Lee", "PER", "wrong bounds")
    assert faults[0][1][2] == "missed"
    assert faults[1] == [("Ann", "PER", "wrong bounds"), ("Lee", "ORG", "wrong type and bounds")]
    assert faults[2] == [("Rome", "LOC", ""), ("Italy", "LOC", "wrong type")]
    assert faults[3] == [("in", "X", "spurious"), ("Rome", "LOC", ""), ("Italy", "ORG", "wrong type")]
    assert all(
        "".join(each.text for each in line) == item.text for item, both in zip(MARKED.items, lines.items, strict=True) for line in both
    )
    assert '<mark>Rome <span class="label"><bdi>LOC</bdi></span></mark>, <mark class="wrong">Italy' in page([View(results)])
    assert "- gold: in **Rome** (LOC) , **Italy** (LOC, wrong type)" in markdown(View(results))
    assert "- predicted: **in** (X, spurious) **Rome** (LOC) , **Italy** (ORG, wrong type)" in markdown(View(results))


@pytest.mark.parametrize(("points", "percent"), [(((0.5, 0.75, 1), (1.0, 0.0, 1)), True), (((0.5, 3.5, 1), (2.0, 1.0, 1)), False)])
def test_axes_of_points_that_ought_to_agree_are_alike(results_of: Make, points: Any, percent: bool) -> None:
    block = Points("Agreement", "said", "meant", points, diagonal=True)
    (figure,) = View(_with(results_of({"fine-tune": {"all": [0.8]}}), block)).told
    assert isinstance(figure, Figure)
    ticks = re.findall(r">([\d.]+%?)</text>", figure.svg)
    assert ticks[: len(ticks) // 2] == ticks[len(ticks) // 2 :]
    assert ("100%" in ticks) == percent


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{", "Expecting property name"),
        ('{"a": 1}', "not a JSON list"),
        ('[{"picture": {}}]', "a block is one of table, matrix, points, examples, marked"),
        ('[{"table": {"title": "t", "headings": "h", "rows": []}}]', "table.headings"),
    ],
)
def test_damaged_blocks_are_named_with_their_place(results_of: Make, written: str, told: str) -> None:
    results = results_of({"fine-tune": {"all": [0.8]}})
    (results.folder / "blocks.json").write_text(written, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"blocks\.json: cannot be read.*{told}") as raised:
        _ = results.blocks
    assert "acclimate study" in str(raised.value)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_blocks_survive_their_file(block: Any) -> None:
    from acclimate.tasks.blocks import from_json

    assert from_json(json.loads(json.dumps(to_json(block)))) == block
