"""What a stage makes once and later runs find, beside the token stores; the seconds that it took are a cost of each."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from acclimate.data.caches import made_once, seal_cache
from acclimate.files import read_json
from acclimate.stages.base import Context

Written = tuple[Mapping[str, Any], Sequence[str]]
"""What making it told, and the names of its files."""


def kept_once(context: Context, key: str, facts_file: str, write: Callable[[Path], Written]) -> tuple[Path, dict[str, Any], float]:
    """The folder of what `write` makes, the facts in its `facts_file`, and the seconds that it took at another time (0: it was made now).

    A second process waits for the first. Who made it reads it back, too, so that all go on from the same numbers.

    Raises:
        Interrupted: a stop was asked for.
    """
    folder, here = context.cache / key[:32], False

    def made(temporary: Path) -> None:
        nonlocal here
        began, here = time.monotonic(), True
        told, files = write(temporary)
        seal_cache(temporary, facts_file, {"key": key, **told, "seconds": time.monotonic() - began}, files)

    made_once(folder, facts_file, lambda facts: facts.get("key") == key, made, context.patience)
    facts = read_json(folder / facts_file)
    return folder, facts, 0.0 if here else float(facts["seconds"])
