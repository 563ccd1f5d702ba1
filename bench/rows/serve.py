"""`acclimate serve` under load: 200 clients for 30 seconds, each with one text at a time, the next as soon as it is answered.

The server is a process of its own with acclimate-mini and a classifier of random weights on it; the clients share the machine with it.
Every request must be answered, by 200 or by 503 with Retry-After. Once there is room for all of them, once for 50.
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from acclimate.modeling.folder import ModelFolder, save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.source import resolve_base
from bench import texts
from bench.http_load import Load, load
from bench.measure import Bar, Bench, Cell, Row, single
from bench.root import ROOT

LOST, CROWDED_LOST = "requests lost", "requests lost, with room for 50"
GROWN = "growth of memory over the last two thirds"
EVERY = 0.5  # seconds between two looks at the memory
MEGA = 1e6
LEAST_SECONDS = 1


def _serve(bench: Bench) -> list[Cell]:
    model = _model(bench)
    read = texts.short(bench.options.data, bench.options.sized(20_000, 60))
    clients, seconds = bench.options.sized(200, 8), bench.options.sized(30, LEAST_SECONDS)
    open_, memory = _under_load(model, read, clients, seconds, clients + 1)
    crowded, _ = _under_load(model, read, clients, seconds, clients // 4)
    rate = len(open_.seconds) / seconds
    note = f"{clients} clients for {seconds} s: {_told(open_)}; with room for {clients // 4}: {_told(crowded)}"
    steady = memory[len(memory) // 3 :]
    return [
        single("median time to an answer", [1000 * open_.percentile(0.5)], "ms"),
        single("99th percentile", [1000 * open_.percentile(0.99)], "ms"),
        single("answers a second", [rate], "/s", note=note),
        single(LOST, [float(open_.lost)], "requests"),
        single(CROWDED_LOST, [float(crowded.lost)], "requests"),
        single(GROWN, [(steady[-1] - steady[0]) / MEGA], "MB", note=f"{steady[-1] / MEGA:,.0f} MB at the end"),
    ]


def _told(found: Load) -> str:
    return ", ".join(f"{count:,} with {status}" for status, count in sorted(found.statuses.items()))


def _model(bench: Bench) -> Path:
    folder = bench.work / "served"
    if not folder.is_dir():
        base: ModelFolder = import_base(resolve_base("acclimate-mini", Path("/")), bench.work / "mini")
        save_model(folder, base, load_classifier(base, ("neg", "pos"), HeadSettings(), 0, None), 128)
    return folder


def _under_load(model: Path, read: list[str], clients: int, seconds: float, waiting: int) -> tuple[Load, list[int]]:
    """What clients saw, and how many bytes the server held, over time."""
    with _server(model, waiting) as (process, port):
        load(port, read[:64], 2, min(seconds, 2))  # the first passes fill caches
        held, stop = [process.memory_info().rss], threading.Event()

        def watch() -> None:
            while not stop.wait(EVERY):
                held.append(process.memory_info().rss)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        found = load(port, read, clients, seconds)
        stop.set()
        watcher.join()
    return found, held


@contextlib.contextmanager
def _server(model: Path, waiting: int) -> Iterator[tuple[psutil.Process, int]]:
    words = [sys.executable, "-m", "acclimate", "serve", str(model), "--port", "0", "--max-waiting", str(waiting)]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            told = process.stderr.readline()
            if "http://" not in told:
                raise RuntimeError(told + process.stderr.read())
            yield psutil.Process(process.pid), int(told.partition("http://")[2].partition("/")[0].rpartition(":")[2])
        finally:
            process.terminate()
            process.communicate()


ROWS = [
    Row(
        "serve",
        "what clients see of `acclimate serve`, who share the machine with it",
        _serve,
        {
            "cpu": {
                LOST: Bar(0, "at most", "requests", promise=True),
                CROWDED_LOST: Bar(0, "at most", "requests", promise=True),
                GROWN: Bar(20, "at most", "MB"),
            }
        },
    )
]
