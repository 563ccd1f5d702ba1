"""How alike a study's texts are stands in its report, as heat maps on the page and as tables in Markdown."""

from collections.abc import Callable
from typing import Any

import pytest

from acclimate.data.shared_words import compared, words_of
from acclimate.report.charts import svg
from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.page import page
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.report.tables.text_overlap import matrices, overlap_line, texts_grid

SCORES = {"fine-tune": {"all": [0.80, 0.81]}, "DAPT": {"all": [0.84, 0.85]}}
WORDS = {"task": words_of(["cell gene virus drug"]), "<b>do|main": words_of(["gene drug film"])}


def facts(**more: Any) -> dict[str, Any]:
    texts = {
        name: {"documents": 1200, "words": each.running, "different_words": len(each.counts), "compared_words": len(each.top)}
        for name, each in WORDS.items()
    }
    return {"most_words": 10_000, "stop_words": "stop words", "sample": "a sample", "texts": texts, **compared(WORDS), **more}


def test_each_measure_is_a_matrix_and_what_is_alike_is_dark() -> None:
    overlap, jaccard, divergence = matrices(facts())
    assert overlap.cells == (("100.0", "66.7"), ("66.7", "100.0"))
    assert overlap.shades == ((9, 6), (6, 9))
    assert jaccard.cells[0] == ("100.0", "40.0")
    assert divergence.cells[0][0] == "0.000"
    assert divergence.shades[0][0] == 9 > divergence.shades[0][1]


def test_only_what_is_known_of_the_texts_is_told() -> None:
    grid = texts_grid(facts())
    assert grid.headings == ("text", "documents", "words", "different words")
    assert grid.rows[0] == ("task", "1,200", "4", "4")
    read = facts(model="mini")
    read["texts"]["task"] |= {"masked_loss": 2.5, "unknown_share": 0.25, "tokens_per_word": 1.5}
    assert texts_grid(read).rows == (
        ("task", "1,200", "4", "4", "1.50", "25.0 %", "2.500"),
        ("<b>do|main", "1,200", "3", "3", "–", "–", "–"),
    )


def test_the_report_shows_them_and_a_study_of_before_shows_nothing(
    results_of: Callable[..., Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(svg, "_svg", lambda specification: '<svg xmlns="http://www.w3.org/2000/svg"/>')  # charts are not what this is about
    view = View(results_of(SCORES, text_overlap=facts()))
    html, text = page([view]), markdown(view)
    assert '<td class="shade6">66.7</td>' in html
    assert "&lt;b&gt;do|main" in html
    assert "| task | 100.0 | 66.7 |" in text
    assert "Jensen-Shannon divergence" in text
    assert View(results_of(SCORES)).alike == []


def test_the_plan_tells_the_overlap_of_each_two_texts_on_a_line() -> None:
    assert overlap_line(facts()) == "vocabulary overlap of samples: task and <b>do|main 66.7 %"
