"""What every row needs: rounds that alternate between the sides, medians with their spread, the bar that a row is held to."""

import ctypes
import ctypes.util
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from acclimate.modeling.products import times
from acclimate.training.devices import M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, Devices

OURS = "acclimate"
Kind = Literal["cpu", "gpu"]
Rounds = dict[str, list[float]]
"""What each side measured, round by round."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for; plain values, so that a row's own processes can be told."""

    rounds: int = 3
    quick: bool = False
    full: bool = False
    data: str = ""  # folder with corpora/ and tasks/, or nothing: the demo packages' texts are read
    variant: str = ""  # what was not as usual, and belongs into a file of its own

    def sized(self, real: int, quick: int) -> int:
        """A size for real measurements, or the one that only shows that the row works."""
        return quick if self.quick else real


@dataclass(frozen=True)
class Bar:
    """What a row is held to."""

    value: float
    sense: Literal["at least", "at most"] = "at least"
    unit: str = "x"
    promise: bool = False  # of what is computed, not of its speed: where it is missed, `python -m bench gpu` fails

    def met(self, value: float) -> bool:
        """Whether a measured value clears it."""
        return value >= self.value if self.sense == "at least" else value <= self.value

    def __str__(self) -> str:
        sign = "≥" if self.sense == "at least" else "≤"
        return f"{sign} {shown(self.value, self.unit)}"


def shown(value: float, unit: str) -> str:
    """A number with its unit."""
    if unit == "x":
        return f"{value:.2f}x"
    if unit == "%":
        return f"{100 * value:.0f} %"
    if unit == "error":
        return f"{value:.1e}"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if unit != "nats" else 5
    return f"{value:,.{digits}f} {unit}"


def spread(low: float, high: float, unit: str) -> str:
    """From the least to the most of several rounds; nothing where they are one."""
    return f"{shown(low, unit)} to {shown(high, unit)}" if low != high else ""


@dataclass
class Cell:
    """One line of the table: a value that is compared with a bar, and everything it was computed from."""

    variant: str
    value: float
    unit: str  # of `value`: x for a ratio, % for a share
    low: float  # of the same value, taken round by round
    high: float
    model: str = ""
    rounds: Rounds = field(default_factory=dict)
    rounds_unit: str = ""
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One kind of work: how it is measured, and what it is held to."""

    name: str
    timed: str  # what the figures cover, in a few words
    run: Callable[["Bench"], list[Cell]]
    bars: Mapping[Kind, Mapping[str, Bar]] = field(default_factory=dict)  # by the variant's name


@dataclass(frozen=True)
class Bench:
    """The workplace of the rows: options, device, and a folder for this run."""

    options: Options
    work: Path
    fewer: int = 1  # how many times fewer tokens a step has than usual, where a peer's padding would not fit a card

    @property
    def devices(self) -> Devices:
        """Device and precision, as a study would choose them; made anew, since the Trainer resets what accelerate remembers."""
        return Devices()

    @property
    def precision(self) -> str:
        """bf16 autocast where the device has it."""
        return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float32"

    @property
    def kind(self) -> Kind:
        """What the bars are chosen by."""
        return "gpu" if torch.cuda.is_available() else "cpu"

    @property
    def batch_tokens(self) -> int:
        """Real tokens in a step of pretraining, about, for both sides."""
        return 16_384 // self.fewer if self.kind == "gpu" else self.options.sized(2_048, 512)


def interleave(sides: Mapping[str, Callable[[int], float]], rounds: int) -> Rounds:
    """Measure every side once a round, A B A B: what disturbs a machine for a while then disturbs all of them."""
    measured: Rounds = {name: [] for name in sides}
    for number in range(rounds):
        for name, side in sides.items():
            measured[name].append(side(number))
    return measured


def versus(variant: str, rounds: Rounds, peer: str, unit: str, *, model: str = "", note: str = "", **details: Any) -> Cell:
    """How many times better acclimate is than `peer`: of speeds (anything `/s`) ours by theirs, of seconds theirs by ours.

    Of memory (`MB`) it is our share of theirs. The value is the ratio of the medians; low and high are those of single rounds.
    """
    inverted = unit == "s"

    def ratio(ours: float, theirs: float) -> float:
        return theirs / ours if inverted else ours / theirs

    pairs = [ratio(ours, theirs) for ours, theirs in zip(rounds[OURS], rounds[peer], strict=True)]
    value = ratio(statistics.median(rounds[OURS]), statistics.median(rounds[peer]))
    both = {OURS: rounds[OURS], peer: rounds[peer]}
    return Cell(variant, value, "x", min(pairs), max(pairs), model, both, unit, note, details)


def single(variant: str, values: list[float], unit: str, *, model: str = "", note: str = "", **details: Any) -> Cell:
    """A figure of acclimate by itself: its median, with the least and the greatest."""
    return Cell(variant, statistics.median(values), unit, min(values), max(values), model, {OURS: values}, unit, note, details)


def synchronise() -> None:
    """Wait until the device has done what it was given; a clock read before would be early."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def product_rate(kind: Kind, seconds: float = 0.7) -> float:
    """Operations per second of a large matrix product: float32 on a CPU, bf16 on a GPU. The median of as many as fit into the time."""
    size = 8192 if kind == "gpu" else 2048
    device, dtype = ("cuda", torch.bfloat16) if kind == "gpu" else ("cpu", torch.float32)
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times(left, right)
    rates: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or len(rates) < 3:
        synchronise()
        start = time.perf_counter()
        times(left, right)
        synchronise()
        rates.append(2 * size**3 / (time.perf_counter() - start))
    return statistics.median(rates)


def usual_allocator() -> None:
    """Set glibc's allocator to where its own rules take it: a peer has no part in our side's setting (see `keep_freed_memory`).

    A process that frees large blocks ends with 32 MB below which blocks come from the heap, and twice that for trimming (mallopt(3)).
    """
    library = ctypes.util.find_library("c")
    if sys.platform.startswith("linux") and library is not None:
        mallopt = getattr(ctypes.CDLL(library), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
            mallopt(M_TRIM_THRESHOLD, 64 * 2**20)


def slug(name: str) -> str:
    """A device's name as the name of a file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
