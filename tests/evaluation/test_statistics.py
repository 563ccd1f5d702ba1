"""The promises of the statistics are frequencies, so they are checked by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from acclimate.evaluation.metrics import METRICS, confusion
from acclimate.evaluation.statistics import combined, compare, holm, influence, two_way

SHARES = np.array([0.5, 0.3, 0.15, 0.05])  # of the classes: imbalanced


def labels_of(rng, gold, skill, difficulty, seed_effect, seed_noise):
    """Predictions [N]: a text is right where skill, seed and luck outweigh its difficulty, else a random other class."""
    margin = skill + seed_effect + rng.normal(0, seed_noise, len(gold)) - difficulty
    wrong = (gold + rng.integers(1, len(SHARES), len(gold))) % len(SHARES)
    return np.where(margin > 0, gold, wrong)


def study(rng, texts, seeds, shifts, seed_sd, seed_noise=0.7, own_sd=0.5):
    """Gold [N] and predictions of recipes whose skill differs by `shifts`; `own_sd` is how far they find different texts hard."""
    gold = rng.choice(len(SHARES), texts, p=SHARES)
    difficulty = rng.normal(0, 1, texts)
    own = {name: rng.normal(0, own_sd, texts) for name in shifts}
    return gold, {
        name: {seed: labels_of(rng, gold, 0.8 + shift, difficulty + own[name], rng.normal(0, seed_sd), seed_noise) for seed in range(seeds)}
        for name, shift in shifts.items()
    }


def error(rate, trials):
    """The standard error of a simulated frequency."""
    return np.sqrt(rate * (1 - rate) / trials)


# Shares of texts in the variance of the mean difference; an A/A study, the same recipe on other seeds, has none. What remains is split
# between seeds and their interaction with texts by the second list.
TEXT_SHARES = (0.0, 0.03, 0.06, 0.1, 0.2, 0.35, 0.5, 0.9)
SEED_SHARES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.9, 1.0)


@pytest.mark.parametrize("texts", [140, 1000])
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_intervals_cover_93_of_a_hundred_truths_and_false_alarms_stay_under_six_whichever_source_dominates(texts, seeds):
    # With normal effects the mean and the three mean squares are independent, so that 20,000 studies are drawn as four numbers each.
    rng, trials = np.random.default_rng([texts, seeds]), 20_000
    for text_share in TEXT_SHARES:
        for part in SEED_SHARES:
            seed_share = (1 - text_share) * part
            both_share = 1 - text_share - seed_share

            def square(expected, freedom):
                return expected * rng.chisquare(freedom, trials) / freedom

            variance, freedom = combined(
                square(seed_share + both_share, seeds - 1),
                square(text_share + both_share, texts - 1),
                square(both_share, (seeds - 1) * (texts - 1)),
                seeds,
                texts,
            )
            missed = np.mean(np.abs(rng.normal(0, 1, trials)) > t.ppf(0.975, freedom) * np.sqrt(variance))
            limit = 0.06 if text_share == 0 else 0.07
            # One-sided, at 2.3 standard errors; the method itself misses at most 5.2 %.
            assert missed <= limit - 2.3 * error(limit, trials), f"texts {text_share}, seeds {seed_share:.2f}: {missed:.4f}"


@pytest.mark.parametrize("texts", [140, 1000])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize("seed_sd", [0.0, 0.08, 0.4], ids=["texts dominate", "both", "seeds dominate"])
@pytest.mark.parametrize("own_sd", [0.0, 0.5], ids=["other seeds", "other recipe"])
def test_equal_recipes_are_called_different_in_at_most_six_of_a_hundred_studies(texts, seeds, metric, seed_sd, own_sd):
    rng, trials = np.random.default_rng([texts, seeds, len(metric), int(100 * seed_sd), int(10 * own_sd)]), 300
    p = [
        compare(*study(rng, texts, seeds, {"a": 0.0, "b": 0.0}, seed_sd, own_sd=own_sd), "a", metric=metric, classes=4)[0].p
        for _ in range(trials)
    ]
    # 300 trials of real scores guard against gross error; the test above has the numbers for the 6 % itself.
    assert np.mean(np.array(p) < 0.05) <= 0.06 + 2 * error(0.06, trials)


@pytest.mark.parametrize("seed_sd", [0.0, 0.1, 0.4], ids=["texts dominate", "both", "seeds dominate"])
def test_an_a_a_study_of_three_draws_calls_any_of_them_different_in_at_most_five_of_a_hundred_cases(seed_sd):
    # As examples/aa.yaml: one recipe under three names, on the same texts, with random draws of its own under each.
    rng, trials = np.random.default_rng([3, int(100 * seed_sd)]), 400
    draws = {"a": 0.0, "a again": 0.0, "a once more": 0.0}
    wrong = [
        any(verdict.verdict != "cannot tell" for verdict in compare(*study(rng, 400, 5, draws, seed_sd, own_sd=0.0), "a", classes=4))
        for _ in range(trials)
    ]
    assert np.mean(wrong) <= 0.05 + 2 * error(0.05, trials)


@pytest.mark.parametrize("texts", [140, 1000])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_interval_of_a_macro_f1_difference_covers_its_true_value(texts, seeds):
    rng, trials = np.random.default_rng([texts, seeds]), 700
    shifts = {"a": 0.0, "b": 0.4}
    truth = np.mean([compare(*study(rng, 20_000, 60, shifts, 0.2), "a", classes=4)[0].difference for _ in range(2)])
    found = [compare(*study(rng, texts, seeds, shifts, 0.2), "a", classes=4)[0] for _ in range(trials)]
    covered = np.mean([verdict.low <= truth <= verdict.high for verdict in found])
    assert covered >= 0.93 - 1.65 * error(0.93, trials)
    assert covered <= 0.995  # an interval that is always right says nothing


def test_the_variance_of_scores_is_what_many_studies_show():
    rng = np.random.default_rng(5)
    spreads = [two_way(rng.normal(0, 0.05, 5)[:, None] + rng.normal(0, 1, 400) + rng.normal(0, 2, (5, 400))) for _ in range(2000)]
    truth = 0.05**2 / 5 + 1 / 400 + 2**2 / (5 * 400)
    assert np.var([spread.difference for spread in spreads]) == pytest.approx(truth, rel=0.1)
    assert np.mean([spread.variance for spread in spreads]) == pytest.approx(truth, rel=0.1)  # the interaction, counted once, is 40 % of it


def test_what_is_called_detectable_is_found_in_eight_of_ten_studies():
    rng, seeds, texts, trials = np.random.default_rng(6), 10, 400, 400
    shifts = {"a": 0.0, "b": 0.21}

    def once():
        return compare(*study(rng, texts, seeds, shifts, 0.1), "a", metric="accuracy", classes=4)[0]

    found = [once() for _ in range(trials)]
    truth, detectable = (np.mean([getattr(verdict, name) for verdict in found]) for name in ("difference", "detectable"))
    assert truth == pytest.approx(detectable, rel=0.05)  # the shift is chosen so that this study can just see it
    assert np.mean([verdict.verdict == "better" for verdict in found]) == pytest.approx(0.8, abs=0.06)


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
    assert verdict.detectable is None


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
    gold = np.zeros(20_000, dtype=int)
    sure = compare(gold, {"a": dict.fromkeys(range(3), gold + 1), "b": dict.fromkeys(range(3), gold)}, "a", metric="accuracy")[0]
    assert sure.p > 0


def test_recipes_without_randomness_differ_only_by_the_texts():
    rng = np.random.default_rng(8)
    gold, predictions = study(rng, 500, 1, {"a": 0.0, "b": 1.0}, 0.0)
    same = {name: dict.fromkeys(range(5), runs[0]) for name, runs in predictions.items()}
    once, often = (compare(gold, each, "a", metric="accuracy", classes=4)[0] for each in (predictions, same))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert (once.verdict, often.verdict) == ("cannot tell", "better")


def test_a_single_test_text_compares_nothing_and_two_give_numbers():
    one = compare(np.array([0]), {"a": {0: np.array([0]), 1: np.array([1])}, "b": {0: np.array([1]), 1: np.array([0])}}, "a", classes=2)[0]
    assert (one.difference, one.verdict) == (None, "cannot tell")
    runs = {"a": {s: np.array([0, s % 2]) for s in range(5)}, "b": {s: np.array([0, 1]) for s in range(5)}}
    two = compare(np.array([0, 1]), runs, "a", classes=2)[0]
    assert np.isfinite([two.low, two.high, two.p, two.detectable]).all()


def test_the_correction_counts_every_recipe_of_the_budget():
    gold, predictions = study(np.random.default_rng(9), 300, 3, {"a": 0.0, "b": 0.2, "c": 0.1, "d": -0.1}, 0.05)
    found = compare(gold, predictions, "a", classes=4)
    assert [verdict.p_holm for verdict in found] == pytest.approx(holm([verdict.p for verdict in found]))
    alone = compare(gold, {name: predictions[name] for name in ("a", "b")}, "a", classes=4)[0]
    assert alone.p == pytest.approx(found[0].p)
    assert alone.detectable < found[0].detectable


def test_influence_of_many_classes_is_taken_in_pieces_and_is_the_same():
    rng = np.random.default_rng(10)
    gold = rng.integers(0, 4, 300)
    predicted = np.where(rng.random(300) < 0.7, gold, rng.integers(0, 4, 300))
    many = influence(gold * 100, predicted * 100, "macro_f1", 400)
    assert many * 100 == pytest.approx(influence(gold, predicted, "macro_f1", 4), rel=1e-4)  # 396 classes with an F1 of 0


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
