"""What a plan will roughly cost, before anything is spent: tokens, time and disk of every stage, as each says of itself.

Training may end earlier than planned (`patience`), never later.
"""

import time
from collections.abc import Hashable
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


def product_rate(precision: str = "auto", size: int = 512, seconds: float = 0.3) -> float:
    """Matrix products of this machine's CPU, operations a second: in bfloat16 where that is asked for, else in float32.

    The quickest product counts: the others say what else the machine does at this moment, not what it can do in the hours to come.
    """
    matrix = _square(precision, size)
    quickest, began = np.inf, time.monotonic()
    while time.monotonic() - began < seconds:
        before = time.perf_counter()
        matrix @ matrix
        quickest = min(quickest, time.perf_counter() - before)
    return float(2 * size**3 / quickest)


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
