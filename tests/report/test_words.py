import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.report.results.facts import StageFact, Verdict
from acclimate.report.results.finished import Results
from acclimate.report.words.verdict import verdict_sentences

Make = Callable[..., Results]
TWO = {"fine-tune": {"all": [0.80, 0.81, 0.79]}, "DAPT": {"all": [0.84, 0.85, 0.83]}}
BETTER = {("DAPT", "all"): (0.04, 0.015, 0.065, "better")}
UNCLEAR = {("DAPT", "all"): (0.04, -0.005, 0.085, "cannot tell")}


def test_a_clear_winner_is_called_better_with_its_interval(results_of: Make) -> None:
    first, second = verdict_sentences(results_of(TWO, BETTER))
    assert first == (
        "“DAPT” is better than the reference “fine-tune”: its macro F1 on the test set is 0.840 against 0.800, "
        "a difference of +0.040 (95 % interval +0.015 to +0.065)."
    )
    assert second == "It was chosen on the dev set among 2 recipes, and its score is the mean of 3 seeds."


def test_a_winner_on_dev_that_the_test_cannot_tell_is_not_called_better(results_of: Make) -> None:
    first, second = verdict_sentences(results_of(TWO, UNCLEAR))
    assert first.startswith("This study cannot tell “DAPT”, which scored highest on the dev set, from the reference “fine-tune”")
    assert "−0.005 to +0.085" in first
    assert "smaller than about 0.031" in second


@pytest.mark.parametrize("interval", [(0.04, -0.001, 0.081), (0.04, 0.0, 0.08), (0.04, None, None)])
def test_a_verdict_stronger_than_its_interval_is_not_repeated(results_of: Make, interval: tuple[Any, ...]) -> None:
    assert verdict_sentences(results_of(TWO, {("DAPT", "all"): (*interval, "better")}))[0].startswith("This study cannot tell")


def test_an_interval_without_zero_is_not_enough_where_the_verdict_says_cannot_tell(results_of: Make) -> None:
    assert verdict_sentences(results_of(TWO, {("DAPT", "all"): (0.04, 0.01, 0.07, "cannot tell")}))[0].startswith("This study cannot tell")


def test_a_winner_on_dev_that_is_worse_on_test_is_called_worse(results_of: Make) -> None:
    first, _ = verdict_sentences(results_of(TWO, {("DAPT", "all"): (-0.03, -0.05, -0.01, "worse")}))
    assert "“DAPT” scored highest on the dev set but is worse than the reference “fine-tune”: a difference of −0.030" in first


def test_where_the_reference_wins_nothing_is_called_better(results_of: Make) -> None:
    scores = {"fine-tune": {"all": [0.9, 0.9]}, "DAPT": {"all": [0.8, 0.8]}, "TAPT": {"all": [0.7, 0.7]}}
    verdicts = {("DAPT", "all"): (-0.1, -0.3, 0.1, "cannot tell"), ("TAPT", "all"): (-0.2, -0.3, -0.1, "worse")}
    first, second = verdict_sentences(results_of(scores, verdicts))
    assert first.startswith("“fine-tune”, the reference, scored highest on the dev set, and no other recipe was shown to be better")
    assert second.startswith("It cannot be told from “DAPT”; a difference smaller than about 0.031")


def test_where_the_reference_wins_on_dev_a_better_one_on_test_is_named(results_of: Make) -> None:
    scores = {"fine-tune": {"all": [0.9, 0.9]}, "DAPT": {"all": [0.8, 0.8]}}
    first, _ = verdict_sentences(results_of(scores, BETTER))
    assert "but “DAPT” did better" in first


def test_one_recipe_alone_is_not_compared(results_of: Make) -> None:
    first, second = verdict_sentences(results_of({"fine-tune": {"all": [0.80, 0.82]}}))
    assert first == "“fine-tune” reaches 0.810 in macro F1 on the test set as the mean of 2 seeds, from 0.800 to 0.820."
    assert "only recipe" in second


def test_where_all_runs_failed_nothing_is_said_of_the_recipes(results_of: Make) -> None:
    first, second = verdict_sentences(results_of({"fine-tune": {"all": ["bad"] * 2}, "DAPT": {"all": ["bad"] * 2}}))
    assert first == "All 4 runs failed, so this study says nothing about which recipe is best."
    assert "mend the cause" in second


def test_where_the_largest_budget_failed_the_smaller_one_does_not_stand_in(results_of: Make) -> None:
    first, _ = verdict_sentences(results_of({"fine-tune": {"50": [0.5], "500": ["bad"]}, "DAPT": {"50": [0.6], "500": ["bad"]}}))
    assert first.startswith("Every run with 500 labels failed")


