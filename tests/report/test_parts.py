from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.page import page, write_report
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.report.tables.several import comparison
from acclimate.report.tables.tree import Branch, saving, tree

Make = Callable[..., Results]


def _stage(key: str, parent: str | None, kind: str, recipes: list[str], seed: int | None, runs: int, **more: Any) -> dict[str, Any]:
    facts = {"key": key, "parent": parent, "stage": kind, "title": f"x: {kind}", "recipes": recipes, "seed": seed, "labels": None}
    return {**facts, "runs": runs, "seconds": 10.0, "status": "done", "cached": False, **more}


STAGES = [
    _stage("base", None, "start", ["a", "b"], None, 4),
    _stage("dapt", "base", "pretrain", ["b"], 0, 2, seconds=100.0, cached=True),
    *(_stage(f"a{seed}", "base", "finetune", ["a"], seed, 1) for seed in (0, 1)),
    *(_stage(f"b{seed}", "dapt", "finetune", ["b"], seed, 1, status="failed" if seed else "done") for seed in (0, 1)),
]


def _names(branches: tuple[Branch, ...]) -> list[Any]:
    return [(branch.name, branch.recipes, branch.state, _names(branch.branches)) for branch in branches]


def test_stages_hang_under_the_stages_they_start_from(results_of: Make) -> None:
    results = results_of({"a": {"all": [0.8, 0.8]}, "b": {"all": [0.9, 0.9]}}, stages=STAGES, reference="a")
    assert _names(tree(results)) == [
        (
            "start", ("a", "b"), "done",
            [("pretrain", ("b",), "from the store", [("finetune", ("b",), "done, failed", [])]), ("finetune", ("a",), "done", [])],
        )
    ]  # fmt: skip
    spared = saving(results)
    assert (spared.spent, spared.apart) == (150.0, 280.0)
    assert "1.9 times as much" in spared.sentence


def test_without_sharing_no_saving_is_claimed(results_of: Make) -> None:
    results = results_of({"a": {"all": [0.8]}}, stages=[_stage("a", None, "finetune", ["a"], 0, 1)], reference="a")
    assert saving(results).sentence == "No stage of this study was shared by several runs."


def test_markdown_says_what_the_page_says_and_stays_inert(written: Path) -> None:
    markdown = (written / "report.md").read_text(encoding="utf-8")
    outside = "".join(part for number, part in enumerate(markdown.split("```")) if number % 2 == 0)
    assert "<script>" not in outside
    assert "<img" not in outside
    assert "://" not in outside
    assert "+0.043 [+0.019 to +0.067]" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert rows
    assert "\u202e" not in markdown


def test_code_cannot_end_its_own_fence(results_of: Make) -> None:
    results = results_of({"a": {"all": [0.8]}}, reference="a", command="x\n```\n<script>")
    assert "````\nx\n```\n<script>\n````" in markdown(View(results))


def test_several_studies_are_compared_each_with_its_own_reference(results_of: Make, folder: Path, tmp_path: Path) -> None:
    one = View(Results.load(folder.rename(tmp_path / "one")), "s1-")
    other = View(results_of({"fine-tune": {"all": [0.5]}, "new": {"all": [0.6]}}, {("new", "all"): (0.1, -0.1, 0.3, "cannot tell")}), "s2-")
    found = comparison([one, other])
    assert len(found.studies.rows) == 2
    assert found.recipes is not None
    by_recipe = {row[0]: row[1:] for row in found.recipes.rows}
    assert by_recipe["fine-tune"] == ("reference", "reference")
    assert by_recipe["new"] == ("–", "+0.100")
    assert page([one, other]).count("<article>") == 2


def test_a_folder_of_an_older_version_still_has_its_report(folder: Path) -> None:
    for name in ("curves.parquet", "disagreements.json"):
        (folder / name).unlink()
    assert "Learning curves" not in write_report(folder).read_text(encoding="utf-8")


@pytest.mark.measured(0)
def test_a_large_study_stays_small_on_disk(results_of: Make) -> None:
    recipes = [f"recipe {number}" for number in range(9)]
    scores = {recipe: {labels: [0.5 + 0.01 * number] * 5 for labels in ("100", "500", "all")} for number, recipe in enumerate(recipes)}
    stages = [
        _stage(f"{recipe}-{labels}-{seed}", None, "finetune", [recipe], seed, 1, labels=labels)
        for recipe in recipes
        for labels in ("100", "500", "all")
        for seed in range(5)
    ]
    results = results_of(scores, stages=stages, reference=recipes[0], data={"task": {"examples": {"train": 900}}})
    written = page([View(results)])
    assert written.count("<svg") > 50
    assert len(written.encode()) < 3_000_000


@pytest.mark.measured(1)
@pytest.mark.parametrize("count", [1, 2])
def test_the_command_line_takes_one_folder_or_several(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    from typer.testing import CliRunner

    from acclimate.cli.verbs import app

    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["report", *[str(folder)] * count]).exit_code == 0
    assert (folder / "report.html").is_file() == (count == 1)
    assert (tmp_path / "report.html").is_file() == (count == 2)
