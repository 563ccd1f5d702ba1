"""Where training runs: CPU, one GPU, or several by torchrun or on a cluster. Only this file, and the one of trackers, know accelerate."""

import ctypes
import ctypes.util
import gc
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, cached_property
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast, broadcast_object_list
from torch import Tensor, nn

from acclimate.training.precision import Precision

T = TypeVar("T")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
RETURNED = 2**20  # bytes: larger blocks go back at once, where memory counts for more than time
TIDY_SECONDS = 20.0  # pages that the next steps need are faulted in again, which takes some tenths of a second


class Devices:
    """The process's device and its place among its peers.

    `precision` auto means bf16 autocast where there are units for it, TF32 products on GPUs without, and float32 elsewhere: on CPUs
    without bf16 units autocast is about three times slower. Weights and optimiser state are float32 always.
    `fsdp` divides models among the processes that train them (`training/placed.py`).
    """

    def __init__(self, precision: Precision = "auto", threads: int | None = None, fsdp: bool = False) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        cuda = torch.cuda.is_available()
        if not cuda and fsdp:
            return_freed_memory()
        elif not cuda:
            keep_freed_memory()
        bf16 = precision == "bf16" or (precision == "auto" and _has_bf16_units())
        if cuda and precision == "auto" and not bf16:
            torch.set_float32_matmul_precision("high")  # TF32
        mixed = "bf16" if bf16 else "no"
        if AcceleratorState._shared_state.get("_mixed_precision", mixed) != mixed and int(os.environ.get("WORLD_SIZE", "1")) == 1:
            # accelerate remembers one precision a process; a study in bf16 and a prediction after it are two.
            AcceleratorState._reset_state()
        self._accelerator = Accelerator(mixed_precision=mixed, cpu=not cuda)
        self.precision = "bf16" if bf16 else "float32"
        self._fsdp = fsdp
        self._tidied = time.monotonic()

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        device: torch.device = self._accelerator.device
        return device

    @property
    def name(self) -> str:
        """What a person calls the device, e.g. `NVIDIA H200` or `cpu`."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"

    @property
    def threads(self) -> int:
        """CPU threads that torch uses; sums change in their last bit with it."""
        return torch.get_num_threads()

    @property
    def rank(self) -> int:
        """This process's number among its peers, from 0."""
        return int(self._accelerator.process_index)

    @property
    def world(self) -> int:
        """How many processes train together."""
        return int(self._accelerator.num_processes)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return bool(self._accelerator.is_main_process)

    @property
    def shards(self) -> bool:
        """Whether models are divided among the processes that train them."""
        return self._fsdp and self.world > 1

    @cached_property
    def mesh(self) -> Any:
        """All processes in a row, as torch wants them where tensors are divided."""
        from torch.distributed.device_mesh import init_device_mesh

        return init_device_mesh(self.device.type, (self.world,))

    def place(self, model: nn.Module) -> nn.Module:
        """Move a model to the device and, with peers, wrap it so that gradients are averaged over them."""
        return self._accelerator.prepare_model(model)  # type: ignore[no-any-return]

    def backward(self, loss: Tensor) -> None:
        """Add this loss's gradients."""
        self._accelerator.backward(loss)

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision for forward passes."""
        return self._accelerator.autocast()  # type: ignore[no-any-return]

    def synchronised(self, model: nn.Module, last: bool) -> AbstractContextManager[None]:
        """Exchange gradients with the peers only in the last micro-batch of a step."""
        return nullcontext() if last or self.world == 1 else self._accelerator.no_sync(model)

    def sum(self, value: float) -> float:
        """The sum of a number over all processes."""
        if self.world == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=self.device)
        return float(self._accelerator.reduce(tensor, reduction="sum"))

    def total(self, value: Tensor) -> Tensor:
        """The sum of a scalar over all processes, on the device."""
        return value if self.world == 1 else self._accelerator.reduce(value, reduction="sum")

    def gathered(self, own: Tensor, rows: int) -> Tensor:
        """The `rows` rows [rows, ...] that all processes have together, as `Batch.shard` deals them out: one each in turn. Without a graph.

        `own` are those of this process, perhaps none.
        """
        if self.world == 1:
            return own.detach()
        most = -(-rows // self.world)
        filled = own.new_zeros(most, *own.shape[1:])
        filled[: len(own)] = own.detach()
        # Process after process -> turn after turn; those whom the last turn does not reach stand behind all others.
        turns: Tensor = self._accelerator.gather(filled).unflatten(0, (self.world, most)).transpose(0, 1)
        return turns.flatten(0, 1)[:rows]

    def told(self, value: T) -> T:
        """What the main process says, in all of them; `value` counts in that one alone."""
        return value if self.world == 1 else broadcast_object_list([value])[0]

    def handed(self, tensor: Tensor) -> Tensor:
        """The tensor that the main process has, on the device; `tensor` is of its shape and type in all of them."""
        own = tensor.detach().to(self.device).contiguous()
        return own if self.world == 1 else broadcast(own.clone())

    def release(self) -> None:
        """Let go of the models that were placed, and of memory that is kept for a next step: the stage that needed them is over.

        Otherwise a process would hold every model that it has ever trained, and count them into the memory of its next stage.
        """
        # As its own free_memory does, which would search for garbage before it has let go of anything: half a second a stage.
        self._accelerator._models.clear()
        gc.collect()  # under autocast a model holds itself
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        give_back_freed_memory()

    def tidy(self) -> None:
        """Between two steps: every now and then give back the holes that batches of ever other sizes have left in a CPU's memory."""
        if self.device.type == "cpu" and time.monotonic() - self._tidied > TIDY_SECONDS:
            self.free_unused()
            self._tidied = time.monotonic()

    def free_unused(self) -> None:
        """Give back what the allocator holds without need."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        else:
            give_back_freed_memory()

    def wait(self) -> None:
        """Wait until every peer is here."""
        self._accelerator.wait_for_everyone()


def _has_bf16_units() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Matrix units (AMX). Vector instructions for bf16 gain half as much again over float32, and are left to those who ask for them.
    return bool(torch.cpu._is_amx_tile_supported())


def is_of_a_lost_peer(error: BaseException) -> bool:
    """Whether an exchange between processes failed since one is gone; gloo says so by a plain RuntimeError."""
    return isinstance(error, torch.distributed.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def keep_freed_memory() -> None:
    """Ask glibc to keep large freed blocks for the next step instead of giving them back.

    Every step would otherwise fault the same hundreds of megabytes in again, page by page. Elsewhere than on glibc nothing happens.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """Ask glibc to give large blocks back as soon as they are freed.

    By itself it comes to keep them, too: layers that are gathered and let go of would leave holes as large as the model.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, RETURNED)
        mallopt(M_TRIM_THRESHOLD, RETURNED)


def give_back_freed_memory() -> None:
    """Undo what `keep_freed_memory` has kept; elsewhere than on glibc nothing happens."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


@cache  # looking for the library starts a process
def _of_glibc(name: str) -> Any:
    library = ctypes.util.find_library("c") if sys.platform.startswith("linux") else None
    return None if library is None else getattr(ctypes.CDLL(library), name, None)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch draws (dropout) inside the block depend on `seed` alone, and leave the global generators as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        if device.type == "cpu":
            torch.default_generator.manual_seed(seed)  # the other would seed GPUs, too, and walk the stack for each kind that is not there
        else:
            torch.manual_seed(seed)
        yield
