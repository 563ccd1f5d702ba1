"""One resumable state and the best weights, no more, each replaced in one rename; tensors in safetensors, never pickles."""

import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from acclimate.errors import StoreError
from acclimate.files import TEMPORARY_PREFIX, atomic_file, atomic_folder, disk_errors, read_json, write_json

STATE = "state-"  # and the number of steps finished


@dataclass
class TrainState:
    """Everything besides tensors that a training needs to go on as if it had never stopped."""

    step: int = 0  # steps finished
    tokens: int = 0  # real tokens seen, over all devices
    seconds: float = 0.0  # of work, without the time it lay still
    micro_tokens: int = 0  # a resume repeats it: sums change in their last bit with it
    best_score: float | None = None
    best_step: int | None = None
    bad: int = 0  # evaluations since the best
    passed_over: int = 0  # steps whose batch asked for nothing
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)  # what log.jsonl will hold
    evaluations: list[dict[str, Any]] = field(default_factory=list)


class Checkpoints:
    """The folder of one training: `state-<step>/` (resumable) and `best.safetensors`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._best = folder / "best.safetensors"

    def save(self, state: TrainState, model: nn.Module, optimizer: Optimizer) -> None:
        """Replace the resumable state.

        Raises:
            DiskFullError: no room; the previous state stays as it was.
        """
        # A new name for each step: it appears by one rename, and only then the one before goes. A kill leaves at least one.
        with atomic_folder(self._folder / f"{STATE}{state.step}") as folder, disk_errors(folder):
            save_file(_trained(model), folder / "model.safetensors")
            if not state.finished:  # nobody goes on from there, and its moments are twice the size of the weights
                save_file(_flatten(optimizer), folder / "optimizer.safetensors")
            write_json(folder / "state.json", asdict(state))
        for other in self._folder.iterdir():
            if other.name.startswith(TEMPORARY_PREFIX) or (other.name.startswith(STATE) and other.name != f"{STATE}{state.step}"):
                shutil.rmtree(other, ignore_errors=True)

    def load(self, model: nn.Module, optimizer: Optimizer) -> TrainState | None:
        """Put the saved state into model and optimizer; None where nothing was saved yet.

        Raises:
            StoreError: the saved state does not fit this model.
        """
        found = max(self._folder.glob(f"{STATE}*"), key=lambda folder: int(folder.name.removeprefix(STATE)), default=None)
        if found is None:
            return None
        _restore(model, load_file(found / "model.safetensors"), found)
        state = TrainState(**read_json(found / "state.json"))
        if not state.finished:
            _unflatten(optimizer, load_file(found / "optimizer.safetensors"))
        return state

    def save_best(self, model: nn.Module) -> None:
        """Replace the best weights."""
        with atomic_file(self._best) as path, disk_errors(path.parent):
            save_file(_trained(model), path)

    def load_best(self, model: nn.Module) -> None:
        """Put the best weights into the model."""
        _restore(model, load_file(self._best), self._best)


def _trained(model: nn.Module) -> dict[str, Tensor]:
    # Frozen weights are in the parent already; a head-only run's checkpoint is a few kilobytes. Tied weights appear once.
    return {name: parameter.detach().cpu().contiguous() for name, parameter in model.named_parameters() if parameter.requires_grad}


def _restore(model: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if parameters.keys() != tensors.keys():
        raise StoreError(f"{source}: this checkpoint belongs to another model; remove the folder to start again")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])


def _flatten(optimizer: Optimizer) -> dict[str, Tensor]:
    # {parameter number: {"exp_avg": tensor, ...}} -> {"3.exp_avg": tensor}
    states = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value.detach().cpu().contiguous() for number, values in states.items() for name, value in values.items()}


def _unflatten(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    # load_state_dict moves the moments to each parameter's device.
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
