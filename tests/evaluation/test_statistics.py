"""What verdicts say of studies that are drawn for it; how often they may be wrong is in test_frequencies.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.evaluation import statistics
from acclimate.evaluation.statistics import holm
from acclimate.tasks.classify import Classify
from acclimate.tasks.grouping import numbered
from acclimate.tasks.split import Split

SHARES = np.array([0.5, 0.3, 0.15, 0.05])  # of the classes: imbalanced


def influence(gold, predicted, metric, classes):
    """What each text contributes to the score [N]."""
    return Classify.metric(metric).each(split_of(gold, classes), {"predicted": np.asarray(predicted)})


def score(gold, predicted, metric, classes):
    return Classify.metric(metric).score(split_of(gold, classes), {"predicted": np.asarray(predicted)})


def split_of(gold, classes):
    return Split((("",) * len(gold),), np.asarray(gold), np.arange(len(gold)), (), None, ("",) * classes)


def compare(gold, predictions, reference, metric="macro_f1", classes=2, **more):
    """Verdicts on class numbers."""
    each = {name: {seed: influence(gold, said, metric, classes) for seed, said in runs.items()} for name, runs in predictions.items()}
    return statistics.compare(each, reference, Classify.metric(metric), **more)


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


def test_influence_gives_the_variance_that_resampling_texts_gives():
    rng = np.random.default_rng(0)
    gold, predictions = study(rng, 600, 1, {"a": 0.0}, 0.0)
    predicted = predictions["a"][0]
    for metric in ("accuracy", "macro_f1", "mcc"):
        each = influence(gold, predicted, metric, 4)
        assert each.mean() == pytest.approx(score(gold, predicted, metric, 4))
        rows = rng.integers(0, 600, (3000, 600))
        resampled = [score(gold[row], predicted[row], metric, 4) for row in rows]
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


# Groups


def drawn_groups(rng, groups, most):
    """Groups [N] of one to `most` texts."""
    return np.repeat(np.arange(groups), rng.integers(1, most + 1, groups))


@given(st.lists(st.tuples(st.integers(0, 8), st.floats(-1, 1)), min_size=1, max_size=60))
def test_what_groups_contribute_has_the_score_as_its_mean(rows):
    names, each = zip(*rows, strict=True)
    units = numbered(names)
    found = statistics.by_group(np.array(each), units)
    assert len(found) == len(set(names))
    assert found.mean() == pytest.approx(np.mean(each), abs=1e-12)
    if len(found) == len(each):
        assert found == pytest.approx(np.array(each), abs=1e-12)


@pytest.mark.measured(0)
@pytest.mark.parametrize("most", [1, 3, 12])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_groups_give_the_standard_error_that_resampling_groups_gives(most, metric):
    rng = np.random.default_rng(most)
    groups = drawn_groups(rng, 250, most)
    gold = rng.choice(4, len(groups), p=SHARES)
    own = rng.normal(0, 1, 250)[groups]  # texts of a group are hard or easy together
    predicted = np.where(rng.normal(0, 0.5, len(groups)) + own > -0.8, gold, (gold + 1) % 4)
    each = statistics.by_group(influence(gold, predicted, metric, 4), groups)
    assert each.mean() == pytest.approx(score(gold, predicted, metric, 4))
    rows_of = np.split(np.arange(len(groups)), np.cumsum(np.bincount(groups))[:-1])
    drawn = (np.concatenate([rows_of[group] for group in rng.integers(0, 250, 250)]) for _ in range(1500))
    resampled = [score(gold[rows], predicted[rows], metric, 4) for rows in drawn]
    assert each.std(ddof=1) / np.sqrt(250) == pytest.approx(np.std(resampled), rel=0.08)


def test_where_groups_are_given_they_are_what_a_verdict_counts():
    rng = np.random.default_rng(5)
    gold, predictions = study(rng, 600, 3, {"a": 0.0, "b": 0.3}, 0.1)
    alone = compare(gold, predictions, "a", classes=4)[0]
    single = compare(gold, predictions, "a", classes=4, groups=[str(text) for text in range(600)])[0]
    assert (alone.texts, single.texts, single.groups) == (600, 600, 600)
    for name in ("difference", "low", "high", "p", "detectable"):
        assert getattr(single, name) == pytest.approx(getattr(alone, name))
    pairs = compare(gold, predictions, "a", classes=4, groups=[text // 4 for text in range(600)])[0]
    assert (pairs.groups, pairs.texts) == (150, 600)
    assert pairs.difference == pytest.approx(alone.difference)


def test_equal_texts_told_as_one_group_widen_the_interval_as_if_each_stood_there_once():
    rng = np.random.default_rng(6)
    gold, predictions = study(rng, 200, 4, {"a": 0.0, "b": 0.3}, 0.0, seed_noise=0.1)
    thrice = {name: {seed: np.repeat(said, 3) for seed, said in runs.items()} for name, runs in predictions.items()}
    once = compare(gold, predictions, "a", classes=4)[0]
    grouped = compare(np.repeat(gold, 3), thrice, "a", classes=4, groups=np.repeat(np.arange(200), 3).tolist())[0]
    loose = compare(np.repeat(gold, 3), thrice, "a", classes=4)[0]
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high))
    assert loose.high - loose.low < 0.8 * (once.high - once.low)


def test_a_single_group_compares_nothing():
    gold, predictions = study(np.random.default_rng(7), 50, 3, {"a": 0.0, "b": 0.3}, 0.1)
    verdict = compare(gold, predictions, "a", classes=4, groups=["one"] * 50)[0]
    assert (verdict.difference, verdict.verdict, verdict.groups) == (None, "cannot tell", 1)
