"""Whether the disks have room for what a study will leave: said before work."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from acclimate.stages.planned import BYTES
from acclimate.study.plan.graph import Node, Plan
from acclimate.study.plan.prepared import Prepared


def lacking(prepared: Prepared, out: Path | None = None) -> list[str]:
    """A line for each disk on which the store or the output folder will want more room than is free: nothing where all fits."""
    plan = prepared.plan
    ends = {run.end for run in plan.runs}
    wanted = [(prepared.store.root, sum(_size(plan, plan.nodes[key]) for key in plan.nodes.keys() - prepared.cached))]
    if out is not None:
        sizes = [_size(plan, plan.nodes[key]) for key in ends]
        wanted.append((out, max(sizes, default=0)))
    return _lines(wanted)


def _lines(wanted: Iterable[tuple[Path, int]]) -> list[str]:
    by_disk: dict[int, tuple[Path, int]] = {}
    for folder, size in wanted:
        place = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
        disk = place.stat().st_dev
        first, sum_ = by_disk.get(disk, (place, 0))
        by_disk[disk] = first, sum_ + size
    lines = []
    for place, size in by_disk.values():
        free = shutil.disk_usage(place).free
        if size > free:
            lines.append(
                f"{place}: about {size / 1e6:,.0f} MB are needed on this disk and {free / 1e6:,.0f} MB are free; "
                "when it is full the command stops, keeps what is complete, and goes on after room was made"
            )
    return lines


def _size(plan: Plan, node: Node) -> int:
    source = plan.given[node.key].source
    return 0 if source is None else BYTES * source.parameters  # a plain baseline is small