def test_where_the_reference_failed_the_winner_is_not_compared(results_of: Make) -> None:
    results = results_of(
        {"fine-tune": {"all": ["bad"] * 2}, "DAPT": {"all": [0.8, 0.8]}}, {("DAPT", "all"): (None, None, None, "cannot tell")}
    )
    first, second = verdict_sentences(results)
    assert "could not be compared with the reference “fine-tune”" in first
    assert "2 of 4 runs failed" in second


def test_one_seed_can_never_tell(results_of: Make) -> None:
    scores = {"fine-tune": {"all": [0.7]}, "DAPT": {"all": [0.9]}}
    first, second = verdict_sentences(results_of(scores, {("DAPT", "all"): (0.2, 0.1, 0.3, "better")}))
    assert first.startswith("This study cannot tell")
    assert second.startswith("With one seed no difference can be told from luck")


def test_the_largest_budget_leads_and_the_others_follow(results_of: Make) -> None:
    scores = {name: {labels: [value, value] for labels in ("50", "200", "500")} for name, value in (("fine-tune", 0.7), ("DAPT", 0.8))}
    verdicts = {
        ("DAPT", "50"): (0.1, 0.05, 0.15, "better"),
        ("DAPT", "200"): (0.1, -0.05, 0.25, "cannot tell"),
        ("DAPT", "500"): (0.1, 0.02, 0.18, "better"),
    }
    first, second = verdict_sentences(results_of(scores, verdicts))
    assert first.startswith("With 500 labels, “DAPT” is better")
    assert "with 50 labels it is better too (+0.100, interval +0.050 to +0.150)" in second.lower()
    assert "with 200 labels the two cannot be told apart (+0.100, interval −0.050 to +0.250)" in second


def test_a_pretraining_run_once_limits_the_verdict_to_this_checkpoint(results_of: Make) -> None:
    stages = [{"stage": "pretrain", "recipes": ["DAPT"], "seed": 0}]
    first, second = verdict_sentences(results_of(TWO, BETTER, stages=stages))
    assert "better than the reference “fine-tune” for this checkpoint" in first
    assert "the pretraining of “DAPT” was run once" in second.replace("The", "the")


def test_a_plain_baseline_that_wins_is_named_as_such_with_the_best_transformer(results_of: Make) -> None:
    scores = {"fine-tune": {"all": [0.7, 0.7]}, "head": {"all": [0.6, 0.6]}, "counts": {"all": [0.8, 0.8]}}
    stages = [{"stage": "tfidf", "recipes": ["counts"], "seed": 0}]
    first, second = verdict_sentences(results_of(scores, {("counts", "all"): (0.1, 0.05, 0.15, "better")}, stages=stages))
    assert first.startswith("The plain baseline “counts” is better")
    assert "no transformer scored higher on the dev set, and the best of them is “fine-tune”" in second.replace("No", "no")


def test_where_the_reference_wins_smaller_budgets_and_shared_pretrainings_are_still_told(results_of: Make) -> None:
    scores = {"fine-tune": {"50": [0.6, 0.6], "500": [0.9, 0.9]}, "DAPT": {"50": [0.7, 0.7], "500": [0.8, 0.8]}}
    verdicts = {("DAPT", "50"): (0.1, 0.05, 0.15, "better"), ("DAPT", "500"): (-0.1, -0.15, -0.05, "worse")}
    _, second = verdict_sentences(results_of(scores, verdicts, stages=[{"stage": "pretrain", "recipes": ["DAPT"], "seed": 0}]))
    assert second.startswith("With 50 labels “DAPT” is better than it; “DAPT” was judged for this checkpoint only")


def test_a_better_recipe_that_dev_did_not_choose_is_named(results_of: Make) -> None:
    scores = {"fine-tune": {"all": [0.6, 0.6]}, "TAPT": {"all": [0.7, 0.7]}, "DAPT": {"all": [0.8, 0.8]}}
    verdicts = {("DAPT", "all"): (0.2, -0.1, 0.5, "cannot tell"), ("TAPT", "all"): (0.1, 0.05, 0.15, "better")}
    _, second = verdict_sentences(results_of(scores, verdicts))
    assert "“TAPT” did better than the reference on the test set, which is not what chooses" in second


def test_a_smoke_run_says_nothing_about_recipes(results_of: Make) -> None:
    first, _ = verdict_sentences(results_of(TWO, BETTER, smoke=True))
    assert "smoke run" in first
    assert "better" not in first


def test_a_name_cannot_turn_the_direction_of_a_sentence(results_of: Make) -> None:
    scores = {"fine-tune": {"all": [0.7, 0.7]}, "\u202eevil\n\x1b[31m": {"all": [0.8, 0.8]}, "עברית": {"all": [0.6, 0.6]}}
    verdicts = {("\u202eevil\n\x1b[31m", "all"): (0.1, 0.05, 0.15, "better")}
    first, _ = verdict_sentences(results_of(scores, verdicts))
    assert "“\\u202eevil \\u001b[31m”" in first
    assert not re.search(r"[\u202a-\u202e\x1b\n]", first)


