"""The stages of a plan as rows of plain text, each under the one whose model it goes on from, and what is to be done in a line."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from acclimate.inert import one_line
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import duration, label_count, size
from acclimate.study.plan.costs import Cost
from acclimate.wording import side_by_side

if TYPE_CHECKING:
    from acclimate.study.plan.estimate import Estimate
    from acclimate.study.plan.graph import Node, Plan
    from acclimate.study.plan.prepared import Prepared

HEADINGS = ("stage", "used by", "seed", "labels", "state", "tokens", "time", "disk", "cache")


def plan_grid(prepared: "Prepared", estimates: "Mapping[str, Estimate]") -> Grid:
    """A row a stage; what measures models, of which there are as many, in one row at the end."""
    rows = []
    measuring = [node for node in prepared.plan.nodes.values() if node.stage.role == "measures"]
    for node, depth in in_tree(prepared.plan):
        if node.stage.role != "measures":
            beside = f" (beside {side_by_side(name for name, _ in node.beside)})" if node.beside else ""
            seed = str(node.seed) if node.stage.draws() else "-"
            title = "  " * depth + one_line(node.stage.title() + beside)
            rows.append((title, *_row(prepared, estimates, [node], seed, label_count(node.labels))))
    for title, nodes in groupby(measuring, lambda node: node.stage.title()):
        found = [*nodes]
        told = f"{one_line(title)}, {len(found)} model{'' if len(found) == 1 else 's'}"
        rows.append((told, *_row(prepared, estimates, found, "-", "-")))
    return Grid("The stages of the plan", HEADINGS, tuple(rows), frozenset({0, 1, 4}))


def to_do(prepared: "Prepared", estimates: "Mapping[str, Estimate]") -> str:
    """How much there is, and what of it is to be done."""
    cost = Cost.of(estimates, estimates, prepared.cached)
    return (
        f"{len(prepared.plan.runs)} runs, {len(estimates)} stages, {len(prepared.cached)} cached; to do: "
        f"{cost.tokens:,} training tokens, roughly {duration(cost.seconds)} on this CPU, {size(cost.disk_bytes)} of disk"
    )


def in_tree(found: "Plan") -> "Iterator[tuple[Node, int]]":
    """(every node, how deep it stands), each below the one whose model it goes on from, what chooses corpora first, else as planned."""
    children: dict[str | None, list[Node]] = {}
    for node in found.nodes.values():
        children.setdefault(node.parent, []).append(node)
    first = set(found.selected.values())
    roots = sorted(children.get(None, []), key=lambda node: node.key not in first)
    open_nodes = [(node, 0) for node in reversed(roots)]
    while open_nodes:
        node, depth = open_nodes.pop()
        yield node, depth
        open_nodes += [(child, depth + 1) for child in reversed(children.get(node.key, []))]


def _row(prepared: "Prepared", estimates: "Mapping[str, Estimate]", nodes: "list[Node]", seed: str, labels: str) -> Iterator[str]:
    recipes = [*dict.fromkeys(recipe for node in nodes for recipe in prepared.plan.recipes_of(node.key))]
    cached = sum(node.key in prepared.cached for node in nodes)
    yield one_line(recipes[0]) if len(recipes) == 1 else f"{len(recipes)} recipes"
    yield from (seed, labels)
    yield "to do" if not cached else "cached" if cached == len(nodes) else f"{cached} cached"
    yield from _costs([estimates[node.key] for node in nodes])


def _costs(found: "Sequence[Estimate]") -> Iterator[str]:
    yield f"{tokens:,}" if (tokens := sum(each.tokens for each in found)) else ""
    yield duration(seconds) if (seconds := sum(each.seconds for each in found)) >= 1 else ""
    yield size(disk) if (disk := sum(each.disk_bytes for each in found)) else ""
    yield size(cache) if (cache := sum(each.cache_bytes for each in found)) else ""
