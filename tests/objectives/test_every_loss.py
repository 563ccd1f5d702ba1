"""One contract for every loss of the table, and for one from outside: what a batch is cut into changes nothing."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from tests.objectives.given import CHOICES, given, loss_of_names
from tests.toys.contrast import Contrast

from acclimate.data.batches import TARGET_INDEX, Batch
from acclimate.data.ragged import Ragged
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.losses import LOSSES
from acclimate.objectives.supervised import Supervised
from acclimate.tasks.kind import OF_NAMES
from acclimate.tasks.split import Split
from acclimate.training.cached_gradients import accumulate
from acclimate.training.devices import Devices

ITEMS, NAMES = 12, ("a", "b", "c")
WEIGHTS = np.array([1.0, 2.0, 0.5])

# What is right for 12 items, by what a loss takes.
GOLD = {
    "class": np.arange(ITEMS) % len(NAMES),
    "number": np.linspace(-1.0, 2.0, ITEMS),
    "set": (np.arange(ITEMS)[:, None] + np.arange(len(NAMES))) % 3 == 0,
    "tags": Ragged.single(np.arange(ITEMS) % len(NAMES)),
}


# Losses of names are tried on all that is answered with names.
TRIED = [*((name, takes) for name in OF_NAMES for takes in ("class", "set", "tags")), ("squared_error", "number"), ("contrast", "class")]


def test_every_loss_of_the_table_is_tried():
    assert {name for name, _ in TRIED} == {*LOSSES, "contrast"}


@pytest.fixture(params=TRIED, ids="-".join)
def loss(request):
    name, takes = request.param
    if name in OF_NAMES:
        return loss_of_names(dict(zip(OF_NAMES, CHOICES, strict=True))[name], WEIGHTS, takes, counts=[6, 4, 2])
    return {**LOSSES, "contrast": Contrast}[name](given(WEIGHTS, takes))


def targets_of(loss, rows):
    split = Split((("text",) * ITEMS,), GOLD[loss.takes], np.arange(ITEMS), (), None, NAMES)
    # Of words the first pieces.
    targets = loss.targets(split, np.stack([rows, np.zeros_like(rows)], axis=1) if loss.takes == "tags" else rows)
    assert all(len(each) == len(rows) for each in targets.values())
    return targets


def some_outputs():
    return torch.randn(ITEMS, len(NAMES), generator=torch.Generator().manual_seed(0), requires_grad=True)


def over(loss, outputs, rows):
    """The summed loss of the outputs of these items, and what it is divided by."""
    targets = targets_of(loss, rows)
    return loss.summed(outputs, {key: torch.from_numpy(each) for key, each in targets.items()}), loss.count(targets)


def test_parts_of_a_batch_add_up_unless_its_items_see_each_other_and_every_output_learns(loss):
    rows, outputs = np.arange(ITEMS)[::-1].copy(), some_outputs()
    whole, count = over(loss, outputs, rows)
    assert whole.ndim == 0
    assert count > 0
    halves = [over(loss, outputs[part], rows[part]) for part in (slice(0, 5), slice(5, None))]
    if loss.together:
        # Otherwise it would run forward twice for nothing.
        assert abs(sum(each.item() for each, _ in halves) - whole.item()) > 1e-3
    else:
        torch.testing.assert_close(sum(each for each, _ in halves), whole)
        assert sum(each for _, each in halves) == pytest.approx(count)
    whole.backward()
    assert bool(outputs.grad.isfinite().all())
    assert bool((outputs.grad != 0).any(dim=1).all())


def test_a_loss_is_of_its_items_in_any_order_and_draws_nothing(loss):
    outputs, shuffled = some_outputs(), np.random.default_rng(0).permutation(ITEMS)
    before = torch.get_rng_state()
    found, count = over(loss, outputs, np.arange(ITEMS))
    again, as_many = over(loss, outputs[torch.from_numpy(shuffled)], shuffled)
    torch.testing.assert_close(again, found)
    assert as_many == pytest.approx(count)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("tokens", [1, 3, 7])
def test_cached_gradients_of_it_are_those_of_one_large_batch(loss, tokens):
    # Of any loss: one that is a sum over parts is the plain case.
    objective, model = Supervised(None, None, None, loss), Words()
    targets = {**targets_of(loss, np.arange(ITEMS)), TARGET_INDEX: np.arange(ITEMS)}
    batch = Batch(np.arange(ITEMS), np.zeros(ITEMS, dtype=np.int64), np.arange(ITEMS + 1), None, targets)
    tensors = to_tensors(batch, "cpu")
    (objective.loss(model, tensors) / objective.count(batch)).backward()
    wanted = model.words.weight.grad.clone()
    model.zero_grad()
    accumulate(objective, model, batch.micro(tokens), batch, objective.count(batch), Devices("float32"), lambda _: nullcontext(), "toy")
    torch.testing.assert_close(model.words.weight.grad, wanted, rtol=1e-5, atol=1e-7)


class Words(torch.nn.Module):
    """An output a word, and a word a text."""

    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(ITEMS, len(NAMES), _weight=some_outputs().detach())

    def forward(self, batch):
        return self.words(batch.input_ids)


def test_the_weight_of_a_class_is_the_weight_of_its_examples():
    split = Split((("text",) * ITEMS,), GOLD["class"], np.arange(ITEMS), (), None, NAMES)
    loss = loss_of_names("cross_entropy", WEIGHTS)
    assert loss.count(loss.targets(split, np.arange(3))) == pytest.approx(3.5)
