"""Each loss of names against its formula in float64, and against the numbers of public implementations."""

import math

import numpy as np
import pytest
import torch
from tests.objectives.given import CHOICES, given, loss_of_names

from acclimate.data.ragged import Ragged
from acclimate.objectives.losses import LOSSES
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


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5])
def test_label_smoothing_is_that_of_torch_with_class_weights_too(epsilon):
    choice, logits = {"label_smoothing": {"epsilon": epsilon}}, torch.tensor(LOGITS, dtype=torch.float32)
    for weights in (np.ones(4), WEIGHTS):
        theirs = torch.nn.CrossEntropyLoss(torch.tensor(weights, dtype=torch.float32), label_smoothing=epsilon)
        assert mean_of(choice, "class", weights) == pytest.approx(theirs(logits, torch.tensor(CLASSES)).item(), rel=1e-5)
        # Of labels each by itself there are two answers, over which it is spread.
        smooth = torch.tensor(SETS * (1 - epsilon) + epsilon / 2, dtype=torch.float32)
        theirs = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weights, dtype=torch.float32))
        assert mean_of(choice, "set", weights) == pytest.approx(theirs(logits, smooth).item(), rel=1e-5)
    p = softmax(LOGITS)
    wanted = np.mean(-(1 - epsilon) * np.log(right_classes()) - epsilon * np.log(p).mean(axis=1))
    assert mean_of(choice, "class") == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("tau", [0.0, 1.0, 1.5])
def test_logit_adjustment_adds_the_logarithm_of_the_priors_and_no_example_counts_as_one(tau):
    choice, counts = {"logit_adjustment": {"tau": tau}}, np.array([60, 30, 10, 0])
    priors = np.array([0.6, 0.3, 0.1, 0.01])
    right = right_classes(LOGITS + tau * np.log(priors))
    assert mean_of(choice, "class", counts=counts) == pytest.approx(np.mean(-np.log(right)), rel=1e-5)
    weighed = np.sum(-WEIGHTS[CLASSES] * np.log(right)) / WEIGHTS[CLASSES].sum()
    assert mean_of(choice, "class", WEIGHTS, counts) == pytest.approx(weighed, rel=1e-5)
    # 100 texts, of which all have the first label.
    odds = np.array([100 / 1, 30 / 70, 10 / 90, 1 / 100])
    made = given(np.ones(4), "set", choice, [100, 30, 10, 0])._replace(examples=100)
    targets = {"labels": torch.tensor(SETS, dtype=torch.float32), "weights": torch.ones(40, 4)}
    found = LOSSES["logit_adjustment"](made).summed(torch.tensor(LOGITS), targets).item() / 40
    assert found == pytest.approx(np.mean(-np.log(right_sets(LOGITS + tau * np.log(odds)))), rel=1e-5)


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize(("alpha", "smooth"), [(0.01, 1.0), (0.6, 0.5), (0.0, 1e-4), (1.0, 1.0)])
def test_dice_is_that_of_its_paper(alpha, smooth, squared):
    def dice(p, y):
        q = (1 - p) ** alpha * p
        return 1 - (2 * q * y + smooth) / ((q**2 if squared else q) + y + smooth)

    choice = {"dice": {"alpha": alpha, "smooth": smooth, "squared": squared}}
    assert mean_of(choice, "class") == pytest.approx(dice(softmax(LOGITS), np.eye(4)[CLASSES]).sum(axis=1).mean(), rel=1e-4)
    assert mean_of(choice, "set") == pytest.approx(dice(sigmoid(LOGITS), SETS.astype(float)).mean(), rel=1e-4)


@pytest.mark.parametrize(("settings", "theirs"), [({}, 0.1610270724), ({"alpha": 0.5, "smooth": 0.5}, 0.4033618015)])
def test_dice_is_what_its_authors_train_with(settings, theirs):
    # DiceLoss(smooth=1, alpha=0.01, square_denominator=True) of their repository, as their scripts have it, of these logits in float64.
    loss = loss_of_names({"dice": settings}, np.ones(3))
    logits, labels = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-1.0, 3.0, 1.0]]), torch.tensor([0, 2, 1])
    assert loss.term.one(logits, labels, torch.ones(3)).mean().item() == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_tag_costs_what_a_class_costs(choice):
    tags = Ragged.of([CLASSES[:15].tolist(), CLASSES[15:].tolist()])
    loss, names = loss_of_names(choice, np.ones(4), "tags", [5, 5, 20, 10]), ("NOUN", "VERB", "X", "PUNCT")
    targets = loss.targets(Split((("", ""),), tags, np.arange(2), (), None, names), np.stack([np.arange(40), np.zeros(40, int)], axis=1))
    found = loss.summed(torch.tensor(LOGITS), {name: torch.from_numpy(each) for name, each in targets.items()}) / loss.count(targets)
    assert found.item() == pytest.approx(mean_of(choice, "class", counts=[5, 5, 20, 10]), rel=1e-6)


@pytest.mark.parametrize("takes", ["class", "set"])
@pytest.mark.parametrize("choice", CHOICES)
def test_gradients_stay_finite_however_sure_and_however_wrong_a_model_is(choice, takes):
    for size in (30.0, 1e4, 1e30):
        logits = np.where(np.eye(4, dtype=bool)[RNG.integers(0, 4, 40)], size, -size)
        assert math.isfinite(mean_of(choice, takes, counts=[30, 5, 5, 0], logits=logits))
    assert math.isfinite(mean_of(choice, takes, counts=[30, 5, 5, 0], logits=np.zeros((40, 4))))
    assert mean_of(choice, takes, counts=[30, 5, 5, 0]) > 0


@pytest.mark.parametrize("choice", CHOICES)
def test_where_nothing_is_asked_it_costs_nothing(choice):
    loss = loss_of_names(choice, np.ones(3), "tags", [3, 2, 1])
    none = {"target_labels": torch.zeros(0, dtype=torch.long), "target_weights": torch.zeros(0)}
    assert loss.summed(torch.zeros(0, 3), none).item() == 0
    passed_over = {"target_labels": torch.zeros(2, dtype=torch.long), "target_weights": torch.zeros(2)}
    assert loss.summed(torch.randn(2, 3), passed_over).item() == 0
