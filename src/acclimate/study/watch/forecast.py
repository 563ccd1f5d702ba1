"""How long a study will still take: the plan's estimates, scaled by what its stages have really taken so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acclimate.study.plan.estimate import estimate
from acclimate.study.plan.prepared import Prepared
from acclimate.study.watch.status import StageStatus

RATE = 1e11  # operations a second; only the proportions between stages count here, the scale is measured while the study runs
EARLY = 0.1  # share of a running stage's steps from which on its pace says something about others


@dataclass(frozen=True)
class Weight:
    """A stage's estimated share of the work."""

    kind: str  # stages of one kind are scaled alike
    seconds: float  # at `RATE`
    trains: bool  # an estimate by operations; else a few seconds, whatever the machine


def weigh(prepared: Prepared, keys: Sequence[str]) -> dict[str, Weight]:
    """The estimated work of these stages. Seeds cost the same, so each is counted once: reading every text per seed takes long."""
    known: dict[Any, Weight] = {}
    weights = {}
    for key in keys:
        node = prepared.plan.nodes[key]
        ancestors = tuple(each.stage for each in prepared.plan.trunk(key))
        alike = (node.stage.model_dump_json(), node.labels, ancestors[-1].model_dump_json() if ancestors else "")
        if alike not in known:
            found = estimate(node, prepared, RATE)
            known[alike] = Weight(node.stage.word(), max(found.seconds, 1e-3), found.tokens > 0)
        weights[key] = known[alike]
    return weights


def seconds_left(stages: Sequence[StageStatus], weights: Mapping[str, Weight], at_once: int) -> float | None:
    """Seconds until all `stages` are done, `at_once` of them at a time; None while nothing is known that would tell.

    The pace of a kind of stage is what those that are done took, and those that run and are well on their way will take, for each second
    of their estimate. A kind that has not run yet is assumed to go at the pace of the others that train.
    """
    pace = _pace(stages, weights)
    overall = _ratio([pair for pairs in pace.values() for pair in pairs])
    left: dict[str, float] = {}
    for stage in stages:
        if stage.state not in ("waiting", "running"):
            continue
        own = _own(stage)
        if own is not None:
            left[stage.key] = own
            continue
        weight = weights.get(stage.key)
        if weight is None:
            return None
        ratio = _ratio(pace.get(weight.kind, [])) or (overall if weight.trains else 1.0)
        if ratio is None:
            return None
        left[stage.key] = max(0.0, ratio * weight.seconds - (stage.seconds or 0.0))
    # Neither sooner than all devices together can do it, nor than the longest chain of stages that wait for each other.
    chains: dict[str, float] = {}
    for stage in stages:
        chains[stage.key] = left.get(stage.key, 0.0) + max((chains.get(key, 0.0) for key in stage.parents), default=0.0)
    return max(sum(left.values()) / max(1, at_once), max(chains.values(), default=0.0))


def _pace(stages: Sequence[StageStatus], weights: Mapping[str, Weight]) -> dict[str, list[tuple[float, float]]]:
    # (seconds it took, seconds that were estimated) of the stages that train, by kind.
    found: dict[str, list[tuple[float, float]]] = {}
    for stage in stages:
        weight = weights.get(stage.key)
        progress = stage.progress
        if weight is None or not weight.trains or stage.seconds is None or (progress is not None and progress.first):
            continue  # a stage that went on after an interrupt took longer than this process knows
        own = _own(stage)
        if stage.state == "done":
            found.setdefault(weight.kind, []).append((stage.seconds, weight.seconds))
        elif stage.state == "running" and own is not None and progress is not None and progress.step >= EARLY * progress.steps:
            found.setdefault(weight.kind, []).append((stage.seconds + own, weight.seconds))
    return found


def _own(stage: StageStatus) -> float | None:
    # Parts of a stage (a head alone, frozen layers) have titles of their own and say nothing about its end.
    progress = stage.progress
    return progress.seconds_left if stage.state == "running" and progress is not None and progress.what == stage.title else None


def _ratio(pairs: Sequence[tuple[float, float]]) -> float | None:
    return sum(took for took, _ in pairs) / sum(estimated for _, estimated in pairs) if pairs else None
