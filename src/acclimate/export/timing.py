"""How fast several forms of one model are on the same tokens, in turn, so that whatever else the machine does slows all alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Feeds = dict[str, NDArray[np.int64]]
Run = Callable[[Feeds], object]
SINGLE, TOGETHER = 16, 32  # texts one at a time, and texts in one batch
ROUNDS = 5
ENOUGH_SECONDS = 20.0  # no further round is begun after these


class Speed(NamedTuple):
    """From token ids to what the graph gives; reading and tokenising are left out, for they are alike."""

    milliseconds: float
    """Median, of one text at a time."""
    texts_per_second: float
    """Of batches of 32, padded to their longest."""


def speeds(models: Mapping[str, Run], single: Sequence[Feeds], together: Feeds) -> dict[str, Speed]:
    """Each model's speed on the texts of `single`, one at a time, and on a batch; a first round, which is not counted, warms up."""
    one: dict[str, list[float]] = {name: [] for name in models}
    many: dict[str, list[float]] = {name: [] for name in models}
    began = time.monotonic()
    for count in range(ROUNDS + 1):
        if count > 1 and time.monotonic() - began > ENOUGH_SECONDS:
            break
        for name, run in models.items():
            alone = [_seconds(run, feeds) for feeds in single]
            batch = _seconds(run, together)
            if count:
                one[name] += alone
                many[name].append(batch)
    size = len(next(iter(together.values())))
    return {name: Speed(1000 * median(one[name]), size / median(many[name])) for name in models}


def _seconds(run: Run, feeds: Feeds) -> float:
    began = time.perf_counter()
    run(feeds)
    return time.perf_counter() - began
