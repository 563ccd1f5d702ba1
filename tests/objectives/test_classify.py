import numpy as np
import pytest
import torch

from acclimate.errors import SettingsError
from acclimate.objectives.classify import class_weights

LABELS = np.array([0, 0, 0, 1])


def test_class_weights_are_those_of_their_definitions():
    assert class_weights("none", LABELS, ("a", "b")).tolist() == [1, 1]
    assert class_weights("balanced", LABELS, ("a", "b")).tolist() == pytest.approx([4 / 6, 2])
    assert class_weights({"b": 3.0}, LABELS, ("a", "b")).tolist() == [1, 3]
    assert np.isfinite(class_weights("balanced", LABELS, ("a", "b", "absent"))).all()


def test_a_weight_for_an_unknown_label_is_refused():
    with pytest.raises(SettingsError, match="'c' is not among"):
        class_weights({"c": 1.0}, LABELS, ("a", "b"))


def test_summed_loss_over_summed_weights_is_the_weighted_mean_of_torch():
    logits, labels, weights = torch.randn(8, 3), torch.randint(0, 3, (8,)), torch.tensor([1.0, 2.0, 0.5])
    summed = torch.nn.functional.cross_entropy(logits, labels, weight=weights, reduction="sum") / weights[labels].sum()
    torch.testing.assert_close(summed, torch.nn.functional.cross_entropy(logits, labels, weight=weights))
