"""How large a forward pass may be: estimated before the first one, halved when memory runs out."""

from pathlib import Path
from typing import Any

import torch

from acclimate.errors import TrainingError
from acclimate.modeling.families import dimensions_of

USED_SHARE = 0.6  # of the free memory; the rest is for what the estimate does not know
MOST = {"cpu": 8192, "cuda": 65536}  # tokens: enough to keep every core of the device busy; more would only cost memory
FEWEST = 256
SIGNS = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED", "CUDA error: out of memory")  # in an error that is not called so


def micro_tokens(config: dict[str, Any], free: int, device: str, trained_bytes: int, masked_share: float = 0.0) -> int:
    """Tokens of a forward and backward pass that should fit into `free` bytes: a power of two times 256, at most what is of use.

    `trained_bytes` is the size of the weights that are trained: their gradients and AdamW's two moments come on top of it.
    """
    room = USED_SHARE * free - 3 * trained_bytes
    most = MOST.get(device, MOST["cpu"])
    size = FEWEST
    while size < most and 2 * size * bytes_per_token(config, masked_share) <= room:
        size *= 2
    return size


def bytes_per_token(config: dict[str, Any], masked_share: float = 0.0) -> float:
    """What a token's activations take in float32 until the backward pass has used them.

    A layer keeps its input, queries, keys, values, the attention's output, both sums and norms, and both sides of the activation; the
    masked share of tokens has logits, their logarithms and their gradient. For a step of masked language modelling of all-MiniLM-L6-v2
    on 2,048 tokens this comes to 930 MB with weights, gradients and moments, where 1,000 MB were measured.
    """
    model = dimensions_of(config)
    return 4 * (model.layers * (12 * model.width + 3 * model.feed_forward) + 3 * masked_share * model.vocabulary)


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device, within this process's own limit."""
    import psutil

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    # A container, a batch system or `ulimit -v` may allow less than the machine has.
    limits = [*group_rooms(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")), *_address_room()]
    return max(0, min(int(psutil.virtual_memory().available), *limits, 1 << 62))


def group_rooms(membership: Path, mounted: Path) -> list[int]:
    """Bytes that are left in each control group that this process is in, its own and those around it, of version 1 and 2."""
    rooms = []
    for line in _text(membership).splitlines():
        number, controllers, name = line.split(":", 2)
        if number == "0":
            top, limit, used = mounted, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            top, limit, used = mounted / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # In a container the name is often that of the machine's tree: what is not there is passed by, and the top is what is seen.
        parts = [part for part in name.split("/") if part not in ("", "..")]
        for depth in range(len(parts) + 1):
            room = _room(top.joinpath(*parts[:depth]), limit, used)
            rooms += [] if room is None else [room]
    return rooms


def _room(group: Path, limit: str, used: str) -> int | None:
    try:
        most, taken = int((group / limit).read_text()), int((group / used).read_text())
        kinds = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # "max" is no limit
        return None
    # Pages of files that were read count as used, and are given back when they are needed. In version 1 `total_` is with the groups below.
    files = (int(kinds.get(f"total_{kind}", kinds.get(kind, 0))) for kind in ("inactive_file", "active_file"))
    return most - taken + sum(files)


def _address_room() -> list[int]:
    try:
        import resource

        import psutil

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        return [] if most == resource.RLIM_INFINITY else [most - psutil.Process().memory_info().vms]
    except (ImportError, OSError, ValueError):  # not every system has it
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed; on a CPU torch says so by a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)
    )


def nothing_smaller(title: str, model: str, longest: int, device: torch.device) -> TrainingError:
    """The error where a single sequence is too much."""
    return TrainingError(
        f"{title}: out of memory with a single sequence of {longest} tokens through {model} on {device} "
        f"({free_bytes(device) / 2**30:.1f} GiB free) — "
        "lower max_length, set gradient_checkpointing, train fewer layers, or choose a smaller base"
    )


def beyond_passes(title: str, device: torch.device) -> TrainingError:
    """The error where memory ran out outside of a forward or backward pass, as when weights or their moments are put on the device."""
    room = f"{free_bytes(device) / 2**30:.1f} GiB"
    if device.type == "cuda":
        free, whole = torch.cuda.mem_get_info(device)
        others = (whole - free - torch.cuda.memory_reserved(device)) / 2**30  # the libraries of this process among them
        room += f" of {whole / 2**30:.1f}, and {others:.1f} are held by what is not this training"
    return TrainingError(
        f"{title}: out of memory where smaller passes would not help ({device}: free are {room}) — "
        "end what else runs there, ask for fewer --workers, or choose a smaller base; the same command goes on"
    )
