"""What a process holds on to between stages, and what it does not."""

import weakref
from types import SimpleNamespace

import psutil
import pytest
import torch

from acclimate.training import devices as devices_module
from acclimate.training.devices import Devices, seeded


def test_a_placed_model_is_let_go_when_its_stage_is_over():
    devices = Devices("bf16" if torch.cuda.is_available() else "float32")
    model = torch.nn.Linear(5000, 5000)
    seen = weakref.ref(model)
    devices.place(model)
    before = psutil.Process().memory_info().rss
    del model
    devices.release()
    assert seen() is None
    if devices.device.type == "cpu":
        assert psutil.Process().memory_info().rss < before - 80e6


def test_a_process_may_change_its_precision():
    for precision in ("bf16", "float32", "bf16"):
        devices = Devices(precision)
        with devices.autocast():
            product = torch.ones(4, 4, device=devices.device) @ torch.ones(4, 4, device=devices.device)
        assert (product.dtype, devices.precision) == ((torch.bfloat16 if precision == "bf16" else torch.float32), precision)
    Devices("float32")


def test_draws_on_a_cpu_depend_on_their_seed_and_leave_every_generator_as_it_was(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("a GPU's draws are none of a step on a CPU"))
    state = torch.get_rng_state()
    with seeded(7, torch.device("cpu")):
        drawn = torch.rand(5)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(drawn, torch.rand(5, generator=torch.Generator().manual_seed(7)))


def test_holes_in_memory_are_given_back_now_and_then_and_not_after_every_step(monkeypatch):
    given = []
    monkeypatch.setattr(devices_module, "give_back_freed_memory", lambda: given.append(1))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    devices = Devices("float32")
    devices.tidy()
    assert not given
    monkeypatch.setattr(devices_module, "TIDY_SECONDS", -1.0)
    devices.tidy()
    assert len(given) == 1


@pytest.mark.parametrize("world", [1, 2, 3])
def test_rows_of_all_processes_come_back_in_the_order_of_the_batch(world, monkeypatch):
    devices = Devices("float32")
    for rows in range(1, 8):
        whole = torch.arange(2.0 * rows, requires_grad=True).reshape(rows, 2)
        given = []

        def gather(own, given=given):
            given.append(own)
            return torch.cat((given * world)[:world])

        monkeypatch.setattr(devices, "_accelerator", SimpleNamespace(num_processes=world, gather=gather))
        # The last of the processes has what all have given.
        found = [devices.gathered(whole[rank::world], rows) for rank in range(world)][-1]
        assert torch.equal(found, whole)
        assert not found.requires_grad
