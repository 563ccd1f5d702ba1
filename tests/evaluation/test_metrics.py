import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peer

from acclimate.evaluation.metrics import METRICS, classification_metrics, confusion, per_class


@st.composite
def labelled(draw):
    classes = draw(st.integers(2, 6))
    count = draw(st.integers(1, 60))
    numbers = st.lists(st.integers(0, classes - 1), min_size=count, max_size=count)
    return np.array(draw(numbers)), np.array(draw(numbers)), classes


@given(labelled())
def test_scores_equal_those_of_scikit_learn(case):
    gold, predicted, classes = case
    counts = confusion(gold, predicted, classes)
    every = {"labels": range(classes), "zero_division": 0}
    assert METRICS["accuracy"](counts) == pytest.approx(peer.accuracy_score(gold, predicted))
    assert METRICS["macro_f1"](counts) == pytest.approx(peer.f1_score(gold, predicted, average="macro", **every))
    assert METRICS["micro_f1"](counts) == pytest.approx(peer.f1_score(gold, predicted, average="micro", **every))
    assert METRICS["macro_precision"](counts) == pytest.approx(peer.precision_score(gold, predicted, average="macro", **every))
    assert METRICS["macro_recall"](counts) == pytest.approx(peer.recall_score(gold, predicted, average="macro", **every))
    if len(set(gold)) > 1:  # where gold has one class scikit-learn warns and gives 0, too
        assert METRICS["mcc"](counts) == pytest.approx(peer.matthews_corrcoef(gold, predicted), abs=1e-9)


def test_macro_f1_is_over_all_known_classes_also_those_that_the_split_lacks():
    gold = np.array([0, 0, 1, 1])
    probabilities = np.eye(3)[gold]
    assert classification_metrics(gold, probabilities)["macro_f1"] == pytest.approx(2 / 3)


def test_loss_is_the_mean_cross_entropy_and_a_sure_mistake_costs_a_finite_amount():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert classification_metrics(np.array([0, 1]), probabilities)["loss"] == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert 20 < classification_metrics(np.array([1]), np.array([[1.0, 0.0]]))["loss"] < 30


def test_per_class_names_precision_recall_f1_and_support():
    rows = per_class(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), ("a", "b", "c"))
    assert rows[1] == {"label": "b", "precision": pytest.approx(1 / 3), "recall": 1.0, "f1": 0.5, "texts": 1}
    assert rows[2]["f1"] == 0.0
