"""Thresholds of classes of which one holds."""

import numpy as np
import pytest

from acclimate.tasks.class_thresholds import best_macro_f1
from acclimate.tasks.classify import Classify
from acclimate.tasks.metrics.classes import confusion, macro_f1
from acclimate.tasks.split import Split
from acclimate.tasks.thresholds import largest_multiple

HALF = 0.5


def score(gold, probabilities, thresholds):
    return macro_f1(confusion(gold, largest_multiple(probabilities, thresholds), len(thresholds)))


def drawn(seed, classes, count, rounded=False):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes) * rng.choice([0.1, 1.0]), count)
    if rounded:  # many equal ones, and zeros
        probabilities = np.round(probabilities, 1)
    return rng.integers(0, rng.integers(1, classes + 1), count), probabilities


def others(probabilities, thresholds, number):
    """Thresholds that differ in that of one class: between every two texts that it parts, below and above all."""
    rest = np.delete(probabilities / thresholds, number, axis=1).max(axis=1)
    turns = np.unique(np.append(probabilities[:, number] / rest, 0.0))
    for place in np.append((turns[1:] + turns[:-1]) / 2, turns[-1] * 2 + 1e-9):
        yield np.where(np.arange(len(thresholds)) == number, place, thresholds)


@pytest.mark.parametrize("seed", range(40))
def test_no_single_threshold_betters_them(seed):
    classes = 2 + seed % 4
    gold, probabilities = drawn(seed, classes, 1 + 7 * (seed % 5))
    found = best_macro_f1(gold, probabilities)
    reached = score(gold, probabilities, found)
    for number in range(classes):
        if (gold == number).any():
            assert max(score(gold, probabilities, other) for other in others(probabilities, found, number)) <= reached + 1e-9
        else:
            assert found[number] == HALF


@pytest.mark.parametrize("seed", range(40))
def test_dev_is_never_worse_off_than_by_the_most_likely_class(seed):
    classes = 2 + seed % 4
    gold, probabilities = drawn(seed, classes, 25, rounded=True)
    usual = np.full(classes, HALF)
    assert (largest_multiple(probabilities, usual) == probabilities.argmax(axis=1)).all()
    assert score(gold, probabilities, best_macro_f1(gold, probabilities)) >= score(gold, probabilities, usual)


def test_of_two_classes_it_is_one_threshold():
    gold, probability = np.array([0, 1, 0, 0, 0, 1]), np.array([0.9, 0.3, 0.7, 0.6, 0.45, 0.35])
    found = best_macro_f1(gold, np.stack([probability, 1 - probability], axis=1))
    assert found.sum() == pytest.approx(1)
    assert 0.35 < found[0] < 0.45
    rare = np.array([1, 0, 0, 0, 0, 0]), np.array([0.6, 0.8, 0.9, 0.95, 0.9, 0.9])
    found = best_macro_f1(rare[0], np.stack([rare[1], 1 - rare[1]], axis=1))
    assert 0.6 < found[0] < 0.8
    assert found.sum() == pytest.approx(1)


def test_where_the_most_likely_class_is_best_nothing_moves():
    gold = np.array([0, 1, 2, 0])
    assert best_macro_f1(gold, np.eye(3)[gold] * 0.4 + 0.2).tolist() == [HALF] * 3


def test_a_class_that_dev_does_not_have_stays_at_one_half():
    gold, probabilities = np.array([0, 0, 1]), np.array([[0.5, 0.2, 0.3], [0.3, 0.2, 0.5], [0.5, 0.4, 0.1]])
    found = best_macro_f1(gold, probabilities)
    assert found[2] == HALF
    assert largest_multiple(probabilities, found).tolist() == [0, 2, 1]  # from [0, 2, 0]: to give no text a 2 it would take two steps


def test_answers_by_thresholds_keep_the_probabilities():
    split = Split((("", ""),), np.array([0, 1]), np.arange(2), (), None, ("a", "b"))
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4]])
    thresholds = Classify.thresholded["sequence"].tune(probabilities, split)
    answers = Classify.decoded("sequence", probabilities, split, thresholds)
    assert answers["predicted"].tolist() == [0, 1]
    assert answers["probabilities"].tolist() == probabilities.tolist()
    assert Classify.decoded("sequence", probabilities, split)["predicted"].tolist() == [0, 0]
