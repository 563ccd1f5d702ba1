"""A plan with a measurement beside every model on the way that can be asked for words: what each knows of general text."""

from collections.abc import Iterator
from dataclasses import replace

from acclimate.stages import Measure
from acclimate.stages.base import GENERAL_TEXT
from acclimate.study.language.study import Study
from acclimate.study.plan.graph import Node, Plan, Run, fingerprint_of, key_of
from acclimate.tasks.budgets import by_size
from acclimate.tasks.opened import Data


def with_measurements(plan: Plan, study: Study, data: Data) -> Plan:
    """The plan as it is where no text is there to measure on; else with measurements, on which nothing depends.

    Of models that learn from labels only those of the largest budget are measured.
    """
    if data.general is None:
        return plan
    largest = "all" if data.task is None else [*by_size(data.task, study.label_budgets, study.seed_list[0])][-1]
    fingerprints = (fingerprint_of(GENERAL_TEXT, data, "all", 0),)
    found: dict[str, Node] = {}
    for node in (node for run in plan.runs if run.labels == largest for node, _ in states(plan, run)):
        if node.key not in found:
            key = key_of(Measure(), node.seed, fingerprints, node.key, plan.choices)
            title = f"{node.title}: {Measure().title()}"
            found[node.key] = Node(key, Measure(), node.key, node.seed, node.labels, title, fingerprints)
    nodes: dict[str, Node] = {}
    for node in plan.nodes.values():
        nodes |= {each.key: each for each in (node, found.get(node.key)) if each is not None}
    return replace(
        plan,
        nodes=nodes,
        given={**plan.given, **{node.key: plan.left[of] for of, node in found.items()}},
        measured={of: node.key for of, node in found.items()},
    )


def states(plan: Plan, run: Run) -> Iterator[tuple[Node, bool]]:
    """The stages of a run, from its start on, whose models have learned to predict words; and whether one has learned something else since,
    so that the head that predicts them was only carried along.

    A fresh head knows nothing before a pretraining has warmed it up, and neither do random weights.
    """
    end = plan.nodes[run.end]
    knows = carried = False
    for node in (*reversed([*plan.trunk(end.key)]), end):
        match node.stage.role:
            case "start":
                knows = not node.stage.draws() and not plan.left[node.key].fresh_head
            case "pretrains" | "learns" if node.stage.teaches_words():
                knows, carried = True, False
            case "pretrains" | "embeds" | "learns":
                carried = True
            case "changes":
                pass
            case _:
                continue  # what answers hands its model on as it is, and a plain baseline is none
        if knows:
            yield node, carried
