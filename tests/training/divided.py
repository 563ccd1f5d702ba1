"""Small trainings of every kind of model that is divided among processes, and what two processes make of them."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tests.modeling.conftest import build_tiny, make_batch
from tests.toys.contrast import Contrast
from tests.training.test_loop import SETTINGS

from acclimate.errors import Interrupted
from acclimate.modeling.adapter_settings import Lora
from acclimate.modeling.adapters import add_adapters
from acclimate.modeling.execution import Packed, checkpoint_activations
from acclimate.modeling.frozen_half import fill_frozen
from acclimate.modeling.inner_states import first_states
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.clm import NextTokens
from acclimate.objectives.mlm import summed_loss
from acclimate.training import loop
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.groups import in_two
from acclimate.training.interrupt import StopRequest
from acclimate.training.loop import Surroundings, train
from acclimate.training.placed import Sharded
from acclimate.training.progress import Silent

CONTRAST = Contrast(None)
FEW = replace(SETTINGS, steps=4, lr=0.01, micro_tokens=12, evaluate_every=2, checkpoint_seconds=1e9)


@dataclass
class Texts:
    """Random texts, in the second step one alone: a second process has none. What is asked of them is a loss of the called model."""

    of: Callable[[Any, Any], torch.Tensor]
    words: bool = True
    stop: StopRequest | None = None
    together = False

    def batch(self, step):
        rng = np.random.default_rng(step)
        batch = make_batch(tuple(rng.integers(3, 9, 1 if step == 1 else 7).tolist()), self.words, seed=step)
        return batch if self.words else replace(batch, targets={"classes": batch.targets["labels"]})

    def count(self, batch):
        return float(len(batch.targets["target_ids"]) if self.words else batch.sequences)

    def loss(self, model, batch):
        if self.stop is not None:
            self.stop.ask()
        return self.of(model, batch)


class Pairs(Texts):
    """Their items see each other."""

    together = True

    def outputs(self, model, batch):
        return model(batch)

    def summed(self, outputs, targets):
        return CONTRAST.summed(outputs, targets) + outputs.square().sum()


def _called(model, batch):
    return model(batch)


def _adapted():
    model = build_tiny("llama", "mlm")
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fill_frozen(model, ((name, tensor.bfloat16() if "_proj" in name else tensor) for name, tensor in kept.items()))
    # Of queries and keys first gradients are next to nothing, and Adam makes of their last bit what it makes of any.
    add_adapters(model, Lora(rank=2, targets=("v_proj", "down_proj")), 0, head=False)
    return model


def _checkpointed():
    model = build_tiny("qwen3", "mlm")
    checkpoint_activations(model)
    return model


def _inside():
    network = Packed(build_tiny("roberta", "classifier"))

    def like(model, batch):
        outputs, states = first_states(network, (0, 1), model, batch)
        return torch.nn.functional.cross_entropy(outputs, batch.targets["classes"], reduction="sum") + states.square().sum()

    return network, Texts(like, words=False)


CASES = {
    "masks": lambda: (Packed(build_tiny("bert", "mlm")), Texts(summed_loss)),
    "next words by a tied head, activations computed again": lambda: (NextTokens(Packed(_checkpointed())), Texts(_called)),
    "adapters beside half precision": lambda: (NextTokens(Packed(_adapted())), Texts(_called)),
    "shared layers, and texts that see each other": lambda: (Packed(build_tiny("albert", "classifier")), Pairs(_called, words=False)),
    "states inside": _inside,
}
"""(network, its objective) by what is tried."""


def trained(name, folder, devices, stop=None):
    """Weights and losses of one of the cases."""
    network, objective = CASES[name]()
    network.to(devices.device)
    objective.stop = stop
    probe = to_tensors(objective.batch(99), devices.device)

    def judge(model):
        model.eval()
        with torch.no_grad():
            for _ in range(1 + devices.rank):  # processes need not do the same here
                score = -float(objective.of(model, probe).square().sum())
        return {"score": score}

    learned = [each for each in network.parameters() if each.requires_grad]
    around = Surroundings(devices, Silent(), stop or StopRequest())
    result = train(FEW, objective, network, in_two(learned, 0.01), judge, Checkpoints(folder / name), around)
    values = {parameter: value.detach().clone() for parameter, value in network.named_parameters()}
    told = {"losses": [point["loss"] for point in result.history], "scores": [each["score"] for each in result.evaluations]}
    return {f"{name}: {each}": value for each, value in (values | {key: torch.tensor(value) for key, value in told.items()}).items()}


def stopped(folder, devices):
    """The checkpoint of a training of masks after its second step."""
    stop = StopRequest()
    try:
        trained("masks", folder, devices, stop)
    except Interrupted:
        return
    raise AssertionError("it was to stop")


def held(devices):
    """Bytes that this process holds of weights, of gradients and of moments, and that one process would."""
    model = Packed(build_tiny("bert", "mlm", hidden_size=64, intermediate_size=128, vocab_size=101))
    whole = sum(each.nbytes for each in model.parameters())
    sharded = Sharded(model, devices)
    parameters = sharded.trained(model.parameters())
    optimizer = torch.optim.AdamW(parameters, fused=True)
    summed_loss(sharded.runs, to_tensors(make_batch((5, 7), True), devices.device)).backward()
    gradients = [each.grad for each in parameters]
    optimizer.step()
    moments = [state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    here = [_bytes(each.to_local() for each in tensors) for tensors in (parameters, gradients, moments)]
    return {"bytes": torch.tensor([*here, _bytes(model.parameters()), whole])}


def _bytes(tensors):
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}
    return sum(storages.values())


def of_two(devices, folder):
    """All of it, as one of two processes has it."""
    assert devices.shards
    loop.ASK_EVERY = 2  # steps after which a stop is heard
    found = {key: value for name in CASES for key, value in trained(name, folder, devices).items()}
    stopped(folder / "stopped", devices)
    if devices.is_main:
        shutil.copytree(folder / "stopped", folder / "for one")
    devices.wait()
    found |= {f"again {key}": value for key, value in trained("masks", folder / "stopped", devices).items()}
    found |= held(devices)
    if devices.is_main:
        save_file({name: value.contiguous() for name, value in found.items()}, folder / "divided.safetensors")
    devices.wait()
