"""The promises of the statistics are frequencies, so they are checked by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from acclimate.evaluation.metrics import METRICS, confusion
from acclimate.evaluation.statistics import compare, holm, influence, two_way

SHARES = np.array([0.5, 0.3, 0.15, 0.05])  # of the classes: imbalanced


def labels_of(rng, gold, skill, difficulty, seed_effect, seed_noise):
    """Predictions [N]: a text is right where skill, seed and luck outweigh its difficulty, else a random other class."""
    margin = skill + seed_effect + rng.normal(0, seed_noise, len(gold)) - difficulty
    wrong = (gold + rng.integers(1, len(SHARES), len(gold))) % len(SHARES)
    return np.where(margin > 0, gold, wrong)


def study(rng, texts, seeds, shifts, seed_sd, seed_noise=0.7):
    """Gold [N] and predictions of recipes whose skill differs by `shifts`; texts are as hard for one recipe as for another."""
    gold = rng.choice(len(SHARES), texts, p=SHARES)
    difficulty = rng.normal(0, 1, texts)
    own = {name: rng.normal(0, 0.5, texts) for name in shifts}  # what one recipe finds harder than the other
    return gold, {
        name: {
            seed: labels_of(rng, gold, 0.8 + shift, difficulty + own[name], rng.normal(0, seed_sd), seed_noise) for seed in range(seeds)
        }
        for name, shift in shifts.items()
    }


@pytest.mark.parametrize("texts", [140, 1000])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize("seed_sd", [0.0, 0.08, 0.4], ids=["texts dominate", "both", "seeds dominate"])
def test_equal_recipes_are_called_different_in_at_most_six_of_a_hundred_studies(texts, seeds, metric, seed_sd):
    rng = np.random.default_rng([texts, seeds, len(metric), int(100 * seed_sd)])
    trials = 400
    p = [compare(*study(rng, texts, seeds, {"a": 0.0, "b": 0.0}, seed_sd), "a", metric=metric, classes=4)[0].p for _ in range(trials)]
    # 6 % and three standard errors of a frequency from 400 trials would be 9.6 %; the method is measured at 6 % with 40,000 below.
    assert np.mean(np.array(p) < 0.05) <= 0.06 + 1.65 * np.sqrt(0.06 * 0.94 / trials)


@pytest.mark.parametrize("texts", [140, 1000])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("interaction", [0.5, 2.0])
def test_intervals_cover_the_truth_in_at_least_93_of_a_hundred_studies_and_false_alarms_stay_under_six(texts, seeds, interaction):
    rng = np.random.default_rng([texts, seeds, int(interaction * 10)])
    for ratio in (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0):  # variance from seeds over variance from texts
        truth, seed_sd = 0.1, np.sqrt(ratio * seeds / texts)
        covered = []
        for _ in range(1500 if texts == 140 else 400):
            effects = rng.normal(0, seed_sd, seeds)[:, None] + rng.normal(0, 1, texts) + rng.normal(0, interaction, (seeds, texts))
            spread = two_way(truth + effects)
            covered.append(abs(spread.difference - truth) <= t.ppf(0.975, spread.freedom) * spread.error)
        # Two standard errors of the simulated frequency are granted, no more.
        assert np.mean(covered) >= 0.94 - 2 * np.sqrt(0.94 * 0.06 / len(covered)), f"ratio {ratio}: {np.mean(covered):.3f}"


def test_influence_gives_the_variance_that_resampling_texts_gives():
    rng = np.random.default_rng(0)
    gold, predictions = study(rng, 600, 1, {"a": 0.0}, 0.0)
    predicted = predictions["a"][0]
    for metric in ("accuracy", "macro_f1", "mcc"):
        each = influence(gold, predicted, metric, 4)
        assert each.mean() == pytest.approx(float(METRICS[metric](confusion(gold, predicted, 4))))
        rows = rng.integers(0, 600, (3000, 600))
        resampled = [float(METRICS[metric](confusion(gold[row], predicted[row], 4))) for row in rows]
        assert each.std() / np.sqrt(600) == pytest.approx(np.std(resampled), rel=0.08)


def test_a_real_difference_is_found_and_has_the_right_sign():
    gold, predictions = study(np.random.default_rng(1), 1000, 5, {"reference": 0.0, "good": 0.6, "bad": -0.6}, 0.05)
    found = {verdict.recipe: verdict for verdict in compare(gold, predictions, "reference", classes=4)}
    assert (found["good"].verdict, found["bad"].verdict) == ("better", "worse")
    assert found["good"].low > 0 > found["bad"].high


def test_one_seed_always_cannot_tell():
    gold, predictions = study(np.random.default_rng(2), 1000, 1, {"reference": -2.0, "good": 2.0}, 0.0)
    verdict = compare(gold, predictions, "reference", classes=4)[0]
    assert verdict.verdict == "cannot tell"
    assert verdict.low > 0  # the texts alone would have told


def test_a_recipe_compared_with_its_twin_differs_by_nothing():
    gold, predictions = study(np.random.default_rng(3), 200, 3, {"a": 0.0}, 0.1)
    verdict = compare(gold, {**predictions, "twin": predictions["a"]}, "a", classes=4)[0]
    assert (verdict.difference, verdict.p, verdict.verdict) == (0.0, 1.0, "cannot tell")
    assert verdict.low < 0 < verdict.high


def test_recipes_without_any_spread_give_numbers_not_nonsense():
    gold = np.tile([0, 1], 50)
    right, wrong = dict.fromkeys(range(3), gold), dict.fromkeys(range(3), 1 - gold)
    verdict = compare(gold, {"a": wrong, "b": right}, "a", metric="accuracy")[0]
    assert verdict.verdict == "better"
    assert 0 < verdict.p < 0.05
    assert verdict.low < verdict.difference == 1.0 < verdict.high


def test_failed_seeds_are_left_out_of_the_pairs_and_counted():
    gold, predictions = study(np.random.default_rng(4), 300, 5, {"a": 0.0, "b": 0.1}, 0.1)
    del predictions["b"][3], predictions["a"][1]
    verdict = compare(gold, predictions, "a", classes=4, seeds=range(5))[0]
    assert (verdict.seeds, verdict.failed_seeds) == (3, 2)
    nothing = compare(gold, {"a": predictions["a"], "b": {}}, "a", classes=4, seeds=range(5))[0]
    assert (nothing.difference, nothing.verdict, nothing.failed_seeds) == (None, "cannot tell", 5)


@given(st.integers(0, 10_000))
def test_neither_the_order_of_texts_nor_the_choice_of_reference_changes_more_than_the_sign(seed):
    rng = np.random.default_rng(seed)
    gold, predictions = study(rng, 80, 3, {"a": 0.0, "b": 0.3}, 0.2)
    first = compare(gold, predictions, "a", classes=4)[0]
    order = rng.permutation(len(gold))
    shuffled = {name: {s: each[order] for s, each in runs.items()} for name, runs in predictions.items()}
    again = compare(gold[order], shuffled, "a", classes=4)[0]
    swapped = compare(gold, predictions, "b", classes=4)[0]
    assert (again.difference, again.p) == pytest.approx((first.difference, first.p))
    assert (-swapped.difference, swapped.p) == pytest.approx((first.difference, first.p))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_monotone_and_never_kinder_than_the_raw_p(p):
    corrected = holm(p)
    order = np.argsort(p, kind="stable")
    assert all(corrected[order[i]] <= corrected[order[i + 1]] for i in range(len(p) - 1))
    assert all(raw <= mended <= 1 for raw, mended in zip(p, corrected, strict=True))
    assert min(corrected) == min(1.0, min(p) * len(p))
