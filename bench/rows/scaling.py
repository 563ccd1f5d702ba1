"""How our own figures grow: tokenising by size of the corpus, training by length of the sequences, two processes beside one.

Corpora of 1, 10 and 100 MB (1,000 with --full) are real texts, repeated where they do not suffice; memory must stay flat, for text is
streamed. Sequences are windows of whole documents, 64 to 512 tokens at most, in steps of the same number of tokens. Two processes
(torchrun, gloo) have a thread each, one process has two threads; the steps are the same.
"""

from itertools import pairwise
from shutil import rmtree
from typing import Any

import torch

from acclimate.data.windows import sliding
from bench import models, ours
from bench.child import in_child
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, single
from bench.rows.memory import Peak
from bench.rows.mlm import characters, steps
from bench.rows.tokenise import build, source

LENGTHS = (64, 128, 256, 512)
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ONE, TWO = "1 process, 2 threads", "2 processes, 1 thread each"


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any] | None:
    """Tokenising, or a training by one of several processes, where each process is a fresh one."""
    base = models.base(bench, models.names(bench)[0])
    if "characters" in spec:
        cache = bench.work / "scaling"
        rmtree(cache, ignore_errors=True)
        with Peak() as peak:
            seconds = build(source(bench, spec["characters"]), cache, base)
        rmtree(cache)
        return {"seconds": seconds, "bytes": peak.resident}
    torch.set_num_threads(spec["threads"])
    count, skipped = steps(bench)
    text = ours.lines(bench, base.folder, characters(bench))
    trained = ours.mlm(bench, base.folder, text, steps=count, skipped=skipped, dropout=0.0, seed=spec["seed"])
    return {"speed": trained.speed} if bench.devices.is_main else None


def _tokenising(bench: Bench) -> list[Cell]:
    sizes = (1, 2) if bench.options.quick else (1, 10, 100, 1000) if bench.options.full else (1, 10, 100)
    # Speed and memory are measured in one process; a round writes both down.
    memory: dict[str, list[float]] = {f"{size} MB": [] for size in sizes}
    models.base(bench, models.names(bench)[0])

    def side(size: int) -> Any:
        source(bench, size * 1_000_000)

        def measure(_: int) -> float:
            outcome = in_child(bench, "scaling", {"characters": size * 1_000_000})
            memory[f"{size} MB"].append(outcome["bytes"] / 1e6)
            return size / float(outcome["seconds"])

        return measure

    speeds = interleave(
        {f"{size} MB": side(size) for size in sizes}, min(bench.options.rounds, 2) if bench.options.full else bench.options.rounds
    )
    cells = [single(f"tokenise {name}", values, "MB/s") for name, values in speeds.items()]
    cells += [single(f"tokenise {name}: memory", values, "MB", note="growth of the process") for name, values in memory.items()]
    for (less, small), (more, large) in list(pairwise(memory.items()))[-1:]:
        growth = [much / max(little, 1e-9) for little, much in zip(small, large, strict=True)]
        cells.append(single("memory of the largest by the one before", growth, "x", note=f"{more} by {less}"))
    return cells


def _lengths(bench: Bench) -> list[Cell]:
    cells = []
    count, skipped = steps(bench)
    for name in models.names(bench):
        base = models.base(bench, name)
        whole = ours.lines(bench, base.folder, characters(bench))
        special = len(whole.words.prefix) + len(whole.words.suffix)

        def side(length: int, base: models.Base = base, whole: ours.Text = whole, special: int = special) -> Any:
            text = ours.Text(whole.store, sliding(whole.store, length - special), whole.words)
            return lambda seed: ours.mlm(bench, base.folder, text, steps=count, skipped=skipped, dropout=0.0, seed=seed).speed

        rounds = interleave({f"windows of {length}": side(length) for length in LENGTHS}, bench.options.rounds)
        cells += [single(variant, values, "tokens/s", model=name) for variant, values in rounds.items()]
    return cells


def _processes(bench: Bench) -> list[Cell]:
    if bench.kind == "gpu" and torch.cuda.device_count() < 2:
        return []
    base = models.base(bench, models.names(bench)[0])
    ours.lines(bench, base.folder, characters(bench))

    def side(threads: int, start: tuple[str, ...]) -> Any:
        return lambda number: float(
            in_child(bench, "scaling", {"threads": threads, "seed": number}, {"OMP_NUM_THREADS": str(threads)}, start)["speed"]
        )

    rounds = interleave({ONE: side(2, ()), TWO: side(1, TORCHRUN)}, bench.options.rounds)
    cells = [single(variant, values, "tokens/s", model=base.name) for variant, values in rounds.items()]
    ratios = [two / one for one, two in zip(rounds[ONE], rounds[TWO], strict=True)]
    return [*cells, single("2 processes by 1", ratios, "x", model=base.name)]


def _scaling(bench: Bench) -> list[Cell]:
    cells = [*_tokenising(bench), *_lengths(bench), *_processes(bench)]
    for cell in cells:
        cell.rounds = {cell.variant: cell.rounds[OURS]}
    return cells


FLAT = {"memory of the largest by the one before": Bar(1.5, "at most")}
ROWS = (Row("scaling", "by size of the corpus, length of sequences, number of processes", _scaling, {"cpu": FLAT}),)
