"""Each loss of names against its formula in float64, and against the numbers of public implementations."""

import math

import numpy as np
import pytest
import torch
from tests.objectives.given import loss_of_names

from acclimate.tasks.kind import OF_NAMES
from acclimate.tasks.split import Split

RNG = np.random.default_rng(0)
LOGITS, CLASSES = RNG.normal(scale=3.0, size=(40, 4)), RNG.integers(0, 4, 40)
SETS = RNG.random((40, 4)) < 0.3
WEIGHTS = np.array([0.5, 1.0, 2.0, 4.0])


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def right_classes(logits=LOGITS):
    """p of what is right."""
    return softmax(logits)[np.arange(40), CLASSES]


def right_sets(logits=LOGITS):
    return np.where(SETS, sigmoid(logits), sigmoid(-logits))


def mean_of(choice, takes, weights=None, counts=None, logits=LOGITS, gold=None):
    """The loss of a batch, as training has it."""
    loss = loss_of_names(choice, np.ones(4) if weights is None else weights, takes, counts)
    gold = {"class": CLASSES, "set": SETS}[takes] if gold is None else gold
    targets = loss.targets(Split((("",) * len(gold),), gold, np.arange(len(gold)), (), None, tuple("abcd")), np.arange(len(gold)))
    outputs = torch.tensor(logits, dtype=torch.float32, requires_grad=True)
    found = loss.summed(outputs, {name: torch.from_numpy(each) for name, each in targets.items()}) / loss.count(targets)
    found.backward()
    assert bool(outputs.grad.isfinite().all())
    return found.item()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_is_that_of_its_paper_with_class_weights_as_alpha(gamma):
    choice = {"focal": {"gamma": gamma}}
    p = right_classes()
    assert mean_of(choice, "class") == pytest.approx(np.mean(-((1 - p) ** gamma) * np.log(p)), rel=1e-5)
    weights = WEIGHTS[CLASSES]
    wanted = np.sum(-weights * (1 - p) ** gamma * np.log(p)) / weights.sum()
    assert mean_of(choice, "class", WEIGHTS) == pytest.approx(wanted, rel=1e-5)
    p = right_sets()
    wanted = np.mean(-np.where(SETS, WEIGHTS, 1.0) * (1 - p) ** gamma * np.log(p))
    assert mean_of(choice, "set", WEIGHTS) == pytest.approx(wanted, rel=1e-5)


def test_focal_gives_the_numbers_of_torchvision():
    # sigmoid_focal_loss(tensor([[0., 2., -1.]]), tensor([[1., 1., 0.]]), alpha=-1, gamma=2)
    logits, gold = np.array([[0.0, 2.0, -1.0]]), np.array([[True, True, False]])
    each = [0.25 * math.log(2), 0.11920292**2 * 0.12692801, 0.26894142**2 * 0.31326169]
    loss = loss_of_names("focal", np.ones(3), "set")
    split = Split((("",),), gold, np.arange(1), (), None, tuple("abc"))
    targets = {name: torch.from_numpy(found) for name, found in loss.targets(split, np.arange(1)).items()}
    assert loss.summed(torch.tensor(logits), targets).item() == pytest.approx(sum(each) / 3, rel=1e-6)


def test_focal_without_focus_is_cross_entropy():
    for takes in ("class", "set"):
        assert mean_of({"focal": {"gamma": 0}}, takes, WEIGHTS) == pytest.approx(mean_of("cross_entropy", takes, WEIGHTS), rel=1e-6)


@pytest.mark.parametrize("takes", ["class", "set"])
@pytest.mark.parametrize("choice", OF_NAMES)
def test_gradients_stay_finite_however_sure_and_however_wrong_a_model_is(choice, takes):
    for size in (30.0, 1e4, 1e30):
        logits = np.where(np.eye(4, dtype=bool)[RNG.integers(0, 4, 40)], size, -size)
        assert math.isfinite(mean_of(choice, takes, counts=[30, 5, 5, 0], logits=logits))
    assert math.isfinite(mean_of(choice, takes, counts=[30, 5, 5, 0], logits=np.zeros((40, 4))))
    assert mean_of(choice, takes, counts=[30, 5, 5, 0]) > 0


@pytest.mark.parametrize("choice", OF_NAMES)
def test_where_nothing_is_asked_it_costs_nothing(choice):
    loss = loss_of_names(choice, np.ones(3), "tags", [3, 2, 1])
    none = {"target_labels": torch.zeros(0, dtype=torch.long), "target_weights": torch.zeros(0)}
    assert loss.summed(torch.zeros(0, 3), none).item() == 0
    passed_over = {"target_labels": torch.zeros(2, dtype=torch.long), "target_weights": torch.zeros(2)}
    assert loss.summed(torch.randn(2, 3), passed_over).item() == 0
