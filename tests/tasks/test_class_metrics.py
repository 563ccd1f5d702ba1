import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peer

from acclimate.errors import TrainingError
from acclimate.tasks.classify import Classify
from acclimate.tasks.one_name import highest
from acclimate.tasks.split import Split


def split_of(gold, classes):
    return Split((("",) * len(gold),), np.asarray(gold), np.arange(len(gold)), (), None, tuple(map(str, range(classes))))


def classification_metrics(gold, probabilities):
    split = split_of(gold, probabilities.shape[1])
    return Classify.scores(split, highest(probabilities, split))


def areas(gold, probabilities):
    scores = classification_metrics(gold, probabilities)
    return scores["pr_auc"], scores["pr_auc_base_rate"]


def score(name, gold, probabilities):
    return classification_metrics(gold, np.asarray(probabilities))[name]


@st.composite
def labelled(draw):
    classes = draw(st.integers(2, 6))
    count = draw(st.integers(1, 60))
    numbers = st.lists(st.integers(0, classes - 1), min_size=count, max_size=count)
    return np.array(draw(numbers)), np.array(draw(numbers)), classes


@pytest.mark.measured(0)
@given(labelled())
def test_scores_equal_those_of_scikit_learn(case):
    gold, predicted, classes = case
    scores = classification_metrics(gold, np.eye(classes)[predicted])
    every = {"labels": range(classes), "zero_division": 0}
    assert scores["accuracy"] == pytest.approx(peer.accuracy_score(gold, predicted))
    assert scores["macro_f1"] == pytest.approx(peer.f1_score(gold, predicted, average="macro", **every))
    assert scores["micro_f1"] == pytest.approx(peer.f1_score(gold, predicted, average="micro", **every))
    assert scores["macro_precision"] == pytest.approx(peer.precision_score(gold, predicted, average="macro", **every))
    assert scores["macro_recall"] == pytest.approx(peer.recall_score(gold, predicted, average="macro", **every))
    if len(set(gold)) > 1:  # where gold has one class scikit-learn warns and gives 0, too
        assert scores["mcc"] == pytest.approx(peer.matthews_corrcoef(gold, predicted), abs=1e-9)


def test_macro_f1_is_over_all_known_classes_also_those_that_the_split_lacks():
    gold = np.array([0, 0, 1, 1])
    probabilities = np.eye(3)[gold]
    assert classification_metrics(gold, probabilities)["macro_f1"] == pytest.approx(2 / 3)


def test_loss_is_the_mean_cross_entropy_and_a_sure_mistake_costs_a_finite_amount():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert classification_metrics(np.array([0, 1]), probabilities)["loss"] == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert 20 < classification_metrics(np.array([1]), np.array([[1.0, 0.0]]))["loss"] < 30


@st.composite
def ranked(draw):
    classes = draw(st.integers(2, 5))
    count = draw(st.integers(1, 40))
    gold = np.array(draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count)))
    weights = np.array(draw(st.lists(st.lists(st.integers(0, 4), min_size=classes, max_size=classes), min_size=count, max_size=count)))
    return gold, (weights + 0.5) / (weights + 0.5).sum(axis=1, keepdims=True)


@given(ranked())
def test_scores_of_probabilities_are_numbers_within_their_bounds_and_those_of_their_definitions(case):
    gold, probabilities = case
    scores = classification_metrics(gold, probabilities)
    assert all(np.isfinite(value) for value in scores.values())
    count, classes = probabilities.shape
    assert 0 <= scores["brier"] <= 2
    assert scores["brier"] == pytest.approx(
        sum((probabilities[i, c] - (gold[i] == c)) ** 2 for i in range(count) for c in range(classes)) / count
    )
    assert scores["ece"] == pytest.approx(_ece_by_hand(gold, probabilities))
    assert 0 < scores["pr_auc_base_rate"] <= 1
    assert 0 < scores["pr_auc"] <= 1 + 1e-12
    present = [c for c in range(classes) if (gold == c).any()]
    if classes > 2 or len(present) == 1:
        areas = [peer.average_precision_score((gold == c).astype(int), probabilities[:, c]) for c in present]
        assert scores["pr_auc"] == pytest.approx(np.mean(areas))
        assert scores["pr_auc_base_rate"] == pytest.approx(1 / len(present))


def _ece_by_hand(gold, probabilities):
    total = 0.0
    for bin_ in range(15):
        inside = [i for i, row in enumerate(probabilities) if bin_ / 15 < max(row) <= (bin_ + 1) / 15]
        if inside:
            right = np.mean([probabilities[i].argmax() == gold[i] for i in inside])
            total += len(inside) / len(gold) * abs(right - np.mean([max(probabilities[i]) for i in inside]))
    return total


def test_with_two_classes_the_rarer_one_is_looked_for_and_of_equally_frequent_ones_the_second():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    # The rarer class is ranked last but one: found at the third text of its ranking.
    for gold, number, share in ([0, 0, 1, 0], 1, 1 / 4), ([1, 0, 1, 1], 0, 1 / 4), ([0, 0, 1, 1], 1, 1 / 2):
        area, base_rate = areas(np.array(gold), probabilities)
        assert area == pytest.approx(peer.average_precision_score(np.array(gold) == number, probabilities[:, number]))
        assert base_rate == share


def test_a_ranking_that_knows_nothing_scores_the_base_rate():
    gold = np.array([0] * 70 + [1] * 20 + [2] * 10)
    area, base_rate = areas(gold, np.full((100, 3), 1 / 3))
    assert area == pytest.approx(base_rate) == pytest.approx((0.7 + 0.2 + 0.1) / 3)
    area, base_rate = areas(gold[:90], np.full((90, 2), 0.5))
    assert area == pytest.approx(base_rate) == pytest.approx(20 / 90)


def test_a_class_without_a_text_is_left_out_of_the_ranking_scores_and_a_single_class_is_always_found():
    gold = np.array([0, 1, 0])
    ranked = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.5, 0.1, 0.4]])
    assert areas(gold, ranked) == (1.0, pytest.approx((2 / 3 + 1 / 3) / 2))
    assert areas(np.zeros(3, dtype=int), np.full((3, 2), 0.5)) == (1.0, 1.0)


def test_calibration_is_perfect_where_shares_are_right_and_brier_is_zero_only_where_all_is_sure_and_right():
    gold = np.array([0, 0, 0, 1])
    assert score("ece", gold, np.tile([0.75, 0.25], (4, 1))) == pytest.approx(0)
    assert score("brier", gold, np.tile([0.75, 0.25], (4, 1))) == pytest.approx(2 * 0.75 * 0.25)
    assert [score(name, gold, np.eye(2)[gold]) for name in ("brier", "ece")] == [0, 0]
    assert [score(name, gold, np.eye(2)[1 - gold]) for name in ("brier", "ece")] == [2, 1]


def test_probabilities_that_are_no_numbers_are_an_error_with_its_mend_and_never_a_score():
    with pytest.raises(TrainingError, match="lower learning rate"):
        classification_metrics(np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, np.nan]]))