numbers = st.floats(-1, 1)


@given(st.tuples(numbers, numbers, numbers).map(sorted), st.sampled_from(["better", "worse", "cannot tell"]), st.integers(0, 5))
def test_no_claim_is_stronger_than_its_interval(bounds: list[float], word: str, seeds: int) -> None:
    low, difference, high = bounds
    claim = Verdict("a", "b", "all", 0.5, difference, low, high, 0.01, None, word, seeds).claim
    borne = (word == "better" and low > 0) or (word == "worse" and high < 0)
    assert claim == (word if borne and seeds > 1 else "cannot tell")


@given(
    scores=st.lists(st.lists(st.one_of(st.just("bad"), st.floats(0, 1)), min_size=1, max_size=3), min_size=1, max_size=4),
    bounds=st.tuples(numbers, numbers, numbers).map(sorted),
    word=st.sampled_from(["better", "worse", "cannot tell"]),
    shared=st.booleans(),
)
def test_every_study_gets_two_sentences(scores: list[list[float | str]], bounds: list[float], word: str, shared: bool) -> None:
    results = _in_memory(scores, bounds, word, shared)
    for sentence in verdict_sentences(results):
        assert sentence.endswith(".")
        assert sentence[0] == sentence[0].upper()
        assert "None" not in sentence
        assert "–" not in sentence


def _in_memory(scores: list[list[float | str]], bounds: list[float], word: str, shared: bool) -> Results:

    from acclimate.report.results.facts import Run

    runs = tuple(
        Run(f"r{number}", seed, "500", "failed", "bad", {})
        if isinstance(value, str)
        else Run(f"r{number}", seed, "500", "done", "", {"test_macro_f1": value, "dev_macro_f1": value})
        for number, values in enumerate(scores)
        for seed, value in enumerate(values)
    )
    done = [number for number, values in enumerate(scores) if any(not isinstance(value, str) for value in values)]
    # Without a finished run of the reference there is nothing to compare with.
    low, difference, high = bounds if 0 in done else (None, None, None)
    verdicts = tuple(Verdict(f"r{number}", "r0", "500", 0.5, difference, low, high, 0.01, None, word, 2) for number in done if number)
    stages = (StageFact("k", "pretrain", ("r1",), 0, None, 1.0, False, "done", {}, (), {}, role="pretrains"),) if shared else ()
    return Results("test_macro_f1", "r0", runs, verdicts, stages, {}, "")


THREE = {**TWO, "tfidf": {"all": [0.8, 0.8]}, "head": {"all": [0.7, 0.7]}}


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (
            (0.01, -0.05, 0.07, "cannot tell"),
            "“tfidf”, at 2.0 s a run instead of 1 min 40 s, may be up to 0.070 better or 0.050 worse than the reference",
        ),
        ((0.05, 0.02, 0.08, "better"), "“tfidf”, at 2.0 s a run instead of 1 min 40 s, is better than the reference"),
        ((0.05, 0.02, 0.08, "cannot tell"), None),
        ((-0.05, -0.08, -0.02, "worse"), None),
    ],
)
def test_a_much_cheaper_recipe_is_named_with_what_it_may_lose(results_of: Make, verdict: tuple[Any, ...], said: str | None) -> None:
    verdicts = {**BETTER, ("tfidf", "all"): verdict, ("head", "all"): (-0.1, -0.2, -0.05, "worse")}
    _, second = verdict_sentences(results_of(THREE, verdicts, seconds={"DAPT": 100.0, "tfidf": 2.0, "head": 1.0}))
    assert (said in second) if said else ("tfidf" not in second)
    assert "head" not in second


def test_a_recipe_that_is_little_cheaper_is_not_named(results_of: Make) -> None:
    verdicts = {**BETTER, ("tfidf", "all"): (0.01, -0.05, 0.07, "cannot tell")}
    assert "tfidf" not in verdict_sentences(results_of(THREE, verdicts, seconds={"DAPT": 9.0, "tfidf": 2.0}))[1]


def test_where_lower_is_better_a_recipe_gains_by_less() -> None:
    fewer = Verdict("b", "a", "all", 0.1, -0.05, -0.08, -0.02, 0.01, None, "better", 3, lower_is_better=True)
    assert (fewer.claim, fewer.gains) == ("better", (0.02, 0.08))
    more = Verdict("b", "a", "all", 0.2, 0.05, 0.02, 0.08, 0.01, None, "worse", 3, lower_is_better=True)
    assert (more.claim, more.gains) == ("worse", (-0.08, -0.02))
