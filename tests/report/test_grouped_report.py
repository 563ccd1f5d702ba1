"""Where texts belong together, every page says how many groups there are; folders without any are read as before."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.page import write_report
from acclimate.report.pages.view import View
from acclimate.report.results.chain import Chain
from acclimate.report.results.finished import Results
from acclimate.report.tables.comparison import console_table
from acclimate.report.tables.data_facts import data_facts
from acclimate.report.words.cautions import limits

Make = Callable[..., Results]
SCORES = {"fine-tune": {"all": [0.80, 0.81, 0.79]}, "DAPT": {"all": [0.84, 0.85, 0.83]}}
BETTER = {("DAPT", "all"): (0.04, 0.015, 0.065, "better")}
STAGES = [
    {"key": f"{recipe}-{seed}", "stage": "finetune", "recipes": [recipe], "seed": seed, "status": "done"}
    for recipe in SCORES
    for seed in range(3)
]
ON = "1,397 groups (3,469 test texts)"
TASK: dict[str, Any] = {
    "examples": {"train": 4165, "dev": 2427, "test": 3469},
    "groups": {"train": 1652, "dev": 910, "test": 1397},
    "shared_groups": {"train/dev": 0, "train/test": 37, "dev/test": 0},
    "shared_items": {"train/dev": 0, "train/test": 81, "dev/test": 0},
}


@pytest.fixture
def grouped(results_of: Make) -> Results:
    made = results_of(SCORES, BETTER, stages=STAGES, data={"task": TASK})
    path = made.folder / "verdicts.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"verdicts": [each | {"texts": 3469, "groups": 1397} for each in said["verdicts"]]}))
    return Results.load(made.folder)


def shown(results: Results) -> str:
    console = Console(width=160, file=StringIO(), record=True)
    console.print(console_table(results))
    return console.export_text()


def test_page_markdown_and_terminal_say_how_many_groups_are_counted(grouped: Results) -> None:
    assert grouped.verdicts[0].units == 1397
    write_report(grouped.folder)
    page = " ".join((grouped.folder / "report.html").read_text().split())
    for text in (page, markdown(View(grouped)).replace("\\", "")):
        assert f"Test texts belong together, so that groups are what is counted: {ON}." in text
    assert f"judged on {ON}" in shown(grouped)


def test_the_facts_of_the_data_count_groups_and_those_that_stand_in_two_splits_with_their_texts(grouped: Results) -> None:
    facts = data_facts(grouped)
    (splits,) = (grid for grid in facts.grids if grid.caption == "Labelled examples")
    column = splits.headings.index("groups")
    assert [row[column] for row in splits.rows] == ["1,652", "910", "1,397"]
    assert ("Groups in both train and test", "37, with 81 test texts") in facts.lines
    assert ("Groups in both train and dev", "0") in facts.lines
    chain = Chain.of(grouped, "DAPT", 0, "all")
    assert chain is not None
    assert "37 groups have texts in both train and test (81 of the test texts), which flatters the scores." in limits(chain)


def test_a_folder_without_groups_says_nothing_of_them(results_of: Make) -> None:
    without = results_of(SCORES, BETTER, stages=STAGES, data={"task": {"examples": TASK["examples"]}})
    assert (without.judged_on, replace(without.verdicts[0], texts=40).units) == ("", 40)
    assert "groups" not in shown(without) + markdown(View(without))
