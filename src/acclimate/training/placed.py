"""A model among the processes that train it: whole in each, gradients averaged (DDP), or divided among them (FSDP2: Zhao et al. 2023).

Where it is divided, each process holds a part of every weight, of its gradient and of its two moments. The weights of a layer are gathered
where a pass needs them, forward and backward, and let go of again, so every pass is an exchange. Torch's `fully_shard` puts parameters of
its own into the modules that it is given: these are a copy here. The model itself is empty meanwhile, and has its weights again whenever
anyone but a step looks at it.
"""

import gc
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Protocol

from torch import Tensor, nn

from acclimate.modeling.execution import Packed
from acclimate.modeling.frozen import Divided
from acclimate.modeling.layers import layers_of
from acclimate.training.devices import Devices


class Placed(Protocol):
    """A model on its devices."""

    runs: nn.Module
    """What a step calls."""
    holds: nn.Module
    """Whose parameters are trained, under the names of the model's."""
    in_step: bool
    """Whether every pass is an exchange, so that all processes must make equally many."""

    def trained(self, parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
        """What is trained in the place of parameters of the model."""

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Within the block the model has all of its weights, in every process; each must ask."""

    def give_back(self) -> None:
        """Training is over: the model has its weights, for good."""


def placed(model: nn.Module, devices: Devices) -> Placed:
    """Put a model on the device, whole or, where that was asked for and can be done (`whole_because`), divided."""
    return Sharded(model, devices) if devices.shards and whole_because(model) is None else Whole(model, devices)


def whole_because(model: nn.Module) -> str | None:
    """Why a model is not divided; None where it is."""
    parameters = [*model.parameters()]
    if not _layers(model):
        return "a network without layers of a transformer is not divided"
    if any(isinstance(module, Divided) for module in model.modules()):
        return "frozen layers that run once over each text are not divided, nor what is trained above them"
    if any(type(parameter) is not nn.Parameter for parameter in parameters):
        return "weights in four bits are not divided"
    if any(parameter._backward_hooks for parameter in parameters):
        return "a model of which some rows alone are trained is not divided"
    if any(parameter.ndim == 0 for parameter in parameters):
        return "a parameter that is a single number cannot be divided"
    return None


class Whole:
    """The model whole in each process."""

    in_step = False

    def __init__(self, model: nn.Module, devices: Devices) -> None:
        self.runs, self.holds = devices.place(model), model

    def trained(self, parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
        """They themselves."""
        return list(parameters)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """It always is."""
        yield

    def give_back(self) -> None:
        """It has them."""


class Sharded:
    """The model divided among the processes, a part of each of its tensors in each of them."""

    in_step = True

    def __init__(self, model: nn.Module, devices: Devices) -> None:
        from torch.distributed.fsdp import fully_shard

        model.to(devices.device)
        # Parameters of its own over the same numbers: of these there must not be two for as long as it takes to divide them.
        own = {id(each): nn.Parameter(each.data, requires_grad=each.requires_grad) for each in model.parameters()}
        self.runs = self.holds = deepcopy(model, own)
        del own
        # It fears for what changes a view in place that was returned: of the whole model these are logits, whose weights stay gathered.
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module", category=UserWarning)
        # Layer by layer, and at last what is around them, which stays gathered from a forward pass to the end of the backward one: a loss
        # may look at the head's weights between the two.
        for module in (*_layers(self.runs), self.runs):
            fully_shard(module, mesh=devices.mesh)
        self._pairs: Sequence[tuple[nn.Parameter, nn.Parameter]] = [*zip(model.parameters(), self.holds.parameters(), strict=True)]
        self._of = {id(mine): part for mine, part in self._pairs}
        self._empty()

    def trained(self, parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
        """The divided ones."""
        return [self._of[id(parameter)] for parameter in parameters]

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Gathered for as long as the block runs: what is done there may differ between processes, which steps may not."""
        self._fill()
        try:
            yield
        finally:
            self._empty()

    def give_back(self) -> None:
        """Gathered, and the parts are let go of."""
        self._fill()
        self._pairs, self._of = (), {}
        self.runs = self.holds = nn.Module()
        gc.collect()  # its hooks and its modules hold each other

    def _fill(self) -> None:
        for mine, part in self._pairs:
            mine.data = all_of(part)

    def _empty(self) -> None:
        # Without a number in them, rather than with old ones: whoever looks at them in a step fails at once.
        for mine, _ in self._pairs:
            mine.data = mine.data.new_empty(0)


def all_of(tensor: Tensor) -> Tensor:
    """The whole of a tensor that may be divided; if it is, all processes must ask, in the same order."""
    found = tensor.detach()
    return found.full_tensor() if hasattr(found, "full_tensor") else found


def as_divided(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, divided if `like` is and has its shape: every process takes its part of what it has, and keeps no more of it."""
    if not hasattr(like, "full_tensor") or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(like, DTensor)
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None).clone()


def _layers(model: nn.Module) -> list[nn.Module]:
    packed = (module for module in model.modules() if isinstance(module, Packed))
    layers = {id(layer): layer for each in packed for layer in layers_of(each.model.base_model)}
    return [layer for layer in layers.values() if any(True for _ in layer.parameters())]
