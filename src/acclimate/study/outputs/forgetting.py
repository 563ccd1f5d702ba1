"""What every recipe forgot of general text: bits per byte before, after each stage and after fine-tuning, and the differences to before."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.evaluation.statistics import two_way
from acclimate.files import read_table
from acclimate.study.outputs.outcomes import Outcomes
from acclimate.study.plan.graph import Node, Run
from acclimate.study.plan.measured import states
from acclimate.tasks.general_text import FILE, GeneralText
from acclimate.tasks.metrics.texts import METRICS

BITS = METRICS[0]
MEASURED = f"general_{BITS.name}"
BEFORE, TUNED = f"{MEASURED}_before", f"{MEASURED}_finetuned"


def with_general(table: list[dict[str, Any]], outcomes: Outcomes) -> list[dict[str, Any]]:
    """The rows of the results, one a run, with what was measured on general text; as they are where nothing was."""
    if not outcomes.plan.measured:
        return table
    return [row | _columns(outcomes, run) for row, run in zip(table, outcomes.plan.runs, strict=True)]


def _columns(outcomes: Outcomes, run: Run) -> dict[str, float | None]:
    """Before anything, after the last stage before labels are learned, and after those; None where it was not measured."""
    found: dict[str, float | None] = {MEASURED: None, BEFORE: None, TUNED: None}
    for node, carried in states(outcomes.plan, run):
        value = _value(outcomes, node)
        if node.stage.role == "start":
            found[BEFORE] = value
        found[TUNED if carried else MEASURED] = value
    return found


def forgetting(outcomes: Outcomes, general: GeneralText, largest: str) -> dict[str, Any]:
    """The block of `study.json`: the text, what measuring took, and for each recipe its states at the largest label budget.

    Differences are to the recipe's first state that is known (before anything, or after the first pretraining where the head was fresh),
    with the 95 % interval of the two-way model over trainings and documents (`evaluation.statistics`); with one training, over documents.
    """
    runs: dict[str, list[Run]] = {}
    for run in outcomes.plan.runs:
        if run.labels == largest and outcomes.error(run) is None:
            runs.setdefault(run.recipe, []).append(run)
    recipes = {name: _recipe(outcomes, each, general) for name, each in runs.items()}
    measured = [outcomes.measured[key] for key in outcomes.plan.measured.values() if key in outcomes.measured]
    return {
        "text": general.name,
        "documents": len(general.documents),
        "bytes": sum(len(document.encode()) for document in general.documents),
        "labels": largest,
        "seconds": sum(each["cost"]["seconds"] for each in measured),
        "recipes": {name: found for name, found in recipes.items() if found is not None},
    }


def failures(outcomes: Outcomes) -> list[str]:
    """A line for each measurement that failed, or was not made because its model is no longer kept."""
    lines = []
    for of, by in outcomes.plan.measured.items():
        if by not in outcomes.measured and of in outcomes.measured:
            report = outcomes.reports.get(by)
            why = report.error.partition("\n")[0] if report is not None else "its model is no longer in the store"
            lines.append(f"{outcomes.plan.nodes[by].title} was not measured: {why}")
    return lines


def _recipe(outcomes: Outcomes, runs: Sequence[Run], general: GeneralText) -> dict[str, Any] | None:
    """What became of a recipe, over its runs; None where none of its models was measured."""
    chains = [[*states(outcomes.plan, run)] for run in runs]
    stages: list[dict[str, Any]] = []
    first: int | None = None  # the place of the first state that is known
    for place, (node, carried) in enumerate(chains[0] if chains else ()):
        ways = {chain[place][0].key: chain for chain in chains}  # seeds may share a training
        known = {key: _documents(outcomes, chain[place][0], general) for key, chain in ways.items()}
        each = {key: found for key, found in known.items() if found is not None}
        if not each:
            continue
        told: dict[str, Any] = {"before": node.stage.role == "start", "after": node.stage.title(), "carried_head": carried}
        told |= {"trainings": len(each), BITS.name: float(np.mean([*each.values()]))}
        if first is None:
            first = place
        else:
            # Of every training what it has more than the one that it goes back to.
            began = {key: _documents(outcomes, ways[key][first][0], general) for key in each}
            told |= _difference([each[key] - since for key, since in began.items() if since is not None])
        stages.append(told)
    if not stages:
        return None
    own = [each for each in stages if not each["carried_head"]]
    tuned = [each for each in stages if each["carried_head"]]
    return {
        "before": stages[0][BITS.name] if stages[0]["before"] else None,
        "knew_before": chains[0][0][0].stage.role == "start",  # known or not: a fresh head and random weights know nothing
        "after": own[-1] if own and own[-1] is not own[0] else None,
        "finetuned": tuned[-1] if tuned and tuned[-1] is stages[-1] else None,
        "stages": stages,
    }


def _difference(each: Sequence[NDArray[np.float64]]) -> dict[str, float | None]:
    """Of each training [N] what its documents contribute to the difference: the mean, and its interval."""
    if not each:
        return {"difference": None, "low": None, "high": None}
    d_SN = np.stack(each)
    if d_SN.shape[1] < 2:
        return {"difference": float(d_SN.mean()), "low": None, "high": None}
    from scipy.special import stdtrit

    # No floor: bits per byte are no counts, so documents that all agree are no accident that leaves the next one open.
    spread = two_way(d_SN, span=0.0)
    half = float(stdtrit(spread.freedom, 0.975)) * spread.error
    return {"difference": spread.difference, "low": spread.difference - half, "high": spread.difference + half}


def _documents(outcomes: Outcomes, node: Node, general: GeneralText) -> NDArray[np.float64] | None:
    """[N] what each document contributes to the bits per byte; None where they were not measured."""
    if _value(outcomes, node) is None:
        return None
    table = read_table(outcomes.store.path(outcomes.plan.measured[node.key]) / FILE)
    answers = {name: table[name].to_numpy() for name in table.column_names}
    return BITS.each(general.split, answers)


def _value(outcomes: Outcomes, node: Node) -> float | None:
    measured: Mapping[str, Any] | None = outcomes.measured.get(outcomes.plan.measured.get(node.key, ""))
    return None if measured is None else float(measured["metrics"][MEASURED])
