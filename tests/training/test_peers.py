"""What processes that train together have of a checkpoint; two real ones do so in tests/faults/test_lost_nodes.py."""

import pytest
import torch
from torch import nn

from acclimate.training import peers
from acclimate.training.checkpoint import Checkpoints, TrainState


class Main:
    """Of two processes the main one, which keeps what it sends."""

    world, is_main = 2, True

    def __init__(self):
        self.sent = []

    def told(self, value):
        self.sent.append(value)
        return value

    def handed(self, tensor):
        self.sent.append(tensor.detach().clone())
        return tensor


class Other:
    """The other one, which is given that."""

    world, is_main = 2, False

    def __init__(self, sent):
        self._sent = sent

    def told(self, value):
        return self._sent.pop(0)

    def handed(self, tensor):
        sent = self._sent.pop(0)
        assert (sent.shape, sent.dtype) == (tensor.shape, tensor.dtype)
        return sent


def trained(seed, steps):
    """A model, some of it frozen, and its optimizer after so many steps."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)).requires_grad_(False)
    model[1].requires_grad_(True)
    optimizer = torch.optim.AdamW(model[1].parameters(), lr=0.1)
    for _ in range(steps):
        model(torch.ones(1, 3)).pow(2).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


@pytest.fixture
def machine(tmp_path):
    """A function from a name, a seed and steps to the folder of a machine that came so far."""

    def made(name, seed, steps, **more):
        checkpoints, (model, optimizer) = Checkpoints(tmp_path / name), trained(seed, steps)
        checkpoints.save_best(model)
        checkpoints.save(TrainState(step=steps, **more), model, optimizer)
        return checkpoints, model[1].state_dict(), optimizer.state_dict()["state"]

    return made


@pytest.mark.parametrize("finished", [False, True])
def test_all_go_on_from_what_the_main_process_reads_whatever_lies_in_their_own_folders(machine, finished):
    ours, weights, moments = machine("main", 1, 3, best_step=2, finished=finished)
    theirs, *_ = machine("other", 2, 5)
    devices, ended = Main(), []
    for checkpoints, start in ((ours, devices), (theirs, Other(devices.sent))):
        model, optimizer = trained(9, 0)
        ended.append((peers.load(checkpoints, model, optimizer, start), model[1].state_dict(), optimizer.state_dict()["state"]))
    for state, found, remembered in ended:
        assert (state.step, state.best_step, state.finished) == (3, 2, finished)
        torch.testing.assert_close(found, weights, rtol=0, atol=0)
        torch.testing.assert_close(remembered, {} if finished else moments, rtol=0, atol=0)
    assert devices.sent == []


def test_all_have_the_best_weights_of_the_main_process(machine):
    devices, other = Main(), trained(9, 0)[0]
    ours, weights, _ = machine("main", 1, 3)
    peers.load_best(ours, trained(8, 0)[0], devices)
    peers.load_best(machine("other", 2, 5)[0], other, Other(devices.sent))
    torch.testing.assert_close(other[1].state_dict(), weights, rtol=0, atol=0)


def test_where_the_main_process_has_none_all_begin_at_the_first_step(machine, tmp_path):
    devices, (model, optimizer) = Main(), trained(9, 0)
    theirs, *_ = machine("other", 2, 5)
    assert peers.load(Checkpoints(tmp_path / "nothing"), model, optimizer, devices) is None
    assert peers.load(theirs, model, optimizer, Other(devices.sent)) is None
    assert optimizer.state_dict()["state"] == {}
