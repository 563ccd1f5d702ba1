"""Peak memory of masked language modelling: ours, the Trainer on blocks of 128 and 512, and the Trainer line by line.

Each in a fresh process: what the process grows by over the moment before training, when model and text are loaded (the kernel's own high-
water mark where it can be set back, else samples). On a GPU it is the peak of what torch allocated, weights included.
"""

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import torch

from bench import models, ours, peers
from bench.child import in_child
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, versus
from bench.rows.mlm import characters

LINES = "Trainer, line by line"
BLOCKS = {f"Trainer, blocks of {length}": length for length in (128, 512)}
EVERY = 0.005  # seconds between two samples
MEGA = 1e6


class Peak:
    """The growth of memory within a `with` block: of the process, and of what counts here (on a GPU what torch allocated there)."""

    bytes: int = 0
    resident: int = 0

    def __enter__(self) -> Self:
        self._cuda = torch.cuda.is_available()
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
        self._before = psutil.Process().memory_info().rss
        self._exact = _reset_high_water()
        self._stop = threading.Event()
        self._highest = self._before
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        highest = _high_water() if self._exact else self._highest
        self.resident = highest - self._before
        self.bytes = int(torch.cuda.max_memory_allocated()) if self._cuda else self.resident

    def _sample(self) -> None:
        process = psutil.Process()
        while not self._stop.wait(EVERY):
            self._highest = max(self._highest, process.memory_info().rss)


def _reset_high_water() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _high_water() -> int:
    found = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(found.split()[1]) * 1024


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any]:
    """One side, in a process of its own."""
    base = models.base(bench, spec["model"])
    text = ours.lines(bench, base.folder, characters(bench))
    steps = bench.options.sized(4, 3)
    shared = {"steps": steps, "skipped": 1, "dropout": 0.0, "seed": spec["seed"]}
    if spec["side"] == OURS:
        bench.devices  # noqa: B018  made before, as the libraries are loaded before
        with Peak() as peak:
            ours.mlm(bench, base.folder, text, **shared)
        return {"bytes": peak.bytes}
    rows = peers.line_by_line(base, text) if spec["side"] == LINES else peers.grouped(base, text, BLOCKS[spec["side"]])
    with Peak() as peak:
        peers.mlm(bench, base, rows, **shared)
    return {"bytes": peak.bytes}


def _memory(bench: Bench) -> list[Cell]:
    cells = []
    for name in models.names(bench):
        base = models.base(bench, name)
        ours.lines(bench, base.folder, characters(bench))

        def side(peer: str, name: str = name) -> Any:
            return lambda number: in_child(bench, "memory", {"model": name, "side": peer, "seed": number})["bytes"] / MEGA

        rounds = interleave({peer: side(peer) for peer in (OURS, *BLOCKS, LINES)}, bench.options.rounds)
        note = f"steps of about {bench.batch_tokens:,} real tokens"
        cells += [versus(f"against {peer}", rounds, peer, "MB", model=name, note=note) for peer in (*BLOCKS, LINES)]
    return cells


def _bars(blocks: float, lines: float) -> dict[str, Bar]:
    against = {f"against {peer}": Bar(blocks, "at most") for peer in BLOCKS}
    return against | {f"against {LINES}": Bar(lines, "at most")}


ROWS = (Row("memory", "MB at the peak of training, over the moment before", _memory, {"cpu": _bars(0.85, 0.33), "gpu": _bars(0.5, 0.5)}),)
