"""The learning curves of a study's stages as one small table: `curves.parquet` with a row a point."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.files import atomic_file
from acclimate.study.outputs.outcomes import Outcomes

MOST_POINTS = 120  # of one curve; a longer one is averaged in equal parts
SCHEMA = pa.schema([("key", pa.string()), ("curve", pa.string()), ("step", pa.float64()), ("value", pa.float64())])


def write_curves(outcomes: Outcomes, metric: str, out: Path) -> None:
    """Write every stage's training loss, held-out loss, and dev `metric`, by optimiser step.

    Columns: key (of the stage), curve (`loss`, `heldout_loss`, `dev_<metric>`), step, value.
    """
    rows = [
        {"key": key, "curve": curve, "step": step, "value": value}
        for key in outcomes.measured
        for curve, points in curves_of(outcomes.store.path(key) / "log.jsonl", metric).items()
        for step, value in points
    ]
    with atomic_file(out / "curves.parquet") as path:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)


def curves_of(log: Path, metric: str) -> dict[str, list[tuple[float, float]]]:
    """The curves of one stage's log, each of at most `MOST_POINTS` points (step, value); none where it trains nothing."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in _lines(log):
        if "step" in line:
            for name in followed(metric):
                if name in line:
                    found.setdefault(name, []).append((line["step"], line[name]))
    return {name: _thinned(points) for name, points in found.items()}


def followed(metric: str) -> tuple[str, ...]:
    """What a stage's curves are of, as its lines call it."""
    return ("loss", "heldout_loss", f"dev_{metric}")


def _lines(log: Path) -> Iterator[dict[str, float]]:
    if log.is_file():  # a base is read, not trained
        with log.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    each = -(-len(points) // MOST_POINTS)
    if each <= 1:
        return points
    parts = (points[begin : begin + each] for begin in range(0, len(points), each))
    return [(sum(step for step, _ in part) / len(part), sum(value for _, value in part) / len(part)) for part in parts]
