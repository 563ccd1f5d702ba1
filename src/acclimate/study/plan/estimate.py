"""What a plan will roughly cost, before anything is spent: tokens, time and disk of every stage, as each says of itself.

Training may end earlier than planned (`patience`), never later.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from acclimate.study.plan.graph import Node
from acclimate.study.plan.prepared import Prepared

SHARE_OF_PEAK = 0.4  # of the measured matrix-product rate that training reaches on short batches


@dataclass(frozen=True)
class Estimate:
    """Of one stage; zeros where it is cached."""

    tokens: int
    seconds: float
    disk_bytes: int  # of the artifact
    cache_bytes: int = 0  # of the tokens of corpora, or of what frozen layers give
    cache_key: Hashable = None  # stages with the same key share it


def estimates(prepared: Prepared, rate: float) -> dict[str, Estimate]:
    """The cost of each stage by key; `rate` in floating-point operations a second."""
    return {
        key: Estimate(0, 0.0, 0) if key in prepared.cached else estimate(node, prepared, rate) for key, node in prepared.plan.nodes.items()
    }


def product_rate(precision: str = "auto", size: int = 512, seconds: float = 0.2) -> float:
    """Matrix products of this machine's CPU, operations a second: in bfloat16 where that is asked for, else in float32.

    The quickest product counts: the others say what else the machine does at this moment, not what it can do in the hours to come. All
    processors are tried, and one alone, by the time that it was given: where something else has them, threads that wait for each other take
    a thousand times as long.
    """
    from threadpoolctl import threadpool_limits

    matrix = _square(precision, size)
    together = _quickest(matrix, seconds, time.perf_counter)
    with threadpool_limits(1):
        alone = _quickest(matrix, seconds, time.thread_time)
    return 2 * size**3 / min(together, alone)


def _quickest(matrix: Any, seconds: float, clock: Callable[[], float]) -> float:
    """Seconds by the clock of the quickest square of a matrix, of those that are begun within so many seconds; the first one warms up."""
    matrix @ matrix
    quickest, began = np.inf, time.monotonic()
    while time.monotonic() - began < seconds:
        before = clock()
        matrix @ matrix
        quickest = min(quickest, clock() - before)
    return float(quickest)


def _square(precision: str, size: int) -> Any:
    if precision != "bf16":
        return np.ones((size, size), dtype=np.float32)
    import torch  # only here: a plan in float32 answers without it

    return torch.ones(size, size, dtype=torch.bfloat16)


def estimate(node: Node, prepared: Prepared, rate: float) -> Estimate:
    """The cost of one stage that is to be carried out; `rate` in floating-point operations a second."""
    given = prepared.plan.given[node.key]
    work = node.stage.work(given, prepared.readings.read_by(node, given.source, prepared.study.fast_paths))
    seconds = work.operations / (rate * SHARE_OF_PEAK) + work.seconds
    return Estimate(work.tokens, seconds, work.disk_bytes, work.cache_bytes, work.cache_key)
