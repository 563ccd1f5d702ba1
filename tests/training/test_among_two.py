"""What two processes make of a training together is what one makes of it, whether each has the model or a part of it."""

import multiprocessing
import os
from types import SimpleNamespace

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file, save_file
from tests.modeling.conftest import build_tiny
from tests.training import divided, seen_together

from acclimate.modeling.execution import Packed
from acclimate.modeling.frozen import divided as in_two_parts
from acclimate.modeling.heads import freeze
from acclimate.training import loop
from acclimate.training.devices import Devices
from acclimate.training.new_rows import only_rows_learn
from acclimate.training.placed import whole_because

NOISE = "key.bias"  # moves no probability of an attention, so its gradient is rounding alone, which Adam magnifies


def one_of_two(rank, folder):
    """What a process of two does, for torchrun's own way of meeting would have each of them load torch again."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)  # the threads of the process that this one was forked from are not here
    AcceleratorState._reset_state(reset_partial_state=True)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    here = Devices("float32")
    assert here.world == 2
    made = {**seen_together.every_case(here), **seen_together.trained(folder)}
    if here.is_main:
        save_file({name: value.detach().clone().contiguous() for name, value in made.items()}, folder / "two.safetensors")
    divided.of_two(Devices("float32", fsdp=True), folder)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder that two processes have left."""
    folder = tmp_path_factory.mktemp("two")
    context = multiprocessing.get_context("spawn" if torch.cuda.is_available() else "fork")
    processes = [context.Process(target=one_of_two, args=(rank, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    return folder


@pytest.fixture
def alone(tmp_path):
    """The devices of a process that divides a model among itself."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    devices = Devices("float32", fsdp=True)
    devices.__class__ = type("Alone", (Devices,), {"shards": True})
    yield devices
    torch.distributed.destroy_process_group()


def close(found, expected):
    """Whether every tensor is the same but for the order in which sums are added."""
    assert found.keys() >= expected.keys()
    for name, value in expected.items():
        if NOISE not in name:
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.measured(0)
def test_two_processes_see_each_other_s_items(two, tmp_path):
    found = load_file(two / "two.safetensors")
    one = {**seen_together.every_case(Devices("float32")), **seen_together.trained(tmp_path / "one")}
    assert found.keys() == one.keys()
    for name, value in one.items():
        # Adam magnifies the last bit of small gradients.
        limits = {"rtol": 1e-3, "atol": 1e-4} if "trained" in name else {"rtol": 1e-5, "atol": 1e-6}
        torch.testing.assert_close(found[name], value, **limits, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.measured(0)
@pytest.mark.parametrize("name", divided.CASES)
def test_a_divided_model_learns_what_a_whole_one_learns(two, tmp_path, name):
    close(load_file(two / "divided.safetensors"), divided.trained(name, tmp_path, Devices("float32")))


@pytest.mark.measured(0)
def test_it_goes_on_bitwise_equal_in_as_many_processes_and_from_the_same_files_in_one(two):
    found = load_file(two / "divided.safetensors")
    again = {name.removeprefix("again "): value for name, value in found.items() if name.startswith("again ")}
    assert again
    assert all(torch.equal(found[name], value) for name, value in again.items())
    close(divided.trained("masks", two / "for one", Devices("float32")), {name: found[name] for name in again})


def test_each_of_two_processes_holds_half_of_weights_gradients_and_moments(two):
    weights, gradients, moments, left, whole = load_file(two / "divided.safetensors")["bytes"].tolist()
    assert whole / 2 <= weights == gradients < 0.51 * whole
    assert moments == 2 * weights
    assert left == 0


def test_a_process_that_divides_a_model_among_itself_learns_the_same_and_goes_on_bitwise_equal(alone, tmp_path, monkeypatch):
    straight = divided.trained("masks", tmp_path / "straight", alone)
    close(straight, divided.trained("masks", tmp_path / "whole", Devices("float32")))
    monkeypatch.setattr(loop, "ASK_EVERY", 2)
    divided.stopped(tmp_path / "stopped", alone)
    for name, value in divided.trained("masks", tmp_path / "stopped", alone).items():
        assert torch.equal(straight[name], value), name


def test_what_is_not_divided_is_said():
    model = Packed(build_tiny("bert", "classifier"))
    assert whole_because(model) is None
    assert "without layers" in whole_because(torch.nn.Linear(2, 2))
    rows = model.model.get_input_embeddings().weight
    with only_rows_learn(model, [rows], 50):
        assert "some rows alone" in whole_because(model)
    codes = torch.nn.Linear(2, 2)
    codes.weight = type("Codes", (torch.nn.Parameter,), {})(codes.weight.data)
    for beside, why in ((codes, "four bits"), (SimpleNamespace(temperature=torch.nn.Parameter(torch.zeros(()))), "a single number")):
        network = torch.nn.ModuleList([model])
        network.beside = getattr(beside, "temperature", beside)
        assert why in whole_because(network)
    freeze(model.model, 1)
    assert "frozen layers" in whole_because(in_two_parts(model))
