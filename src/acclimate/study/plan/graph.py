"""The plan: the graph of stages that a study needs, each with the key of what it will compute; what recipes share is there once."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from acclimate.data.mixture import in_words, shares
from acclimate.data.vocabularies.smaller import necessary
from acclimate.errors import SettingsError
from acclimate.files import digest_json
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.families import NO_CHECKPOINTING, ONE_LAYER
from acclimate.modeling.longest import check_length
from acclimate.modeling.source import Source
from acclimate.stages.base import Stage, task_at
from acclimate.stages.cut import Cut
from acclimate.stages.finetune import Finetune
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.prune import Prune
from acclimate.stages.start import Start
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.study import Study
from acclimate.study.plan.chains import Chain, Chains
from acclimate.tasks.labels import in_order, label_hint, some_labels
from acclimate.tasks.opened import Data


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

    @staticmethod
    def of(study: Study, data: Data, root: Path, precision: str = "auto") -> "Plan":
        """The plan of a study on opened data; bases are looked at (not loaded), relative to `root`.

        Raises:
            ModelError: a base is refused.
            SettingsError: a budget does not fit the data.
        """
        chains = Chains(study, root)
        # Choices that change the result beyond what a seed does; the usual ones leave no trace in the key.
        fast = study.fast_paths.keyed()
        choices = ({} if precision == "auto" else {"precision": precision}) | ({"fast_paths": fast} if fast else {})
        nodes: dict[str, Node] = {}
        runs = []
        for name, recipe in study.recipes.items():
            chain = chains.of(name)
            _check_labels(name, recipe, data)
            _check(name, recipe, chain)
            for labels in study.label_budgets:
                for seed in study.seed_list:
                    path = _path(name, chain, seed, study.seed_list[0], labels, data, choices)
                    for node in path:
                        nodes.setdefault(node.key, node)
                    runs.append(Run(name, seed, labels, tuple(node.key for node in path)))
        return Plan(nodes, tuple(runs), chains.sources)

    def recipes_of(self, key: str) -> tuple[str, ...]:
        """The recipes that use this stage."""
        return tuple(dict.fromkeys(run.recipe for run in self.runs if key in run.nodes))

    def ancestors(self, key: str) -> Iterable[Node]:
        """The nodes that this one is built on, nearest first."""
        node = self.nodes[key]
        while node.parent is not None:
            node = self.nodes[node.parent]
            yield node


def _check_labels(name: str, recipe: Recipe, data: Data) -> None:
    for stage in recipe.stages:
        weights = getattr(stage, "class_weights", None)
        if isinstance(weights, dict) and data.task is not None:
            known = data.task.labels
            if unknown := in_order(weights.keys() - set(known)):
                hint = label_hint(unknown[0], set(known))
                raise SettingsError(f"recipes.{name}: class_weights: label {unknown[0]!r} is not among {some_labels(known)}{hint}")


def _check(name: str, recipe: Recipe, chain: Chain) -> None:
    # What the base's configuration alone tells, before anything is spent.
    source, layers = chain.source, chain.layers
    if source is None:
        return
    for stage in recipe.stages:
        try:
            check_length(getattr(stage, "max_length", None), source.config)
        except SettingsError as error:
            raise SettingsError(f"recipes.{name}: {error}") from error
        if getattr(stage, "gradient_checkpointing", False) and source.config["model_type"] in NO_CHECKPOINTING:
            kind = source.config["model_type"]
            raise SettingsError(f"recipes.{name}: gradient_checkpointing: {kind} cannot do it; lower max_length or --micro-tokens instead")
        if not isinstance(stage, Finetune) or not isinstance(stage.train, int):
            continue
        if source.config["model_type"] in ONE_LAYER:
            raise SettingsError(f"recipes.{name}: train: {source.name}'s layers share their weights, so it is `all` or `head`")
        if layers is not None and stage.train > layers:
            raise SettingsError(f"recipes.{name}: train: {stage.train} layers were asked for, and {source.name} has {layers}")
    for place, (link, _) in enumerate(chain.links):
        for other in _on_same_text(link, chain.links[:place]):
            assert isinstance(link, Pretrain)
            if (link.heldout_share, link.heldout_tokens) != (other.heldout_share, other.heldout_tokens):
                raise SettingsError(
                    f"recipes.{name}: two pretrainings read the same corpus and hold out different parts of it: the second would be "
                    "judged on what the first has learned; give both the same heldout_share and heldout_tokens"
                )
    entries = source.config.get("vocab_size", math.inf)
    sizes = [link.size for link, _ in chain.links if isinstance(link, Prune)]
    least = len(necessary(read_tokenizer(source.folder / TOKENIZER))) if sizes else 0
    for size in sizes:
        if size < least:
            raise SettingsError(f"recipes.{name}: size: {size:,} entries are too few: {least:,} always stay")
        if size >= entries:
            rows = f"there are {entries:,} by then; choose a smaller size"
            raise SettingsError(f"recipes.{name}: size: {size:,} entries were asked for, and {rows}")
        entries = size


def _path(
    recipe: str,
    chain: Chain,
    seed: int,
    first_seed: int,
    labels: str,
    data: Data,
    choices: dict[str, Any],
) -> list[Node]:
    # A stage that is run once for all seeds makes everything before it run once, too.
    shared = max((place for place, (stage, _) in enumerate(chain.links) if not stage.seeds_apart()), default=-1)
    path: list[Node] = []
    apart = False  # whether this seed's way differs from the others'
    for place, (stage, draw) in enumerate(chain.links):
        its_seed = first_seed if place <= shared else seed
        its_labels = labels if "labels" in stage.reads() else "all"
        fingerprints = tuple(fingerprint_of(what, data, its_labels, its_seed) for what in stage.reads())
        its_draw = draw if stage.draws() else 0
        earlier = len(_on_same_text(stage, chain.links[:place]))
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
        title = _title(recipe, stage, its_seed, its_labels, not apart)
        path.append(Node(key, stage, parent, its_seed, its_labels, title, fingerprints, its_draw, earlier))
    return path


def _on_same_text(stage: Stage, before: Iterable[tuple[Stage, int]]) -> list[Pretrain]:
    # The pretrainings before this one that read a corpus of its own.
    if not isinstance(stage, Pretrain):
        return []
    return [each for each, _ in before if isinstance(each, Pretrain) and shares(each.corpus).keys() & shares(stage.corpus).keys()]


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


def _title(recipe: str, stage: Any, seed: int, labels: str, shared: bool) -> str:
    what = f"{stage.stage} on {in_words(stage.corpus)}" if hasattr(stage, "corpus") else stage.stage
    if isinstance(stage, Start):
        what = "random weights" if stage.random else f"read the base {Path(stage.name).name}"
    if isinstance(stage, Cut):
        what = f"{len(stage.keep)} of its layers"
    budget = "" if labels == "all" else f", {labels} labels"
    return f"{recipe}{'' if shared else f', seed {seed}'}{budget}: {what}"
