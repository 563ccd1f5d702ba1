"""Vectors of short texts by a model that is loaded: `load_encoder(...).encode` against `SentenceTransformer.encode`.

Each call is a process of its own, timed from the texts to the array. The peer has its default batch size, and the best of several, found
on a part of the texts beforehand; ours has its defaults. Both must give the same vectors.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import models, texts
from bench.child import in_child
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, single, versus

DEFAULT, BEST = "sentence-transformers, its default", "sentence-transformers, its best batch size"
SIZES = (16, 32, 64, 128, 256)
USUAL = 32  # the default of SentenceTransformer.encode
APART = "largest difference of a number"


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any]:
    """Seconds of one side, whose vectors are left in a file; or of each batch size on a part of the texts."""
    base = models.base(bench, models.names(bench)[0])
    read = texts.short(bench.options.data, bench.options.sized(20_000, 60))
    if spec["sizes"]:
        part = read[:: bench.options.sized(10, 2)]
        return {str(size): _timed(_peer(base.path, size), part)[0] for size in spec["sizes"]}
    seconds, vectors = _timed(_ours(base.path) if spec["side"] == OURS else _peer(base.path, spec["batch"]), read)
    np.save(spec["file"], vectors)
    return {"seconds": seconds, "texts": len(read)}


def _ours(path: Path) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    from acclimate import load_encoder

    return load_encoder(path).encode


def _peer(path: Path, batch: int) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    from bench.vector_peers import model

    loaded = model(path)
    return lambda read: loaded.encode(list(read), batch_size=batch, normalize_embeddings=True)


def _timed(encode: Callable[[Sequence[str]], NDArray[np.float32]], read: list[str]) -> tuple[float, NDArray[np.float32]]:
    encode(read[:64])  # the first pass fills caches
    began = time.perf_counter()
    vectors = encode(read)
    return time.perf_counter() - began, vectors


def _encode(bench: Bench) -> list[Cell]:
    models.base(bench, models.names(bench)[0])
    tried = in_child(bench, "encode", {"sizes": SIZES})
    best = int(min(tried, key=lambda size: float(tried[size])))
    files = {name: str(bench.work / f"vectors-{number}.npy") for number, name in enumerate((OURS, DEFAULT, BEST))}
    count = 0

    def side(name: str, batch: int) -> Callable[[int], float]:
        def measure(_: int) -> float:
            nonlocal count
            told = in_child(bench, "encode", {"sizes": (), "side": name, "batch": batch, "file": files[name]})
            count = int(told["texts"])
            return float(told["seconds"])

        return measure

    sizes = {OURS: 0, DEFAULT: USUAL} | ({} if best == USUAL else {BEST: best})
    rounds = interleave({name: side(name, batch) for name, batch in sizes.items()}, bench.options.rounds)
    rounds.setdefault(BEST, rounds[DEFAULT])
    note = f"{count:,} texts; tried on a tenth: " + ", ".join(f"{size} a batch {seconds:.2f} s" for size, seconds in tried.items())
    cells = [versus(f"against {DEFAULT}", rounds, DEFAULT, "s"), versus(f"against {BEST}", rounds, BEST, "s", note=note, batch=best)]
    ours = np.load(files[OURS])
    apart = [float(np.abs(ours - np.load(files[name])).max()) for name in sizes if name != OURS]
    return [*cells, single(APART, apart, "error")]


ROWS = (
    Row(
        "encode",
        "seconds from 20,000 short texts to their vectors",
        _encode,
        {"cpu": {f"against {DEFAULT}": Bar(1.5), f"against {BEST}": Bar(1.1), APART: Bar(1e-5, "at most", "error", promise=True)}},
    ),
)
