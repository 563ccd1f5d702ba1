"""The threshold of O."""

from dataclasses import replace

import numpy as np
import pytest

from acclimate.data.ragged import Ragged
from acclimate.tasks.metrics.spans import ENTITY_F1
from acclimate.tasks.outside_threshold import best_entity_f1
from acclimate.tasks.split import Split
from acclimate.tasks.tag import Tag
from acclimate.tasks.thresholds import largest_multiple

NAMES = ("O", "B-x", "I-x", "B-y", "I-y")


def sentences(seed, count, words=8):
    """Gold tags, mostly O, and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    tags = rng.choice(5, (count, words), p=[0.7, 0.1, 0.1, 0.05, 0.05])
    scores = rng.normal(size=(count * words, 5)) + 2 * np.eye(5)[tags.ravel()] + np.array([2.0, 0, 0, 0, 0])
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    ends = np.tile(np.stack([np.arange(words) * 2, np.arange(words) * 2 + 1], axis=1), (count, 1))
    offsets = np.arange(count + 1) * words
    text = " ".join("w" * words)
    return Split(((text,) * count,), Ragged(tags.ravel(), offsets), np.arange(count), (), None, NAMES, Ragged(ends, offsets)), probabilities


def f1(split, probabilities, threshold):
    thresholds = np.array([threshold, 0.5, 0.5, 0.5, 0.5])
    return ENTITY_F1.score(split, {"predicted": Ragged(largest_multiple(probabilities, thresholds), split.gold.offsets)})


@pytest.mark.parametrize("seed", range(6))
def test_with_few_places_none_is_better(seed):
    split, probabilities = sentences(seed, 6)
    found = best_entity_f1(probabilities, split)
    assert found[1:].tolist() == [0.5] * 4
    turns = np.unique(0.5 * probabilities[:, 0] / probabilities[:, 1:].max(axis=1))
    every = np.concatenate([[turns[0] / 2], (turns[1:] + turns[:-1]) / 2, [turns[-1] * 2]])
    assert f1(split, probabilities, found[0]) == max(f1(split, probabilities, place) for place in every)


def test_with_many_places_few_are_tried(monkeypatch):
    tried = []
    counting = replace(ENTITY_F1, score=lambda *each: tried.append(1) or ENTITY_F1.score(*each))
    monkeypatch.setattr("acclimate.tasks.outside_threshold.ENTITY_F1", counting)
    split, probabilities = sentences(1, 1000)
    found = best_entity_f1(probabilities, split)
    assert 10 < len(tried) < 200
    assert f1(split, probabilities, found[0]) > f1(split, probabilities, 0.5) + 0.01


def test_where_the_most_likely_tags_are_best_nothing_moves():
    split, _ = sentences(0, 6)
    assert best_entity_f1(np.eye(5)[split.gold.values] * 0.8 + 0.04, split).tolist() == [0.5] * 5
    nothing = Split(split.inputs, Ragged(np.zeros(48, dtype=np.int64), split.gold.offsets), split.index, (), None, NAMES, split.words)
    assert best_entity_f1(np.full((48, 5), 0.2), nothing).tolist() == [0.5] * 5


def test_a_tag_by_its_threshold_tells_its_own_probability():
    split, _ = sentences(0, 1, words=2)
    probabilities = np.array([[0.6, 0.4, 0, 0, 0], [0.9, 0.05, 0.05, 0, 0]])
    answers = Tag.decoded("tokens", probabilities, split, np.array([0.9, 0.5, 0.5, 0.5, 0.5]))
    assert answers["predicted"].values.tolist() == [1, 0]
    assert answers["sure"].values.tolist() == [0.4, 0.9]
    assert Tag.decoded("tokens", probabilities, split)["predicted"].values.tolist() == [0, 0]
