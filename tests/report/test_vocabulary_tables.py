"""What changed vocabularies came to stands on the page, in Markdown and on the terminal."""

from collections.abc import Callable
from typing import Any

from acclimate.cli import show
from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.page import render
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.report.tables.vocabularies import vocabulary_grids

from .conftest import stage

SCORES = {"fine-tune": {"all": [0.80, 0.81]}, "more words": {"all": [0.84, 0.85]}}


def text(name: str, words: int, **counts: Any) -> dict[str, Any]:
    """A text in both vocabularies."""
    return {"text": name, "words": words, "whole": False, **counts}


TEXTS = [
    text("domain", 1000, tokens_before=1500, tokens_after=1200, unknown_before=15, unknown_after=0),
    text("acclimate-general", 500, tokens_before=600, tokens_after=601, unknown_before=0, unknown_after=0),
]
MOVED = {"new_rows": 2000, "rows_moved": 0.25, "rows_cosine": 0.97}


def changed(results_of: Callable[..., Results]) -> Results:
    cost = {"characters_per_second": 1200.0, "characters_per_second_before": 1000.0}
    stages = [
        stage("extend", "more words", cost=cost, metrics=MOVED),
        stage("pretrain", "more words", seed=0, metrics=MOVED | {"rows_moved": 0.5}),
        stage("pretrain", "more words", seed=1, metrics=MOVED | {"rows_moved": 0.7}),
        stage("finetune", "fine-tune"),
    ]
    return results_of(SCORES, stages=stages, vocabularies={"extend-0": TEXTS})


def test_each_text_has_a_line_and_the_stage_its_speed(results_of: Callable[..., Results]) -> None:
    texts, rows = vocabulary_grids(changed(results_of))
    assert texts.headings == ("stage", "recipes", "text", "tokens per word", "tokens", "unknown pieces", "speed of the model")
    assert texts.rows == (
        ("extend", "more words", "domain", "1.500 → 1.200", "−20.0 %", "1.0 % → 0.0 %", "1.20x"),
        ("extend", "more words", "acclimate-general", "1.200 → 1.202", "+0.2 %", "0.0 % → 0.0 %", ""),
    )
    assert texts.caption.endswith("on samples of them")
    assert rows.rows == (("extend", "more words", "2,000", "0.250", "0.970"), ("pretrain", "more words", "2,000", "0.600", "0.970"))


def test_page_markdown_and_terminal_say_the_same(results_of: Callable[..., Results], capsys: Any) -> None:
    results = changed(results_of)
    show.results(results)
    for shown in (render(results), markdown(View(results)), capsys.readouterr().out):
        assert "1.500 → 1.200" in shown
        assert "1.20x" in shown
        assert "How far the rows of new entries moved" in shown


def test_without_a_changed_vocabulary_nothing_is_said(results_of: Callable[..., Results]) -> None:
    results = results_of(SCORES, stages=[stage("finetune", "fine-tune")])
    assert vocabulary_grids(results) == ()
    assert "Vocabularies" not in render(results)


def test_what_was_not_timed_has_no_speed(results_of: Callable[..., Results]) -> None:
    results = results_of(SCORES, stages=[stage("extend", "more words")], vocabularies={"extend-0": TEXTS})
    (texts,) = vocabulary_grids(results)
    assert "speed of the model" not in texts.headings


def test_a_change_too_small_to_be_written_has_no_sign(results_of: Callable[..., Results]) -> None:
    told = [text("domain", 90_000, tokens_before=100_000, tokens_after=99_999, unknown_before=0, unknown_after=0)]
    (texts,) = vocabulary_grids(results_of(SCORES, stages=[stage("extend", "more words")], vocabularies={"extend-0": told}))
    assert texts.rows[0][4] == "0.0 %"
