"""A folder of a kind of task that the report has never heard of: its words, its directions, its blocks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from acclimate.errors import SettingsError
from acclimate.report.charts.trade_off import Point, front
from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.card import card
from acclimate.report.pages.page import page
from acclimate.report.pages.view import View
from acclimate.report.results.chain import Chain
from acclimate.report.results.finished import Results
from acclimate.report.tables.comparison import Row, console_table
from acclimate.report.tables.work import scores_grid, size_grid
from acclimate.report.words.sentences import recipe_sentences
from acclimate.report.words.verdict import verdict_sentences
from acclimate.tasks.blocks import Examples, Matrix, Table, to_json

pytestmark = pytest.mark.measured(0)

Make = Callable[..., Results]
EVIL = "<b>x</b> [l](http://e.example) {{ 7*7 }} \u202egnp"
METRICS: dict[str, Any] = {
    "distance": {"words": f"mean distance {EVIL}", "better": "lower", "span": 5.0, "compared": True, "hub": "mae"},
    "macro_f1": {"words": "closeness", "better": "lower", "span": 5.0, "compared": True, "hub": None},
    "accuracy": {"words": "hits", "better": "higher", "span": 1.0, "compared": True, "hub": "accuracy"},
}
ABOUT: dict[str, Any] = {
    "kind": "nearness", "item": "query", "metrics": METRICS, "labels": [],
    "card": {"tag": "sentence-similarity", "does": f"says how near two texts are {EVIL}", "limits": [f"It knows no irony {EVIL}."],
        "plain_use": "near(1{cut})\n```\n<b>"},
}  # fmt: skip
# Of the score called macro_f1 lower is better here: the tidy recipe, at .70, is better than fine-tune, at .80.
SCORES = {"fine-tune": {"all": [0.80, 0.81, 0.79]}, "tidy": {"all": [0.70, 0.71, 0.69]}, "odd": {"all": [0.85, 0.86, 0.84]}}
VERDICTS = {("tidy", "all"): (-0.1, -0.13, -0.07, "better"), ("odd", "all"): (0.05, -0.01, 0.11, "cannot tell")}
BLOCKS = (
    Table(f"By distance {EVIL}", ("distance", "pairs"), (("near", 12), (EVIL, 3))),
    Matrix(f"Near and far {EVIL}", ("near", EVIL), ((5, 1), (2, 9))),
    Examples(f"Farthest apart {EVIL}", ({"one": EVIL, "other": "b", "said": 0.5},)),
)


@pytest.fixture
def results(results_of: Make) -> Results:
    data = {"task": {"examples": {"train": 90}, "duplicates": {"across": {"train/test": 3}, "conflicting_texts": 2}}}
    found = results_of(SCORES, VERDICTS, data=data, **ABOUT)
    (found.folder / "blocks.json").write_text(json.dumps(list(map(to_json, BLOCKS))), encoding="utf-8")
    return found


def test_the_lowest_on_dev_is_chosen_and_called_better(results: Results) -> None:
    assert results.chosen == "tidy"
    first, _ = verdict_sentences(results)
    assert first == (
        "“tidy” is better than the reference “fine-tune”: its closeness on the test set (lower is better) is 0.700 against 0.800, "
        "a difference of −0.100 (95 % interval −0.130 to −0.070)."
    )
    _, tidy, odd = recipe_sentences(results, "all")
    assert (tidy.claim, odd.claim) == ("better", "cannot tell")
    assert "it may be up to 0.010 better or 0.110 worse in closeness" in odd.sentence


@pytest.mark.parametrize(("low", "high", "word"), [(0.07, 0.13, "better"), (-0.13, -0.07, "worse")])
def test_a_verdict_against_its_interval_is_not_repeated(results_of: Make, low: float, high: float, word: str) -> None:
    found = results_of(SCORES, {("tidy", "all"): (0.1, low, high, word)}, **ABOUT)
    assert found.verdicts[0].claim == "cannot tell"


def test_advice_counts_in_the_span_and_the_items_of_the_kind(results: Results) -> None:
    verdict = {**json.loads((results.folder / "verdicts.json").read_text())["verdicts"][1], "texts": 400, "compared": 2}
    verdict |= {"seed_variance": 1e-4, "text_variance": 0.3, "both_variance": 0.2, "difference": 0.002, "seeds": 3}
    written = {"metric": "test_macro_f1", "reference": "fine-tune", "verdicts": [verdict]}
    (results.folder / "verdicts.json").write_text(json.dumps(written))
    advice = recipe_sentences(Results.load(results.folder), "all")[2].advice
    assert "a difference of 0.050" in advice  # a hundredth of five
    assert "text" not in advice
    assert "quer" in advice or "would likely have seen" in advice


def test_scores_stand_in_the_order_of_the_kind_and_the_rest_behind(results: Results) -> None:
    grid = scores_grid(results, "all", "test")
    assert grid.headings == ("recipe", "closeness", "hits")
    assert grid.caption.endswith("; lower is better for closeness")
    assert results.kind.ordered({"test_new", "test_accuracy", "test_distance"}) == ["test_distance", "test_accuracy", "test_new"]
    assert results.kind.words("dev_new_one") == "new one"
    assert "queries/s" in size_grid(results).headings


def test_page_markdown_card_and_terminal_say_the_kinds_words_and_stay_inert(results: Results) -> None:
    view = View(results)
    run = results.runs_of("tidy", "all")[0]
    written = card(Chain(results, run), True, 64)
    html, text = page([view]), markdown(view)
    console = Console(width=220, color_system=None, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(console_table(results))
    for shown in (html, text, written, console.export_text()):
        assert "closeness" in shown
        assert "lower is better" in shown or shown is written
        assert "\u202e" not in shown
        assert "macro F1" not in shown
    for shown in (html, text):
        for title in ("By distance", "Near and far", "Farthest apart", "Queries in both train and test"):
            assert title in shown, title
    assert "<b>" not in html + text
    assert "lowest mean score on the dev set" in html
    assert "pipeline_tag: sentence-similarity" in written
    for expected in (
        "A model that says how near two texts are",
        "- It knows no irony",
        "90 labelled queries",
        "name: hits",
    ):
        assert expected in written, expected
    assert "````python\nnear(1, max_length=64)\n```\n<b>\n````" in written
    assert written.split("\n---\n", 1)[1].count("<b>") == 1


def test_what_nothing_beats_is_what_is_low_and_quick() -> None:
    known = [
        Point(Row("r", "all", mean, *[None] * 7, seconds, None, 1, 0, False, False), seconds)
        for mean, seconds in ((0.1, 9.0), (0.5, 1.0), (0.6, 2.0))
    ]
    assert front(known, lower=True) == known[:2]
    assert front(known) == known[1:]


def test_damaged_facts_are_named(tmp_path: Path, results: Results) -> None:
    study = json.loads((results.folder / "study.json").read_text())
    study["metrics"]["accuracy"]["better"] = "sideways"
    (results.folder / "study.json").write_text(json.dumps(study))
    with pytest.raises(SettingsError, match=rf"{results.folder}/study\.json: metrics\.accuracy\.better"):
        Results.load(results.folder)


def test_where_answers_may_be_right_in_part_none_is_called_wrong(results_of: Make) -> None:
    told = []
    for index, right_is in enumerate(("", "closeness to the score")):
        results = results_of(SCORES, VERDICTS, **ABOUT | {"name": f"s{index}", "right_is": right_is})
        found = {"index": 3, "text": "a / b", "cut": 0, "gold": "3.20"}
        found["recipes"] = {"tidy": {"said": "3.19", "right": 0.99}, "odd": {"said": "0.20", "right": 0.25}}
        (results.folder / "disagreements.json").write_text(json.dumps([found]), encoding="utf-8")
        told.append(page([View(Results.load(results.folder))]))
    assert ["wrong</span>" in html for html in told] == [True, False]
    assert "whose share of right answers differs most" in told[0]
    assert "whose closeness to the score differs most" in told[1]
    assert "(99 % over all seeds)" in told[1]
