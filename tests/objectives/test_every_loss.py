"""One contract for every loss of the table, and for one from outside: what a batch is cut into changes nothing."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from acclimate.objectives import losses
from acclimate.objectives.losses.cross_entropy import CrossEntropy
from acclimate.tasks.split import Split

ITEMS, NAMES = 12, ("a", "b", "c")
WEIGHTS = np.array([1.0, 2.0, 0.5])

# What is right for 12 items, by what a loss takes.
GOLD = {
    "class": np.arange(ITEMS) % len(NAMES),
    "set": (np.arange(ITEMS)[:, None] + np.arange(len(NAMES))) % 3 == 0,
}


@dataclass(frozen=True)
class Focal(CrossEntropy):
    """Cross-entropy that cares less for what is nearly right (Lin et al. 2017): a loss from outside."""

    focus: ClassVar[float] = 2.0

    def summed(self, outputs, targets):
        each = torch.nn.functional.cross_entropy(outputs.float(), targets["labels"], reduction="none")
        return ((1 - (-each).exp()) ** self.focus * each * targets["weights"]).sum()


@pytest.mark.parametrize("name", [*losses.LOSSES, "focal"])
def test_parts_of_a_batch_add_up_to_the_whole_and_every_output_learns(name, monkeypatch):
    monkeypatch.setitem(losses.LOSSES, "focal", Focal)
    loss = losses.LOSSES[name](WEIGHTS)
    assert loss.takes in GOLD, f"say in GOLD what is right for a loss that takes {loss.takes!r}"
    split = Split((("text",) * ITEMS,), GOLD[loss.takes], np.arange(ITEMS), (), None, NAMES)
    rows = np.arange(ITEMS)[::-1].copy()
    outputs = torch.randn(ITEMS, len(NAMES), generator=torch.Generator().manual_seed(0), requires_grad=True)

    def over(part):
        targets = loss.targets(split, rows[part])
        assert all(len(each) == len(rows[part]) for each in targets.values())
        return loss.summed(outputs[part], {key: torch.from_numpy(each) for key, each in targets.items()}), loss.count(targets)

    whole, count = over(slice(None))
    assert whole.ndim == 0
    assert count > 0
    if not loss.together:
        halves = [over(slice(0, 5)), over(slice(5, None))]
        torch.testing.assert_close(sum(each for each, _ in halves), whole)
        assert sum(each for _, each in halves) == pytest.approx(count)
    whole.backward()
    assert bool(outputs.grad.isfinite().all())
    assert bool((outputs.grad != 0).any(dim=1).all())


def test_the_weight_of_a_class_is_the_weight_of_its_examples():
    split = Split((("text",) * ITEMS,), GOLD["class"], np.arange(ITEMS), (), None, NAMES)
    assert CrossEntropy(WEIGHTS).count(CrossEntropy(WEIGHTS).targets(split, np.arange(3))) == pytest.approx(3.5)
