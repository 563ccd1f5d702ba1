"""The last two resumable states and the best weights, each replaced in one rename; tensors in safetensors, never pickles.

Every file says by itself whether it is what was written. A damaged state gives way to the one before it, and where there is none, training
begins afresh: what a disk has done to a checkpoint never keeps the same command from going on.
"""

import json
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from acclimate.errors import StoreError, UnreadableError
from acclimate.files import (
    TEMPORARY_PREFIX,
    Checksum,
    atomic_file,
    atomic_folder,
    digest_json,
    read_json,
    unreadable,
    write_json,
)
from acclimate.training.placed import all_of, as_divided

log = logging.getLogger(__name__)
CHECKSUM = "checksum"
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
    pruned: bool = False  # a search ended it early
    history: list[dict[str, Any]] = field(default_factory=list)  # what log.jsonl will hold
    evaluations: list[dict[str, Any]] = field(default_factory=list)


class Saved(NamedTuple):
    """What a checkpoint holds."""

    state: TrainState
    weights: dict[str, Tensor]
    """Those that are trained, by name."""
    moments: dict[str, Tensor]
    """As `moments_of` tells them."""


class Damaged(StoreError):
    """A file of a checkpoint is not what was written."""


class Checkpoints:
    """The folder of one training: `state-<step>/` (resumable; the last two) and `best.safetensors`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._best = folder / "best.safetensors"

    def save(self, state: TrainState, model: nn.Module, optimizer: Optimizer, writes: bool = True) -> None:
        """Add the resumable state; the one before it stays.

        Tensors that are divided among processes are gathered by all of these, and written by one.

        Raises:
            DiskFullError: no room; the previous state stays as it was.
        """
        weights = _gathered(trained_parameters(model), writes)
        # Nobody goes on from a finished one, and its moments are twice the size of the weights.
        moments = {} if state.finished else _gathered(moments_of(optimizer), writes)
        if not writes:
            return
        # The one before the last goes first: there are never more than two on the disk, and never none.
        for other in self._states()[1:]:
            _remove(other)
        # A new name for each step, which appears by one rename.
        with atomic_folder(self._folder / f"{STATE}{state.step}") as folder:
            _save(weights, folder / "model.safetensors")
            if not state.finished:
                _save(moments, folder / "optimizer.safetensors")
            facts = json.loads(json.dumps(asdict(state), allow_nan=False))
            write_json(folder / "state.json", facts | {"seal": digest_json(facts)})
        for other in self._folder.glob(f"{TEMPORARY_PREFIX}*"):
            _remove(other)
        if state.finished:  # what is left to do takes seconds, and moments much room
            for other in self._states()[1:]:
                _remove(other)

    def read(self, model: nn.Module) -> Saved | None:
        """The last whole state of a training of this model; None where there is none, and training begins at its first step.

        A damaged one is removed, with a warning. Where the best weights are damaged, a state is taken from which they are made again.

        Raises:
            UnreadableError: the machine cannot read a file, which is no damage.
        """
        made_again: int | None = None  # step whose weights are the best and are lost
        found = self._states()
        for folder in found:
            try:
                saved = _read_state(folder, model)
                state = saved.state
                if state.best_step is not None and not (made_again is not None and state.step < made_again):
                    try:
                        self.read_best(model)
                    except Damaged as error:
                        _remove(self._best)
                        made_again = max(made_again or 0, state.best_step)
                        raise Damaged(f"{error}, and the state of step {state.step} needs it") from error
                return saved
            except Damaged as error:
                log.warning("%s; training goes on from an earlier state, if there is one, or begins again", error)
                _remove(folder)
        return None

    def save_best(self, model: nn.Module) -> None:
        """Replace the best weights."""
        with atomic_file(self._best) as path:
            _save(_gathered(trained_parameters(model)), path)

    def read_best(self, model: nn.Module) -> dict[str, Tensor]:
        """The best weights, by name.

        Raises:
            Damaged: they are not what was written; the same command makes them again.
        """
        return _fitting(_read(self._best), model, self._best)

    def _states(self) -> list[Path]:
        # The newest first.
        if self._folder.exists() and not self._folder.is_dir():
            _remove(self._folder)
        numbered = {folder: folder.name.removeprefix(STATE) for folder in self._folder.glob(f"{STATE}*")}
        return sorted((folder for folder, step in numbered.items() if step.isdecimal()), key=lambda folder: -int(numbered[folder]))


def _read_state(folder: Path, model: nn.Module) -> Saved:
    try:
        facts = read_json(folder / "state.json")
    except UnreadableError:
        raise
    except StoreError as error:
        raise Damaged(str(error)) from error
    try:
        seal = facts.pop("seal")
        if seal != digest_json(facts):
            raise ValueError("its content changed since it was written")
        state = TrainState(**facts)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{folder / 'state.json'}: is not as it was written ({error})") from error
    weights = _fitting(_read(folder / "model.safetensors"), model, folder)
    # All of it is read before any of it is used.
    return Saved(state, weights, {} if state.finished else _read(folder / "optimizer.safetensors"))


def _gathered(tensors: Mapping[str, Tensor], kept: bool = True) -> dict[str, Tensor]:
    # One after the other: a process that writes nothing holds one whole tensor at a time.
    found = {}
    for name, tensor in tensors.items():
        whole = all_of(tensor)
        if kept:
            found[name] = whole.cpu().contiguous()
    return found


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    save_file(tensors, path, metadata={CHECKSUM: _checksum(tensors)})


def _read(path: Path) -> dict[str, Tensor]:
    try:
        path.open("rb").close()  # whose errors tell more than the library's
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            expected = (file.metadata() or {}).get(CHECKSUM)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise Damaged(f"{path}: is missing") from error
    except OSError as error:
        raise unreadable(path, error) from error
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise Damaged(f"{path}: is damaged ({error})") from error
    if _checksum(tensors) != expected:
        raise Damaged(f"{path}: its content changed since it was written")
    return tensors


def _checksum(tensors: dict[str, Tensor]) -> str:
    checksum = Checksum()
    for name, tensor in sorted(tensors.items()):
        checksum.add(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        checksum.add(tensor.reshape(-1).view(torch.uint8).numpy())
    return checksum.hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def trained_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """What a checkpoint holds of a model, by name."""
    # Frozen weights are in the parent already; a head-only run's checkpoint is a few kilobytes. Tied weights appear once.
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _fitting(tensors: dict[str, Tensor], model: nn.Module, source: Path) -> dict[str, Tensor]:
    shapes = {name: parameter.shape for name, parameter in trained_parameters(model).items()}
    if shapes != {name: tensor.shape for name, tensor in tensors.items()}:
        raise Damaged(f"{source}: this checkpoint belongs to another model")
    return tensors


def put_weights(model: nn.Module, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Put what a checkpoint holds of a model into it, one tensor after the other."""
    parameters = trained_parameters(model)
    with torch.no_grad():
        for name, tensor in tensors:
            parameters[name].copy_(as_divided(tensor, parameters[name]))


def moments_of(optimizer: Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers of each parameter, under flat names."""
    # {parameter number: {"exp_avg": tensor, ...}} -> {"3.exp_avg": tensor}
    states = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, values in states.items() for name, value in values.items()}


def put_moments(optimizer: Optimizer, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Have an optimizer remember what `moments_of` has told, one tensor after the other."""
    state: dict[int, dict[str, Tensor]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for key, value in tensors:
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = as_divided(value, parameters[int(number)])
    # load_state_dict moves the moments to each parameter's device.
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
