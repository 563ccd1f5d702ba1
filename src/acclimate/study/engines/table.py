"""The engines, all in one place, each made of what is asked for. A new engine is one new file and one line here."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from acclimate.errors import SettingsError
from acclimate.study.engines.engine import Engine
from acclimate.study.engines.inline import Inline
from acclimate.study.engines.local import Local
from acclimate.study.engines.ray import Ray

ENGINES: dict[str, Callable[..., Engine]] = {"inline": Inline, "local": Local, "ray": Ray}


@dataclass(frozen=True)
class Asked:
    """Of an engine; None: its own choice."""

    workers: int | None = None
    address: str | None = None  # of a Ray cluster, HOST:PORT
    gpus: float | None = None  # that a stage takes there
    devices: int | None = None  # over which it trains there
    fsdp: bool = False  # whether processes that train together divide a model among them


def engine_of(name: str, asked: Asked) -> Engine:
    """The engine of this name. Processes that torchrun started together train together, each in itself.

    Raises:
        SettingsError: there is no such engine, or it cannot have what is asked of it.
        MissingExtraError, ClusterError: there is no Ray, or no cluster.
    """
    if name not in ENGINES:
        raise SettingsError(f"engine {name!r} is not among {', '.join(ENGINES)}")
    together = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if asked.fsdp and not together and (asked.devices or 1) == 1:
        raise SettingsError(
            "--fsdp divides a model among processes that train it together, and this is one: start several by torchrun, or by "
            "--engine ray --devices N"
        )
    if name == "ray":
        if together:
            raise SettingsError("engine ray: torchrun and Ray both start processes; leave out one of both")
        return ENGINES[name](asked.workers, asked.address or "auto", 1.0 if asked.gpus is None else asked.gpus, asked.devices or 1)
    for option, value in (("--address", asked.address), ("--gpus", asked.gpus), ("--devices", asked.devices)):
        if value is not None:
            raise SettingsError(f"{option} is about a Ray cluster: add --engine ray, or leave it out")
    return ENGINES["inline" if together else name](asked.workers)
