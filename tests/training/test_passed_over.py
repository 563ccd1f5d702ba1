"""A batch that asks for nothing is passed over: no step of the optimiser, and steps, order and resume as they were."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from acclimate.data.batches import Batch
from acclimate.errors import Interrupted
from acclimate.evaluation.inference import masked_scores
from acclimate.objectives.vocabulary_loss import summed_cross_entropy
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.loop import Group, Surroundings, TrainSettings, train
from acclimate.training.progress import Silent

WORDS = 20
SETTINGS = TrainSettings(
    title="toy", steps=12, lr=0.05, warmup=0.0, shape="linear", clip=1.0, seed=3, micro_tokens=10_000, evaluate_every=4,
    checkpoint_seconds=0.0,
)  # fmt: skip


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(WORDS, 8)
        self.out = nn.Linear(8, WORDS)

    def forward(self, batch):
        return self.out(self.words(batch.input_ids[batch.targets["target_index"]]))


@dataclass
class Masked:
    """Three sequences of four words a step; `silent` steps ask for none of them, the others for one of one sequence."""

    silent: frozenset
    stop: StopRequest | None = None
    stop_at: int = -1

    def batch(self, step):
        ids = np.random.default_rng(step).integers(0, WORDS, 12)
        index = np.array([], np.int64) if step in self.silent else np.array([5])
        targets = {"target_index": index, "target_ids": ids[index]}
        return Batch(ids, np.tile(np.arange(4), 3), np.array([0, 4, 8, 12]), targets=targets)

    def count(self, batch):
        return float(len(batch.targets["target_ids"]))

    def loss(self, model, batch):
        if self.stop is not None:
            self.stop_at -= 1
            if self.stop_at == 0:
                self.stop.ask()
        return summed_cross_entropy(model(batch).float(), batch.targets["target_ids"])


def run(folder, objective, stop=None, settings=SETTINGS, devices=None):
    model = Toy()
    groups = [Group(list(model.parameters()), 1.0, 0.5)]
    around = Surroundings(devices or Devices("float32"), Silent(), stop or StopRequest())
    result = train(settings, objective, model, groups, lambda module: {"score": 1.0}, Checkpoints(folder), around)
    return model, result


def test_weights_stay_as_they_are_where_nothing_is_asked_for_and_nothing_is_divided_by_zero(tmp_path):
    model, result = run(tmp_path, Masked(frozenset(range(12))))
    assert (result.steps, result.passed_over, result.history) == (12, 12, [])
    for name, value in Toy().state_dict().items():  # weight decay, too, belongs to a step
        assert torch.equal(value, model.state_dict()[name])


def test_steps_tokens_and_losses_are_those_of_the_batches_that_ask(tmp_path):
    _, result = run(tmp_path, Masked(frozenset({0, 5, 11})))
    assert (result.steps, result.passed_over, result.tokens) == (12, 3, 12 * 12)
    assert [line["step"] for line in result.history] == [2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert all(math.isfinite(line["loss"]) for line in result.history)


@pytest.mark.parametrize("stop_at", [1, 4, 6])
def test_a_resume_among_passed_over_steps_is_bitwise_equal(tmp_path, stop_at):
    silent = frozenset({0, 4, 5, 11})
    whole, expected = run(tmp_path / "whole", Masked(silent))
    stop = StopRequest()
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", Masked(silent, stop, stop_at), stop)
    resumed, found = run(tmp_path / "cut", Masked(silent))
    assert replace(found, seconds=0) == replace(expected, seconds=0)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


def test_a_part_without_targets_leaves_the_sum_as_it_is(tmp_path):
    # Sequences of unknown tokens alone in a forward pass of their own, beside one that asks.
    whole, _ = run(tmp_path / "whole", Masked(frozenset()))
    parts, _ = run(tmp_path / "parts", Masked(frozenset()), settings=replace(SETTINGS, micro_tokens=4))
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value)


def test_scores_pass_over_batches_that_ask_for_nothing():
    objective, model = Masked(frozenset({0, 2})), Toy()
    batches = [objective.batch(step) for step in range(4)]
    asked = [batches[1], batches[3]]
    assert masked_scores(model, batches, Devices("float32")) == masked_scores(model, asked, Devices("float32"))
    assert masked_scores(model, batches[:1], Devices("float32")).tokens == 0
