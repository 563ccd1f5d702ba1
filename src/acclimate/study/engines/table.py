"""The engines, all in one place, each made of the number of workers asked for. A new engine is one new file and one line here."""

import os
from collections.abc import Callable

from acclimate.study.engines.engine import Engine
from acclimate.study.engines.inline import Inline
from acclimate.study.engines.local import Local

ENGINES: dict[str, Callable[[int | None], Engine]] = {"inline": Inline, "local": Local}


def engine_of(name: str, workers: int | None) -> Engine:
    """The engine of this name. Processes that torchrun started together train together, each in itself.

    Raises:
        SettingsError: the engine cannot have so many workers.
    """
    return ENGINES["inline" if int(os.environ.get("WORLD_SIZE", "1")) > 1 else name](workers)
