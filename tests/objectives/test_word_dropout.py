import numpy as np
import pytest
from tests.objectives.given import loss_of_names

from acclimate.data.batches import CountOrder
from acclimate.data.sequences import Sequences
from acclimate.data.windows import first
from acclimate.modeling.baselines.word_list import UNKNOWN, WordList
from acclimate.objectives.supervised import Supervised
from acclimate.objectives.word_dropout import WordDropout
from acclimate.tasks.split import Split

TEXTS = ["a b c d " * 50, "b a", "c", "d d d"]


def objective(dropout, seed=3):
    words = WordList.of(TEXTS, 100, 1)
    store = words.encode(TEXTS)
    split, loss = Split((tuple(TEXTS),), np.array([0, 1, 0, 1]), np.arange(4), ()), loss_of_names("cross_entropy", [1.0, 2.0])
    items = Supervised(Sequences(store, first(store, 500), (), ()), split, CountOrder(4, 4, 3), loss)
    return WordDropout(items, dropout, seed)


def test_the_batch_of_a_step_is_a_pure_function_of_seed_and_step():
    one, again, other = objective(0.3), objective(0.3), objective(0.3, seed=4)
    steps = [one.batch(step).input_ids for step in (0, 1, 0)]
    assert np.array_equal(steps[0], steps[2])
    assert np.array_equal(again.batch(1).input_ids, steps[1])
    assert not np.array_equal(other.batch(0).input_ids == UNKNOWN, steps[0] == UNKNOWN)
    assert not np.array_equal(steps[0] == UNKNOWN, steps[1] == UNKNOWN)


def test_words_become_unknown_at_the_rate_that_was_asked_for_and_nothing_else_changes():
    plain, dropped = objective(0.0), objective(0.3)
    assert not (plain.batch(0).input_ids == UNKNOWN).any()
    batch, same = dropped.batch(0), plain.batch(0)
    unknown = batch.input_ids == UNKNOWN
    assert unknown.mean() == pytest.approx(0.3, abs=0.1)
    assert np.array_equal(batch.input_ids[~unknown], same.input_ids[~unknown])
    assert np.array_equal(batch.offsets, same.offsets)
    assert dropped.count(batch) == plain.count(same) == 6
