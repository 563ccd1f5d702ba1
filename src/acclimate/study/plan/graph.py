"""The plan: the graph of stages that a study needs, each with the key of what it will compute; what recipes share is there once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from acclimate.errors import SettingsError
from acclimate.files import digest_json
from acclimate.modeling.source import Source
from acclimate.stages.base import Stage, task_at
from acclimate.stages.planned import Sizes
from acclimate.study.language.study import Study
from acclimate.study.plan.chains import Chain, ChainLink, Chains
from acclimate.tasks.opened import Data
from acclimate.versions import version


@dataclass(frozen=True)
class Node:
    """One stage on one parent, with one seed and one label budget: one computation, one artifact."""

    key: str
    stage: Stage
    parent: str | None  # key
    seed: int
    labels: str  # label budget; "all" where the stage reads no labels
    title: str  # for people, e.g. "DAPT + TAPT, seed 1: pretrain on task"
    fingerprints: tuple[str, ...]  # of the data it reads
    draw: int = 0  # the recipe's; 0 where the stage draws nothing
    earlier: int = 0  # of a pretraining: how many before it have read this text, so that it draws another order and other masks


@dataclass(frozen=True)
class Run:
    """One recipe with one seed and one label budget: a path through the graph."""

    recipe: str
    seed: int
    labels: str
    nodes: tuple[str, ...]  # keys, from the base to the end

    @property
    def end(self) -> str:
        """The key of the run's last stage."""
        return self.nodes[-1]


@dataclass(frozen=True)
class Plan:
    """The graph of a study. `nodes` by key, parents before children."""

    nodes: dict[str, Node]
    runs: tuple[Run, ...]
    sources: dict[str, Source]  # what chains start from, by digest
    given: Mapping[str, Sizes]  # what each stage begins with, by its key

    @staticmethod
    def of(study: Study, data: Data, root: Path, precision: str = "auto") -> "Plan":
        """The plan of a study on opened data; bases are looked at (not loaded), relative to `root`.

        Raises:
            ModelError: a base is refused.
            SettingsError: a budget does not fit the data, or a stage what stands before it.
        """
        chains = Chains(study, root, data.task)
        # Choices that change the result beyond what a seed does; the usual ones leave no trace in the key.
        fast = study.fast_paths.keyed()
        choices = ({} if precision == "auto" else {"precision": precision}) | ({"fast_paths": fast} if fast else {})
        content = cache(lambda what, labels, seed: fingerprint_of(what, data, labels, seed))  # a budget is drawn once, not a time a stage
        nodes: dict[str, Node] = {}
        given: dict[str, Sizes] = {}
        runs = []
        for name in study.recipes:
            chain = chains.of(name)
            for labels in study.label_budgets:
                for seed in study.seed_list:
                    path = _path(name, chain, seed, study.seed_list[0], labels, content, choices)
                    for node, link in zip(path, chain.links, strict=True):
                        nodes.setdefault(node.key, node)
                        given.setdefault(node.key, link.given)
                    runs.append(Run(name, seed, labels, tuple(node.key for node in path)))
        return Plan(nodes, tuple(runs), chains.sources, given)

    def recipes_of(self, key: str) -> tuple[str, ...]:
        """The recipes that use this stage."""
        return tuple(dict.fromkeys(run.recipe for run in self.runs if key in run.nodes))

    def ancestors(self, key: str) -> Iterable[Node]:
        """The nodes that this one is built on, nearest first."""
        node = self.nodes[key]
        while node.parent is not None:
            node = self.nodes[node.parent]
            yield node


def _path(
    recipe: str,
    chain: Chain,
    seed: int,
    first_seed: int,
    labels: str,
    content: Callable[[str, str, int], str],
    choices: dict[str, Any],
) -> list[Node]:
    # A stage that is run once for all seeds makes everything before it run once, too.
    shared = max((place for place, link in enumerate(chain.links) if not link.stage.seeds_apart()), default=-1)
    path: list[Node] = []
    apart = False  # whether this seed's way differs from the others'
    for place, (stage, draw, _) in enumerate(chain.links):
        its_seed = first_seed if place <= shared else seed
        its_labels = labels if "labels" in stage.reads() else "all"
        fingerprints = tuple(content(what, its_labels, its_seed) for what in stage.reads())
        its_draw = draw if stage.draws() else 0
        earlier = _earlier(stage, chain.links[:place])
        parent = path[-1].key if path else None
        key = digest_json(
            {
                "stage": stage.keyed(),
                "version": stage.version,
                "parent": parent,
                "data": fingerprints,
                "seed": its_seed if stage.draws() else None,
                "libraries": {name: version(name) for name in stage.libraries},
            }
            | ({"draw": its_draw} if its_draw else {})
            | ({"earlier": earlier} if earlier else {})
            | choices
        )
        apart = apart or (place > shared and (stage.draws() or "labels" in stage.reads()))
        budget = "" if its_labels == "all" else f", {its_labels} labels"
        title = f"{recipe}{f', seed {its_seed}' if apart else ''}{budget}: {stage.title()}"
        path.append(Node(key, stage, parent, its_seed, its_labels, title, fingerprints, its_draw, earlier))
    return path


def _earlier(stage: Stage, before: Iterable[ChainLink]) -> int:
    # Of a pretraining: those before it that have read some of its text.
    if stage.role != "pretrains":
        return 0
    return sum(link.stage.role == "pretrains" and not set(stage.reads()).isdisjoint(link.stage.reads()) for link in before)


def fingerprint_of(what: str, data: Data, labels: str, seed: int) -> str:
    """The content of what a stage reads: a corpus by name, or a part of the task at a label budget."""
    if what in data.corpora:
        return data.corpora[what].fingerprint
    if data.task is None:
        raise SettingsError(f"this stage reads the task ({what}), and the study has none")
    match what:
        case "labels":
            return task_at(data, labels, seed).fingerprint
        case "task text":
            return data.task.text_fingerprint
        case "dev text":
            return data.task.dev.fingerprint
        case "test text":
            return data.task.test.fingerprint
    raise SettingsError(f"corpus {what!r} is not in `data`")
