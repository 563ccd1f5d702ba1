import re
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.page import page
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.report.tables.comparison import console_table, markdown_table, table_rows


def _printed(results: Results) -> str:
    console = Console(width=220, color_system=None, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(console_table(results))
    return console.export_text()


def test_rows_hold_the_means_spreads_and_verdicts_of_the_files(folder: Path) -> None:
    rows = table_rows(Results.load(folder))
    assert [row.labels for row in rows] == ["50"] * 3 + ["500"] * 3
    table = pq.read_table(folder / "results.parquet").to_pylist()
    for row in rows:
        scores = [
            each["test_macro_f1"] for each in table if (each["recipe"], each["labels"], each["status"]) == (row.recipe, row.labels, "done")
        ]
        assert row.mean == pytest.approx(mean(scores))
        assert row.spread == pytest.approx(stdev(scores))
        assert (row.seconds, row.tokens, row.seeds) == (61.5, 120_000, len(scores))
    assert [row.outcome for row in rows] == ["reference", "cannot tell", "worse", "reference", "better", "cannot tell"]
    assert [row.seeds_done for row in rows] == ["3", "2 of 3", "3", "3", "3", "3"]
    assert (rows[4].difference, rows[4].low, rows[4].high) == (0.043, 0.0194, 0.0666)


def test_a_recipe_without_a_finished_run_is_shown_as_failed(results_of: Callable[..., Results]) -> None:
    results = results_of({"fine-tune": {"all": [0.8, 0.8]}, "DAPT": {"all": ["bad", "bad"]}})
    row = table_rows(results)[1]
    assert (row.outcome, row.mean, row.seeds_done) == ("failed", None, "0 of 2")
    assert "0 of 2" in _printed(results)


def test_a_study_of_which_every_run_failed_still_has_its_tables(results_of: Callable[..., Results]) -> None:
    results = results_of({"fine-tune": {"50": ["bad"], "all": ["bad"]}})
    assert _printed(results).count("failed") == 2
    assert markdown_table(results).count("failed") == 2


def test_large_budgets_have_their_thousands_wherever_they_stand(results_of: Callable[..., Results]) -> None:
    results = results_of({name: {labels: [0.7, 0.8] for labels in ("5000", "60000")} for name in ("fine-tune", "DAPT")})
    view = View(results)
    assert view.efficiency is not None
    for shown in (_printed(results), markdown_table(results), page([view]), markdown(view), view.efficiency.says):
        assert "5,000" in shown
        assert "60,000" in shown
        assert "60000" not in re.sub(r"<svg.*?</svg>|<script.*?</script>", "", shown, flags=re.DOTALL)


def test_the_terminal_reads_no_markup_from_names(results_of: Callable[..., Results]) -> None:
    name = "[bold red]DAPT[/] \x1b[2J\u202e"
    printed = _printed(results_of({"fine-tune": {"all": [0.8, 0.8]}, name: {"all": [0.7, 0.7]}}))
    assert "[bold red]DAPT[/] \\u001b[2J\\u202e" in printed
    assert "\x1b" not in printed


def test_markdown_cells_hold_whatever_a_name_holds(results_of: Callable[..., Results]) -> None:
    name = "a | b\n*c* `d` <img src=x> [e](http://f) \\"
    lines = markdown_table(results_of({"fine-tune": {"all": [0.8]}, name: {"all": [0.7]}})).splitlines()
    assert len(lines) == 4
    assert r"a \| b \*c\* \`d\` &lt;img src=x&gt; \[e\](http:&#47;/f) \\ |" in lines[3]
    # A cell border is a bar that no backslash stands before.
    assert [len(line.replace(r"\|", "").split("|")) for line in lines] == [10] * 4


def test_numbers_of_the_files_stand_in_both_tables(folder: Path) -> None:
    results = Results.load(folder)
    for text in (_printed(results), markdown_table(results)):
        for expected in ("0.846 ± 0.006", "+0.043 [+0.019 to +0.067]", "−0.035 [−0.061 to −0.008]", "1 min 02 s", "120 k"):
            assert expected in text
