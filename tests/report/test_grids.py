from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.report.conftest import stage

from acclimate.report.results.finished import Results
from acclimate.report.tables.comparison import table_rows
from acclimate.report.tables.data_facts import data_facts
from acclimate.report.tables.grid import Grid
from acclimate.report.tables.tree import tree
from acclimate.report.tables.work import scores_grid, size_grid, stages_grid, time_grid

Make = Callable[..., Results]


def _column(grid: Grid, heading: str) -> list[str]:
    return [row[grid.headings.index(heading)] for row in grid.rows]


def _stages(kind: str, recipe: str, seeds: Sequence[int], **more: Any) -> list[dict[str, Any]]:
    return [{"stage": kind, "recipes": [recipe], "seed": seed, "labels": "all", "status": "done", **more} for seed in seeds]


def test_columns_that_hold_nothing_are_left_out_and_the_others_keep_their_kind() -> None:
    grid = Grid("g", ("a", "b", "c"), (("x", "–", "1"), ("y", "", "2")), frozenset({0, 2})).without_empty_columns()
    assert (grid.headings, grid.rows, grid.words) == (("a", "c"), (("x", "1"), ("y", "2")), frozenset({0, 1}))


def test_the_facts_of_the_data_are_all_there(folder: Path) -> None:
    facts = data_facts(Results.load(folder))
    splits, labels, corpora, cuts = facts.grids
    assert _column(splits, "examples") == ["2,503", "312", "1,043"]
    assert _column(splits, "dropped") == ["3", "0", "0"]
    assert _column(labels, "test") == ["41"] * 3
    assert _column(corpora, "test texts found in it") == ["1.2 %"]
    assert _column(cuts, "cut tokens train") == ["–", "17", "17"]
    lines = dict(facts.lines)
    assert lines["Texts in both train and test"] == "3"
    assert lines["Equal texts with different labels"] == "2"
    assert lines["Splits made by acclimate"] == "dev, with split seed 0"
    assert lines["Task: records rejected"].startswith("2 (bad JSON")


def test_unlabelled_text_of_the_task_stands_with_the_corpora(results_of: Make) -> None:
    task = {"unlabeled": {"documents": 12, "paths": list("abcde"), "files": 5, "detected": {}}}
    data = {"task": task, "corpora": {"transfer": {"documents": 12, "pairs": 6}}, "overlap": {"task unlabeled": 0.5}}
    (corpora,) = data_facts(results_of({"fine-tune": {"all": [0.8]}}, data=data)).grids
    assert corpora.rows == (("task unlabeled", "12", "50.0 %", "a, b, c and 2 more"), ("transfer", "6 pairs", "–", "–"))


def test_a_study_without_facts_has_none_to_show(results_of: Make) -> None:
    assert data_facts(results_of({"fine-tune": {"all": [0.8]}})) == data_facts(
        results_of({"fine-tune": {"all": [0.8]}}, data={"task": None})
    )


def test_seeds_of_a_stage_stand_in_one_line_with_what_they_share(results_of: Make) -> None:
    stages = [
        {
            "stage": "pretrain",
            "recipes": ["DAPT", "DAPT + TAPT"],
            "seed": 0,
            "labels": "all",
            "status": "done",
            "cached": True,
            "seconds": 60,
        },
        *_stages("pretrain", "TAPT", [2, 0, 10], seconds=30, metrics={"heldout_loss_before": None, "heldout_loss_after": 2.5}),
        *_stages("finetune", "TAPT", [0]),
    ]
    stages[-1]["status"] = "failed"
    grid = stages_grid(results_of({"fine-tune": {"all": [0.8]}}, stages=stages))
    assert _column(grid, "recipes") == ["DAPT, DAPT + TAPT (shared by 2)", "TAPT", "TAPT"]
    assert _column(grid, "seeds") == ["0", "0, 2, 10", "0"]
    assert _column(grid, "done") == ["1 of 1", "3 of 3", "0 of 1"]
    assert _column(grid, "from the store") == ["1", "0", "0"]
    assert _column(grid, "time") == ["1 min 00 s", "1 min 30 s", "–"]
    assert _column(grid, "held-out loss") == ["–", "– → 2.500", "–"]


def test_where_no_label_is_used_none_is_counted(results_of: Make) -> None:
    """What ranks by words is given labels like every baseline, learns from none, and looks the same at every budget."""
    plain = {"role": "baseline", "reads": ["labels"], "metrics": {"learned_from": 0}}
    stages = [stage("pretrain", "DAPT", labels=None), *(stage("bm25", "bm25", labels=each, **plain) for each in ("50", "all"))]
    stages += [stage("finetune", "DAPT", labels=each, role="learns", parent="pretrain-0") for each in ("50", "all")]
    results = results_of({name: {"50": [0.7], "all": [0.8]} for name in ("DAPT", "bm25")}, reference="DAPT", stages=stages)
    assert results.without_labels == {"bm25"}
    assert _column(stages_grid(results), "labels") == ["–", "0", "0", "50", "all"]
    assert [(row.recipe, row.labels_read) for row in table_rows(results)] == [("DAPT", "50"), ("bm25", "0"), ("DAPT", "all"), ("bm25", "0")]
    assert _column(size_grid(results), "labels") == ["50", "0", "all", "0"]
    assert [branch.about.count("label") for branch in tree(results)] == [0, 1, 1]


def test_time_is_shown_in_full_once_and_pro_rata_and_adds_up(folder: Path) -> None:
    grid = time_grid(Results.load(folder))
    assert _column(grid, "runs") == ["3", "2", "3", "3", "3", "3", "17"]
    assert set(_column(grid, "time a run")) == {"1 min 02 s", "–"}
    assert _column(grid, "time, shared stages once")[1::5] == ["1 min 40 s", "14 min 14 s"]
    assert _column(grid, "time, pro rata")[-1] == "11 min 28 s"


def test_sizes_are_those_of_the_runs(folder: Path) -> None:
    grid = size_grid(Results.load(folder))
    assert grid.rows[0][2:] == ("3", "910 MB", "22.7 M", "22.7 M", "90.9 MB", "145.2")


def test_all_scores_are_means_over_the_seeds_that_were_done(folder: Path) -> None:
    grid = scores_grid(Results.load(folder), "50", "test")
    assert grid.headings == ("recipe", "macro F1", "accuracy")
    assert _column(grid, "macro F1") == ["0.616", "0.663", "0.581"]


def test_nothing_measured_gives_no_rows(results_of: Make) -> None:
    results = results_of({"fine-tune": {"all": ["bad"]}})
    assert (time_grid(results).rows, size_grid(results).rows, scores_grid(results, "all", "test").rows, results.blocks) == ((), (), (), ())


def test_scores_of_which_lower_is_better_are_named(results_of: Make) -> None:
    results = results_of({"fine-tune": {"all": [0.8]}})
    run = replace(
        results.runs[0], values={**results.runs[0].values, **dict.fromkeys(("dev_brier", "test_brier", "test_ece", "test_pr_auc"), 0.25)}
    )
    grid = scores_grid(replace(results, runs=(run,)), "all", "test")
    assert grid.caption.endswith("; lower is better for Brier score and ECE")
    assert _column(grid, "PR-AUC") == ["0.250"]
