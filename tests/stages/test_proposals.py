"""Which values a search tries: the same for the same seed and the same outcomes, spread over the range, better with time."""

import itertools
import math

import pytest

from acclimate.stages.finetune import Finetune
from acclimate.stages.proposals import proposals
from acclimate.stages.trials import Trial, best_of, is_behind


def tried(stage, seed, merit):
    asked, found = proposals(stage, seed), []
    for _ in range(stage.trials):
        found.append(dict(asked.ask()))
        asked.tell(merit(found[-1]))
    return found


def near(best):
    return lambda values: -abs(math.log(values["lr"] / best))


def test_the_same_seed_and_outcomes_give_the_same_values_and_another_seed_others():
    stage = Finetune(lr={"search": [1e-6, 1e-3], "trials": 8}, batch_size={"search": [4, 64]})
    once = tried(stage, 1, near(1e-4))
    assert once == tried(stage, 1, near(1e-4))
    assert once != tried(stage, 2, near(1e-4))
    assert all(1e-6 <= values["lr"] <= 1e-3 and values["batch_size"] in range(4, 65) for values in once)
    assert all(type(values["batch_size"]) is int for values in once)


@pytest.mark.parametrize("seed", range(5))
def test_the_first_half_covers_a_range_evenly_in_its_logarithm(seed):
    stage = Finetune(lr={"search": [1e-6, 1e-2], "trials": 16})
    places = sorted((math.log10(values["lr"]) + 6) / 4 for values in tried(stage, seed, lambda _: 0.0)[:8])
    gaps = [after - before for before, after in itertools.pairwise(places)]
    assert max(gaps) < 2 / 8
    assert places[0] < 2 / 8
    assert places[-1] > 1 - 2 / 8


def test_a_search_comes_near_the_best_value():
    stage = Finetune(lr={"search": [1e-6, 1e-2], "trials": 24})
    for seed in range(3):
        best = max(tried(stage, seed, near(3e-5)), key=near(3e-5))
        assert 2e-5 < best["lr"] < 4.5e-5


def test_named_values_are_tried_each_with_each_and_fewer_trials_are_drawn():
    stage = Finetune(lr={"search": {"of": [1e-5, 3e-5]}}, batch_size={"search": {"of": [8, 16, 32]}})
    assert stage.trials == 6
    every = tried(stage, 0, lambda _: 0.0)
    assert every == [{"lr": lr, "batch_size": size} for lr in (1e-5, 3e-5) for size in (8, 16, 32)]
    fewer = Finetune(lr={"search": {"of": [1e-5, 3e-5]}, "trials": 4}, batch_size={"search": {"of": [8, 16, 32]}})
    drawn = tried(fewer, 0, lambda _: 0.0)
    assert len(drawn) == 4
    assert all(values in every for values in drawn)
    assert drawn != tried(fewer, 1, lambda _: 0.0) or drawn != tried(fewer, 2, lambda _: 0.0)


def test_named_values_and_a_range_are_searched_together():
    stage = Finetune(lr={"search": [1e-5, 1e-3], "trials": 6}, batch_size={"search": {"of": [8, 32]}})
    assert {values["batch_size"] for values in tried(stage, 0, near(1e-4))} == {8, 32}


def test_a_trial_that_diverged_counts_as_the_worst():
    stage = Finetune(lr={"search": [1e-6, 1], "trials": 20})
    late = tried(stage, 0, lambda values: None if values["lr"] > 1e-3 else near(1e-4)(values))[10:]
    assert sum(values["lr"] > 1e-3 for values in late) <= len(late) / 2


def trial(number, curve, state="done"):
    best = max((merit for _, merit in curve), default=None)
    return Trial(number, {"lr": number}, state, best, best, {}, curve)


def test_a_trial_is_behind_only_at_a_step_that_enough_others_reached():
    whole = [trial(number, [[10, score], [20, score + 0.1]]) for number, score in enumerate((0.2, 0.3, 0.4, 0.5), start=1)]
    assert is_behind(whole, 10, 0.34)
    assert not is_behind(whole, 10, 0.36)
    assert not is_behind(whole, 15, 0.0)
    long = [trial(number, [[10, 0.5], [40, 0.6]]) for number in range(4)]
    assert not is_behind(long, 10, 0.1), "not in the first third"
    assert is_behind(long, 40, 0.1)
    assert not is_behind(whole[:3], 10, 0.0)
    assert not is_behind([*whole[:3], trial(4, [[10, 0.9]], "pruned")], 10, 0.0)


def test_the_first_of_equal_trials_is_the_best():
    assert best_of([trial(1, [[1, 0.3]]), trial(2, [[1, 0.5]]), trial(3, [[1, 0.5]])]).trial == 2
    assert best_of([trial(1, [], "diverged")]) is None
