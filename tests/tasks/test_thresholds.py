import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.errors import SettingsError
from acclimate.tasks.multilabel import Multilabel, tuned
from acclimate.tasks.similarity import Similarity
from acclimate.tasks.split import Split
from acclimate.tasks.tag import Tag
from acclimate.tasks.thresholds import best_f1


def f1(gold, given_):
    return 2 * (gold & given_).sum() / max(gold.sum() + given_.sum(), 1)


@st.composite
def ranked(draw):
    count = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.random(count) < draw(st.floats(0, 1)), np.round(rng.random(count), draw(st.integers(0, 3)))


@given(ranked())
def test_no_other_threshold_has_a_higher_f1(case):
    gold, probabilities = case
    found = best_f1(gold, probabilities)
    best = max(f1(gold, probabilities > each) for each in [0.0, 0.5, *probabilities])
    if gold.any():
        assert f1(gold, probabilities > found) == pytest.approx(best)
    else:
        assert found == 0.5


@pytest.mark.parametrize(
    ("gold", "probabilities", "threshold"),
    [
        ([1, 1, 0], [0.9, 0.8, 0.1], 0.5),  # one half parts them, too
        ([1, 1, 0], [0.4, 0.3, 0.1], 0.2),  # half way between
        ([1, 0, 1], [0.9, 0.9, 0.9], 0.5),
        ([1, 1], [0.2, 0.1], 0.05),  # all are given
        ([0, 0], [0.9, 0.1], 0.5),  # nothing to choose by
        ([1, 1], [0.0, 0.0], 0.5),  # nothing that could be chosen
    ],
)
def test_where_a_threshold_stands(gold, probabilities, threshold):
    assert best_f1(np.array(gold, dtype=bool), np.array(probabilities)) == pytest.approx(threshold)


def test_numbers_next_to_each_other_are_parted():
    high = np.nextafter(0.3, 1)
    gold, probabilities = np.array([True, False]), np.array([high, 0.3])
    assert (probabilities > best_f1(gold, probabilities)).tolist() == [True, False]


def test_each_label_has_its_own():
    gold = np.array([[True, False], [False, True], [False, False]])
    split = Split((("", "", ""),), gold, np.arange(3), (), None, ("a", "b"))
    probabilities = np.array([[0.2, 0.1], [0.1, 0.9], [0.0, 0.8]])
    thresholds = tuned(probabilities, split)
    assert thresholds == pytest.approx([0.15, 0.85])
    answers = Multilabel.decoded("sequence", probabilities, split, thresholds)
    assert (answers["predicted"] == gold).all()
    assert not (Multilabel.decoded("sequence", probabilities, split)["predicted"] == gold).all()


def test_a_kind_without_thresholds_refuses_to_tune_them():
    Similarity.check_thresholds("half", ())
    Multilabel.check_thresholds("tuned", ("a", "b"))
    with pytest.raises(SettingsError, match="thresholds: similarity has no thresholds to be tuned"):
        Similarity.check_thresholds("tuned", ())


def test_tags_without_o_have_no_threshold():
    Tag.check_thresholds("tuned", ("O", "B-x", "I-x"))
    Tag.check_thresholds("half", ("noun", "verb"))
    with pytest.raises(SettingsError, match="thresholds: it is that of O which is tuned, and none of these tags is"):
        Tag.check_thresholds("tuned", ("noun", "verb"))
