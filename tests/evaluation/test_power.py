"""Advice on the size of a study: it never asks for more where there is more, and a study of the advised size keeps the promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from acclimate.evaluation.power import MOST_TIMES, RELEVANT, advise, detectable_at
from acclimate.evaluation.statistics import Components, Verdict, combined, compare, detectable_effect, two_way
from acclimate.tasks.classify import Classify
from acclimate.tasks.split import Split

variances = st.builds(Components, *[st.just(0.0) | st.floats(1e-7, 0.3)] * 3)


def drawn(components, rng, seeds, texts, shift=0.0):
    """Contributions [S, N] of crossed seeds and texts with these variances."""
    by_seed, by_text = rng.normal(0, np.sqrt(components.seeds), seeds), rng.normal(0, np.sqrt(components.texts), texts)
    return shift + by_seed[:, None] + by_text + rng.normal(0, np.sqrt(components.both), (seeds, texts))


def found_in(components, difference, seeds, texts, compared, trials=20_000):
    """The share of studies of this size that find the difference at Holm's first step."""
    # With normal effects the mean and the three mean squares are independent, so that a study is drawn as four numbers.
    rng = np.random.default_rng(0)
    both = components.both / (seeds * texts)
    by_seed, by_text = components.seeds / seeds + both, components.texts / texts + both

    def square(expected, freedom):
        return expected * rng.chisquare(freedom, trials) / freedom

    variance, freedom = combined(
        square(by_seed, seeds - 1), square(by_text, texts - 1), square(both, (seeds - 1) * (texts - 1)), seeds, texts
    )
    seen = rng.normal(difference, np.sqrt(by_seed + by_text - both), trials)
    p = 2 * t.sf(np.abs(seen) / np.sqrt(variance), freedom)
    return np.mean((p < 0.05 / compared) & (seen > 0))


@given(variances, st.integers(2, 30), st.integers(1, 20), st.integers(2, 3000), st.integers(1, 12))
def test_more_seeds_never_raise_the_smallest_detectable_difference(components, seeds, more, texts, compared):
    few, many = (detectable_at(components, count, texts, compared) for count in (seeds, seeds + more))
    assert many <= few * (1 + 1e-9)


@given(variances, st.integers(2, 10), st.integers(2, 500), st.integers(1, 8), st.integers(1, 7))
def test_more_recipes_to_compare_never_lower_it(components, seeds, texts, compared, more):
    assert detectable_at(components, seeds, texts, compared + more) >= detectable_at(components, seeds, texts, compared)


@pytest.mark.measured(0)
@given(variances, st.floats(-0.3, 0.3), st.integers(2, 8), st.integers(20, 800), st.integers(1, 6))
def test_the_advised_size_is_enough_and_one_less_is_not(components, difference, seeds, texts, compared):
    advice = advise(components, difference, seeds, texts, compared)
    assert advice.target == max(abs(difference), RELEVANT)
    assert advice.enough == (detectable_at(components, seeds, texts, compared) <= advice.target)
    sizes = {"seeds": lambda more: (seeds + more, texts), "texts": lambda more: (seeds, texts + more)}
    for name, size in sizes.items():
        more = getattr(advice, name)
        if more is None:
            assert detectable_at(components, *size((MOST_TIMES - 1) * (seeds if name == "seeds" else texts)), compared) > advice.target
            continue
        assert 0 <= more <= (MOST_TIMES - 1) * (seeds if name == "seeds" else texts)
        assert detectable_at(components, *size(more), compared) <= advice.target
        if more:
            assert detectable_at(components, *size(more - 1), compared) > advice.target


@pytest.mark.parametrize(
    ("components", "difference", "seeds", "texts", "compared"),
    [
        pytest.param(Components(0.0, 0.05, 0.2), 0.03, 5, 500, 1, id="texts dominate"),
        pytest.param(Components(0.0004, 0.01, 0.05), 0.03, 3, 400, 1, id="seeds dominate"),
        pytest.param(Components(0.0004, 0.02, 0.05), 0.04, 3, 400, 4, id="four recipes"),
        pytest.param(Components(0.0001, 0.02, 0.2), 0.03, 5, 400, 2, id="both"),
    ],
)
def test_studies_of_the_advised_size_find_the_difference_in_about_eight_of_ten_cases(components, difference, seeds, texts, compared):
    advice = advise(components, difference, seeds, texts, compared)
    sizes = [(seeds + (advice.seeds or 0), texts), (seeds, texts + (advice.texts or 0))]
    advised = [size for size, more in zip(sizes, (advice.seeds, advice.texts), strict=True) if more]
    assert advised
    before = found_in(components, difference, seeds, texts, compared)
    for size in advised:
        after = found_in(components, difference, *size, compared)
        # A whole seed more than is needed shows where there are few.
        assert 0.75 <= after <= 0.88, (size, after)
        assert after > before + 0.05


def test_the_variances_are_those_that_the_contributions_were_drawn_with():
    truth, rng = Components(0.0009, 0.02, 0.1), np.random.default_rng(1)
    found = [two_way(drawn(truth, rng, 6, 300)).components for _ in range(600)]
    assert np.mean([parts.seeds for parts in found]) == pytest.approx(truth.seeds, rel=0.1)
    assert np.mean([parts.texts for parts in found]) == pytest.approx(truth.texts, rel=0.1)
    assert np.mean([parts.both for parts in found]) == pytest.approx(truth.both, rel=0.02)


def test_for_its_own_size_the_model_gives_what_the_verdict_said():
    truth, rng = Components(0.002, 0.05, 0.1), np.random.default_rng(2)
    for _ in range(20):
        spread = two_way(drawn(truth, rng, 5, 200))
        said = detectable_effect(spread.error, spread.freedom, 3)
        # Equal where no variance came out below zero; else on the safe side.
        assert detectable_at(spread.components, 5, 200, 3) >= said * (1 - 1e-9)
        if min(spread.components.seeds, spread.components.texts) > 0:
            assert detectable_at(spread.components, 5, 200, 3) == pytest.approx(said)


def one_verdict(seeds) -> Verdict:
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 2, 200)
    runs = {name: {seed: np.where(rng.random(200) < 0.8, gold, 1 - gold) for seed in range(seeds)} for name in ("a", "b", "c")}
    accuracy = Classify.metric("accuracy")
    split = Split((("",) * 200,), gold, np.arange(200), (), None, ("", ""))
    each = {name: {seed: accuracy.each(split, {"predicted": said}) for seed, said in own.items()} for name, own in runs.items()}
    return compare(each, "a", accuracy)[0]


def test_a_verdict_brings_what_advice_needs_and_with_one_seed_there_is_none():
    verdict = one_verdict(4)
    assert (verdict.texts, verdict.compared) == (200, 2)
    assert min(verdict.seed_variance, verdict.text_variance, verdict.both_variance) >= 0
    alone = one_verdict(1)
    assert (alone.seed_variance, alone.text_variance, alone.both_variance) == (None, None, None)
