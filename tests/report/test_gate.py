"""`acclimate verdict`: what was not shown is refused, and the line says by which numbers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from acclimate.errors import SettingsError
from acclimate.evaluation.statistics import level
from acclimate.report.gate import EVERY, Asked, gate
from acclimate.report.results.finished import Results
from acclimate.study.outputs.contributions import written_contributions
from acclimate.tasks.split import Split

SCORES = {
    "fine-tune": {"50": [0.60, 0.61, 0.59], "500": [0.80, 0.81, 0.79]},
    "DAPT": {"50": [0.61, 0.60, 0.60], "500": [0.90, 0.91, 0.89]},
    "tfidf": {"50": [0.70, 0.70, 0.70], "500": [0.80, 0.80, 0.80]},
}
VERDICTS = {
    ("DAPT", "50"): (0.005, -0.02, 0.03, "cannot tell"),
    ("DAPT", "500"): (0.1, 0.06, 0.14, "better"),
    ("tfidf", "50"): (0.1, 0.05, 0.15, "better"),
    ("tfidf", "500"): (0.0, -0.04, 0.04, "cannot tell"),
}
TEXTS = 400


def kept(results: Results, groups: tuple[str, ...] | None = None) -> Results:
    """The folder with contributions whose means are its scores."""
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 0.3, TEXTS)
    test = Split((("",) * TEXTS,), np.zeros(TEXTS), np.arange(TEXTS), (), groups, ())
    with written_contributions(results.folder, test) as write:
        for run in results.runs:
            if run.done:
                each = hard + rng.normal(0, 0.1, TEXTS)
                write(run.recipe, run.seed, run.labels, each - each.mean() + (run.values["test_macro_f1"] or 0))
    return results


@pytest.fixture
def results(results_of: Callable[..., Results]) -> Results:
    return kept(results_of(SCORES, VERDICTS))


def test_with_nothing_said_the_recipe_that_dev_chose_must_be_better_than_the_reference(results: Results) -> None:
    answer = gate(results, Asked())
    assert answer.passed
    assert answer.line == (
        "passed: “DAPT” with 500 labels: macro F1 on the test set 0.900, better than “fine-tune” (+0.100 [+0.060 to +0.140])"
    )


@pytest.mark.parametrize(
    ("recipe", "labels", "passed"),
    [("DAPT", ("50",), False), ("tfidf", ("500",), False), ("tfidf", ("50",), True), ("DAPT", (EVERY,), False)],
)
def test_what_cannot_be_told_is_refused_and_every_budget_that_is_asked_for_counts(
    results: Results, recipe: str, labels: tuple[str, ...], passed: bool
) -> None:
    answer = gate(results, Asked(recipe, better_than="fine-tune", labels=labels))
    assert answer.passed == passed
    assert ("cannot be told from “fine-tune”" in answer.line) != passed
    assert answer.line.count("with ") == (2 if labels == (EVERY,) else 1)


def test_at_least_is_judged_by_the_lower_end_of_the_interval(results: Results) -> None:
    own = Results.load(results.folder)
    answer = gate(own, Asked("DAPT", at_least=0.85))
    assert answer.passed
    assert "macro F1 on the test set 0.900 [" in answer.line
    refused = gate(own, Asked("DAPT", at_least=0.9))  # the mean is 0.9
    assert not refused.passed
    assert "not shown to be at least 0.9 (the interval's lower end counts)" in refused.line


def test_where_lower_is_better_the_upper_end_must_be_at_most_the_threshold(results_of: Callable[..., Results]) -> None:
    lower = {"words": "bits per byte", "better": "lower", "span": 1.0, "compared": True, "hub": None}
    facts = {"metrics": {"macro_f1": lower}, "item": "text", "card": {"tag": "", "does": ""}}
    results = kept(results_of(SCORES, VERDICTS, **facts))
    assert gate(results, Asked("fine-tune", at_least=0.9)).passed
    refused = gate(results, Asked("fine-tune", at_least=0.8))
    assert not refused.passed
    assert "not shown to be at most 0.8 (the interval's upper end counts)" in refused.line


def test_another_reference_is_compared_by_the_same_statistics(results: Results) -> None:
    answer = gate(results, Asked("DAPT", better_than="tfidf"))
    assert answer.passed
    assert "better than “tfidf” (+0.100 [" in answer.line
    assert not gate(results, Asked("tfidf", better_than="DAPT")).passed
    assert "worse than “DAPT” (−0.100 [" in gate(results, Asked("tfidf", better_than="DAPT")).line


def test_the_reference_itself_is_better_than_nothing(results_of: Callable[..., Results]) -> None:
    results = results_of({**SCORES, "DAPT": {"50": [0.1], "500": [0.1]}, "tfidf": {"50": [0.1], "500": [0.1]}})
    assert "is the reference itself, which dev chose" in gate(results, Asked()).line
    assert not gate(results, Asked()).passed
    with pytest.raises(SettingsError, match="cannot be better than itself"):
        gate(results, Asked("DAPT", better_than="DAPT"))


def test_one_seed_shows_nothing(results_of: Callable[..., Results]) -> None:
    scores = {"fine-tune": {"all": [0.1]}, "DAPT": {"all": [0.9]}}
    results = kept(results_of(scores, {("DAPT", "all"): (0.8, 0.7, 0.9, "better")}))
    assert "cannot be told from “fine-tune” (+0.800 [+0.700 to +0.900], one seed)" in gate(results, Asked()).line
    refused = gate(results, Asked("DAPT", at_least=0.1))
    assert not refused.passed
    assert "one seed has no interval" in refused.line


def test_failed_seeds_are_said_and_a_recipe_that_failed_is_refused(results_of: Callable[..., Results]) -> None:
    scores = {"fine-tune": {"all": [0.5, 0.5, 0.5]}, "DAPT": {"all": [0.9, 0.9, "no memory"]}, "tfidf": {"all": ["a", "b", "c"]}}
    results = kept(results_of(scores, {("DAPT", "all"): (0.4, 0.3, 0.5, "better")}))
    assert "with all labels (1 of 3 seeds failed): " in gate(results, Asked()).line
    refused = gate(results, Asked("tfidf"))
    assert (refused.passed, refused.line) == (False, "refused: “tfidf” with all labels: all 3 runs failed")


def test_a_smoke_run_is_refused(results_of: Callable[..., Results]) -> None:
    assert not gate(results_of(SCORES, VERDICTS, smoke=True), Asked()).passed


@pytest.mark.parametrize(
    ("asked", "mend"),
    [
        (Asked("DAPTT"), "no recipe 'DAPTT'; did you mean 'DAPT'"),
        (Asked(better_than="zzz"), "no recipe 'zzz'; it has 'fine-tune', 'DAPT' and 'tfidf'"),
        (Asked(labels=("501",)), "no label budget '501'; did you mean '50"),
        (Asked(at_least=float("nan")), "not a number"),
    ],
)
def test_names_that_are_not_there_get_the_nearest(results: Results, asked: Asked, mend: str) -> None:
    with pytest.raises(SettingsError, match=mend):
        gate(results, asked)


def test_a_folder_of_an_earlier_version_says_how_it_is_mended(results: Results) -> None:
    (results.folder / "contributions.parquet").unlink()
    assert gate(results, Asked()).passed  # the study's own verdict is there
    with pytest.raises(SettingsError, match=r"contributions\.parquet: is not there.*run the study again"):
        gate(results, Asked(at_least=0.5))


def test_where_texts_belong_together_the_interval_is_wider(results_of: Callable[..., Results]) -> None:
    def lower(groups: tuple[str, ...] | None) -> str:
        results = kept(results_of(SCORES, VERDICTS), groups)
        shutil.rmtree(results.folder / "plots", ignore_errors=True)
        return gate(results, Asked("DAPT", at_least=0.85)).line

    assert lower(None) != lower(tuple(str(text // 20) for text in range(TEXTS)))


def test_the_interval_of_a_score_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        texts, seeds = rng.normal(0, 1, 50), rng.normal(0, 0.2, 4)
        found = level({seed: 0.5 + texts + own + rng.normal(0, 0.5, 50) for seed, own in enumerate(seeds)}, span=1e-6)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.5 <= found.high
    assert 0.93 <= held / 1000 <= 0.985


def test_the_command_says_one_line_and_ends_by_it(results: Results, acclimate: Callable[..., object]) -> None:
    passed = acclimate("verdict", results.folder)
    assert (passed.returncode, passed.stdout.count("\n")) == (0, 1)  # type: ignore[attr-defined]
    refused = acclimate("verdict", results.folder, "--at-least", "0.99", "--labels", "500")
    assert (refused.returncode, refused.stdout[:8]) == (1, "refused:")  # type: ignore[attr-defined]
    wrong = acclimate("verdict", results.folder, "--recipe", "nobody")
    assert (wrong.returncode, wrong.stdout) == (2, "")  # type: ignore[attr-defined]


def test_a_study_file_stands_for_its_results(results: Results, tmp_path: Path, acclimate: Callable[..., object]) -> None:
    study = tmp_path / "s.yaml"
    study.write_text("data: {task: data}\nrecipes: {a: [finetune]}\n", encoding="utf-8")
    (tmp_path / "results" / "s").mkdir()
    for file in results.folder.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path / "results" / "s")
    assert acclimate("verdict", study).returncode == 0  # type: ignore[attr-defined]
