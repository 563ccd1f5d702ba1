import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from acclimate.errors import TrainingError
from acclimate.tasks.metrics.sets import by_label
from acclimate.tasks.multilabel import Multilabel, above
from acclimate.tasks.split import Split


def split_of(gold):
    gold = np.asarray(gold, dtype=bool)
    return Split((("",) * len(gold),), gold, np.arange(len(gold)), (), None, tuple(map(str, range(gold.shape[1]))))


def scores(gold, probabilities):
    split = split_of(gold)
    return Multilabel.scores(split, above(probabilities, split))


@st.composite
def labelled(draw):
    shape = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    gold = rng.random(shape) < draw(st.floats(0, 1))
    return gold, np.round(rng.random(shape), draw(st.integers(1, 6)))


@pytest.mark.measured(0)
@settings(max_examples=40)
@given(labelled())
def test_scores_of_sets_equal_those_of_scikit_learn(case):
    gold, probabilities = case
    predicted = probabilities > 0.5
    found = scores(gold, probabilities)
    for average in ("macro", "micro"):
        assert found[f"{average}_f1"] == pytest.approx(peer.f1_score(gold, predicted, average=average, zero_division=0))
        assert found[f"{average}_precision"] == pytest.approx(peer.precision_score(gold, predicted, average=average, zero_division=0))
        assert found[f"{average}_recall"] == pytest.approx(peer.recall_score(gold, predicted, average=average, zero_division=0))
    assert found["example_f1"] == pytest.approx(peer.f1_score(gold, predicted, average="samples", zero_division=1))
    assert found["exact_match"] == pytest.approx(peer.accuracy_score(gold, predicted))
    assert found["hamming_loss"] == pytest.approx(peer.hamming_loss(gold, predicted))
    each = [peer.brier_score_loss(*pair, pos_label=1) for pair in zip(gold.T, probabilities.T, strict=True)]
    assert found["brier"] == pytest.approx(np.mean(each))
    clipped = np.clip(probabilities, 1e-12, 1 - 1e-12)
    each = [peer.log_loss(*pair, labels=[False, True]) for pair in zip(gold.T, clipped.T, strict=True)]
    assert found["loss"] == pytest.approx(np.mean(each), rel=1e-5, abs=1e-9)
    held = gold.any(axis=0)
    if held.any():
        assert found["pr_auc"] == pytest.approx(peer.average_precision_score(gold[:, held], probabilities[:, held], average="macro"))
        assert found["pr_auc_base_rate"] == pytest.approx(gold[:, held].mean())


@settings(max_examples=40)
@given(labelled())
def test_each_label_has_the_precision_and_recall_of_scikit_learn(case):
    gold, probabilities = case
    found = by_label(gold, probabilities > 0.5)
    theirs = peer.precision_recall_fscore_support(gold, probabilities > 0.5, average=None, zero_division=0)
    for ours, wanted in zip(found, theirs, strict=False):
        assert ours == pytest.approx(wanted)


def test_a_text_without_labels_of_which_none_is_said_is_right():
    found = scores([[False, False], [True, False]], [[0.1, 0.2], [0.9, 0.2]])
    assert (found["example_f1"], found["exact_match"], found["hamming_loss"]) == (1, 1, 0)
    assert found["macro_f1"] == 0.5  # the second label is nowhere


def test_a_label_without_an_example_counts_in_macro_f1_and_not_in_the_area():
    found = scores([[True, False], [False, False]], [[0.9, 0.2], [0.1, 0.7]])
    assert found["macro_f1"] == 0.5
    assert found["pr_auc"] == 1.0
    assert found["pr_auc_base_rate"] == 0.5


def test_a_split_without_any_label_has_scores():
    found = scores([[False, False]], [[0.9, 0.2]])
    assert found["pr_auc"] == found["pr_auc_base_rate"] == found["macro_f1"] == 0
    assert np.isfinite([*found.values()]).all()


def test_probabilities_that_are_no_numbers_are_refused():
    with pytest.raises(TrainingError, match="not numbers"):
        scores([[True, False]], [[np.nan, 0.5]])


def test_half_is_not_above_half():
    assert above([[0.5, 0.500001]], split_of([[True, True]]))["predicted"].tolist() == [[False, True]]
