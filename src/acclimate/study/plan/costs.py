"""What each recipe of a plan costs by itself, over all its runs; what recipes share is counted in each, and once in the sum."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acclimate.study.plan.estimate import Estimate
    from acclimate.study.plan.graph import Plan


@dataclass(frozen=True)
class Cost:
    """Of some stages, without those that are there already."""

    stages: int
    tokens: int
    seconds: float
    disk_bytes: int

    @staticmethod
    def of(keys: Collection[str], estimates: "Mapping[str, Estimate]", cached: Collection[str]) -> "Cost":
        """The sum over these stages; caches that several share are counted once."""
        todo = [estimates[key] for key in dict.fromkeys(keys) if key not in cached]
        caches = {each.cache_key: each.cache_bytes for each in todo}
        disk = sum(each.disk_bytes for each in todo) + sum(caches.values())
        return Cost(len(todo), sum(each.tokens for each in todo), sum(each.seconds for each in todo), disk)


def costs(plan: "Plan", estimates: "Mapping[str, Estimate]", cached: Collection[str]) -> dict[str, Cost]:
    """Of each recipe, by name."""
    keys: dict[str, list[str]] = {}
    for key in plan.nodes:
        for recipe in plan.recipes_of(key):
            keys.setdefault(recipe, []).append(key)
    return {recipe: Cost.of(found, estimates, cached) for recipe, found in keys.items()}
