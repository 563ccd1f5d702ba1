"""One sentence a recipe: what is claimed never goes beyond the verdict and its interval."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.report.results.facts import Run, StageFact, Verdict
from acclimate.report.results.finished import Results
from acclimate.report.words.sentences import Said, recipe_sentences

Make = Callable[..., Results]
SCORES = {"fine-tune": {"all": [0.80, 0.81, 0.79]}, "DAPT": {"all": [0.84, 0.85, 0.83]}}
BETTER = {("DAPT", "all"): (0.04, 0.015, 0.065, "better")}
POSSIBLY = re.compile(r"it may be up to [\w. ]+ better or [\w. ]+ worse")


def of(results: Results, recipe: str = "DAPT", labels: str = "all") -> Said:
    return {said.recipe: said for said in recipe_sentences(results, labels)}[recipe]


def test_a_verdict_that_tells_is_said_with_its_interval(results_of: Make) -> None:
    said = of(results_of(SCORES, BETTER))
    assert said.sentence == "“DAPT” is better than the reference “fine-tune”: +0.040 in macro F1 (95 % interval +0.015 to +0.065)."
    assert (said.claim, said.advice) == ("better", "")
    said = of(results_of(SCORES, {("DAPT", "all"): (-0.03, -0.05, -0.01, "worse")}))
    assert said.sentence.startswith("“DAPT” is worse than the reference “fine-tune”: −0.030 in macro F1")


def test_what_cannot_be_told_says_how_far_the_interval_reaches_either_way(results_of: Make) -> None:
    said = of(results_of(SCORES, {("DAPT", "all"): (0.0065, -0.008, 0.021, "cannot tell")}))
    assert said.sentence == (
        "“DAPT” cannot be told from the reference “fine-tune”: it may be up to 0.021 better or 0.008 worse in macro F1."
    )
    said = of(results_of(SCORES, {("DAPT", "all"): (0.0003, -0.0002, 0.0008, "cannot tell")}))
    assert "up to 0.001 better or less than 0.001 worse" in said.sentence


def test_an_interval_that_leaves_zero_out_is_still_no_claim_where_the_correction_says_so(results_of: Make) -> None:
    said = of(results_of(SCORES, {("DAPT", "all"): (0.04, 0.01, 0.07, "cannot tell")}))
    assert "leaves zero out, but not once all comparisons with the reference are counted" in said.sentence
    assert not re.search("better|worse", said.sentence)


def test_one_seed_tells_nothing_and_more_are_asked_for(results_of: Make) -> None:
    said = of(results_of({"fine-tune": {"all": [0.7]}, "DAPT": {"all": [0.9]}}, {("DAPT", "all"): (0.2, 0.1, 0.3, "better")}))
    assert said.sentence == (
        "“DAPT” cannot be told from the reference “fine-tune”: +0.200 in macro F1, and with one seed nothing says how much of it is luck."
    )
    assert said.advice == "Run at least three seeds."


def test_the_reference_is_said_to_be_it(results_of: Make) -> None:
    said = of(results_of(SCORES, BETTER), "fine-tune")
    assert said.sentence == "“fine-tune” is the reference: macro F1 0.800 on the test set, the mean of 3 seeds from 0.790 to 0.810."
    assert said.claim is None


def test_failed_runs_are_counted_and_recipes_without_any_run_say_so(results_of: Make) -> None:
    scores: dict[str, Any] = {"fine-tune": {"all": [0.8, 0.8]}, "DAPT": {"all": [0.9, "bad"]}, "TAPT": {"all": ["bad", "bad"]}}
    results = results_of(scores, {("DAPT", "all"): (0.1, -0.1, 0.3, "cannot tell")})
    assert "(1 of 2 runs failed and is left out)" in of(results).sentence
    assert of(results, "TAPT").sentence == "All 2 runs of “TAPT” failed, so nothing is known of it."
    lost = results_of({"fine-tune": {"all": ["bad"]}, "DAPT": {"all": [0.9]}}, {("DAPT", "all"): (None, None, None, "cannot tell")})
    assert of(lost, "fine-tune").sentence == (
        "The only run of the reference “fine-tune” failed, so no other recipe could be compared with it."
    )
    assert "could not be compared with the reference “fine-tune”, as no seed of both was done" in of(lost).sentence


def test_a_test_set_too_small_to_compare_on_is_the_reason_given(results_of: Make) -> None:
    results = results_of(SCORES, {("DAPT", "all"): (None, None, None, "cannot tell")})
    assert of(results).sentence.endswith("could not be compared with the reference “fine-tune”, as the test set is too small.")


def test_a_pretraining_that_was_run_once_limits_the_sentence_to_its_checkpoint(results_of: Make) -> None:
    stages = [{"stage": "pretrain", "recipes": ["DAPT"], "seed": 0}]
    for verdicts in (BETTER, {("DAPT", "all"): (0.01, -0.03, 0.05, "cannot tell")}):
        assert (
            "the reference “fine-tune” for this checkpoint (its pretraining was run once): "
            in of(results_of(SCORES, verdicts, stages=stages)).sentence
        )


def test_a_smoke_run_says_nothing_of_the_recipes(results_of: Make) -> None:
    said = of(results_of(SCORES, BETTER, smoke=True))
    assert said.sentence == "“DAPT” ran through on a sliver of the data; its scores say nothing."


def test_every_budget_has_its_own_sentences(results_of: Make) -> None:
    scores = {"fine-tune": {"50": [0.7, 0.7], "500": [0.8, 0.8]}, "DAPT": {"500": [0.9, 0.9]}}
    results = results_of(scores, {("DAPT", "500"): (0.1, 0.05, 0.15, "better")})
    assert [said.recipe for said in recipe_sentences(results, "50")] == ["fine-tune"]
    assert of(results, labels="500").claim == "better"


def unclear(difference: float, low: float, high: float, seeds: float, texts: float, both: float, size: int = 400) -> Verdict:
    return Verdict("DAPT", "fine-tune", "all", 0.8, difference, low, high, 0.2, 0.05, "cannot tell", 3, size, 2, seeds, texts, both)


def advice(verdict: Verdict) -> str:
    runs = tuple(Run(name, seed, "all", "done", "", {"test_macro_f1": 0.8}) for name in ("fine-tune", "DAPT") for seed in range(3))
    return of(Results("test_macro_f1", "fine-tune", runs, (verdict,), (), {}, "")).advice


def test_where_texts_belong_together_what_would_tell_is_said_in_groups_and_counted_in_them() -> None:
    alone = unclear(0.03, -0.01, 0.07, 0.00002, 0.02, 0.1)
    grouped = replace(alone, texts=1000, groups=400)
    assert grouped.units == alone.units == 400
    assert "more test texts" in advice(alone)
    assert advice(grouped) == advice(alone).replace("more test texts", "more groups of test texts")
    far = replace(unclear(0.002, -0.2, 0.2, 0.02, 1.0, 1.0), groups=400)
    assert "ten times the groups of test texts, would not tell" in advice(far)


def test_what_would_tell_is_said_in_seeds_and_in_texts() -> None:
    said = advice(unclear(0.03, -0.01, 0.07, 0.00002, 0.02, 0.1))
    ways = r"\d+ more seeds? or [\d,]+ more test texts"
    assert re.fullmatch(rf"If the true difference is the one observed, about {ways} would tell in four studies of five\.", said)


def test_where_seeds_dominate_more_texts_are_not_advised() -> None:
    said = advice(unclear(0.04, -0.03, 0.11, 0.001, 0.001, 0.01))
    assert re.fullmatch(r"If the true difference is the one observed, about \d+ more seeds would tell in four studies of five\.", said)


def test_a_tiny_difference_is_measured_against_one_that_matters() -> None:
    assert advice(unclear(0.002, -0.02, 0.024, 0.000001, 0.01, 0.01)).startswith("If a difference of 0.010 matters, about")
    hopeless = advice(unclear(0.002, -0.1, 0.104, 0.01, 1.0, 1.0))
    assert hopeless == (
        "Even ten times the seeds, or ten times the test texts, would not tell a difference of 0.010; "
        "what is known is that the two are alike to within 0.104."
    )
    sure = advice(unclear(0.001, -0.003, 0.005, 1e-9, 0.0001, 0.0001))
    assert sure == "The study would likely have seen a difference of 0.010, and the two are alike to within 0.005."


def test_folders_without_variances_get_sentences_without_advice(results_of: Make) -> None:
    assert of(results_of(SCORES, {("DAPT", "all"): (0.01, -0.03, 0.05, "cannot tell")})).advice == ""


def test_a_name_cannot_turn_the_sentence_around(results_of: Make) -> None:
    evil = "\u202eevil\n\x1b[31m"
    said = of(results_of({"fine-tune": {"all": [0.8, 0.8]}, evil: {"all": [0.7, 0.7]}}), evil)
    assert not re.search(r"[\u202a-\u202e\x1b\n]", said.sentence)


variance = st.none() | st.floats(-1, 1e6) | st.just(math.nan)
anything = st.none() | st.floats() | st.floats(-1, 1) | st.sampled_from([0.0, -0.0, 1e-300])


@pytest.mark.parametrize("shared", [False, True], ids=["per seed", "once"])
@given(
    numbers=st.tuples(*[anything] * 6),
    variances=st.tuples(variance, variance, variance),
    word=st.sampled_from(["better", "worse", "cannot tell"]),
    seeds=st.integers(0, 4),
    sizes=st.tuples(st.none() | st.integers(-1, 50), st.none() | st.integers(-1, 3)),
    scores=st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=3),
)
def test_no_sentence_claims_more_than_the_verdict_whatever_the_numbers(
    shared: bool, numbers: Any, variances: Any, word: str, seeds: int, sizes: Any, scores: list[float | None]
) -> None:
    mean, difference, low, high, p, detectable = numbers
    verdict = Verdict("b", "a", "all", mean, difference, low, high, p, detectable, word, seeds, *sizes, *variances)
    runs = tuple(
        Run(name, seed, "all", "done" if score is not None else "failed", "", {"test_macro_f1": score})
        for name in ("a", "b")
        for seed, score in enumerate(scores)
    )
    stages = (StageFact("k", "pretrain", ("b",), 0, None, 1.0, False, "done", {}, (), {}, role="pretrains"),) if shared else ()
    for said in recipe_sentences(Results("test_macro_f1", "a", runs, (verdict,), stages, {}, ""), "all"):
        claimed = re.findall("better|worse", POSSIBLY.sub("", said.sentence + said.advice))
        assert claimed == ([said.claim] if said.claim in ("better", "worse") else [])
        if claimed:
            assert claimed == [verdict.claim]
            assert low is not None
            assert high is not None
            assert low > 0 or high < 0
            assert math.isfinite(low + high)
        assert said.sentence.endswith(".")
        assert not re.search(r"None|nan|inf\b|–", said.sentence + said.advice)
