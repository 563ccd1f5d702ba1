"""The plan: the graph of stages that a study needs, each with the key of what it will compute; what recipes share is there once."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from acclimate.errors import SettingsError
from acclimate.files import digest_json
from acclimate.modeling.source import Source
from acclimate.stages import Searching, Selecting
from acclimate.stages.base import GENERAL_TEXT, LABELS_OF, OWN_BASE, Stage, task_at
from acclimate.stages.planned import Sizes
from acclimate.study.language.study import Study
from acclimate.study.plan.chains import ChainLink, Chains
from acclimate.tasks.opened import Data
from acclimate.tasks.split import with_groups
from acclimate.versions import version
from acclimate.wording import side_by_side


@dataclass(frozen=True)
class Node:
    """One stage on what it is made from, with one seed and one label budget: one computation, one artifact."""

    key: str
    stage: Stage
    parent: str | None  # key of the stage whose model it goes on from: the trunk
    seed: int
    labels: str  # label budget; "all" where nothing on the way reads labels
    title: str  # for people, e.g. "DAPT + TAPT, seed 1: pretrain on task"
    fingerprints: tuple[str, ...]  # of the data it reads
    draw: int = 0  # the recipe's; 0 where the stage draws nothing
    earlier: int = 0  # of a pretraining: how many before it have read this text, so that it draws another order and other masks
    beside: tuple[tuple[str, str], ...] = ()  # of each recipe whose model it needs besides, the name and the key of its end
    search: str | None = None  # key of the search whose values it takes
    selected: tuple[tuple[str, str], ...] = ()  # of each corpus that it reads and a stage chooses, the name and the key of that stage

    @property
    def parents(self) -> tuple[str, ...]:
        """The keys of all that must be done before it, each once, the trunk first."""
        trunk = () if self.parent is None else (self.parent,)
        search = () if self.search is None else (self.search,)
        return tuple(dict.fromkeys((*trunk, *(key for _, key in (*self.beside, *self.selected)), *search)))


@dataclass(frozen=True)
class Run:
    """One recipe with one seed and one label budget: its end, and all that this is made from."""

    recipe: str
    seed: int
    labels: str
    nodes: tuple[str, ...]  # keys, parents before children; the last is the run's own end

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
    left: Mapping[str, Sizes] = field(default_factory=dict)  # what each stage of a recipe leaves, by its key
    choices: Mapping[str, Any] = field(default_factory=dict)  # of the study, that are part of every key
    measured: Mapping[str, str] = field(default_factory=dict)  # key of a stage -> key of the stage that measures its model

    @staticmethod
    def of(study: Study, data: Data, root: Path, precision: str = "auto") -> "Plan":
        """The plan of a study on opened data; bases are looked at (not loaded), relative to `root`.

        Raises:
            ModelError: a base is refused.
            SettingsError: a budget does not fit the data, or a stage what stands before it.
        """
        # Choices that change the result beyond what a seed does; the usual ones leave no trace in the key.
        fast = study.fast_paths.keyed()
        choices = ({} if precision == "auto" else {"precision": precision}) | ({"fast_paths": fast} if fast else {})
        paths = _Paths(study, data, Chains(study, root, data), choices)
        runs = [
            Run(name, seed, labels, _in_order(paths.end(name, seed, labels), paths.nodes))
            for name in study.compared
            for labels in study.label_budgets
            for seed in study.seed_list
        ]
        return Plan(paths.nodes, tuple(runs), paths.chains.sources, paths.given, paths.left, choices)

    @cached_property
    def runs_of(self) -> Mapping[str, tuple[Run, ...]]:
        """The runs that use each stage, by its key."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            for key in (*run.nodes, *(self.measured[key] for key in run.nodes if key in self.measured)):
                found.setdefault(key, []).append(run)
        return {key: tuple(runs) for key, runs in found.items()}

    def recipes_of(self, key: str) -> tuple[str, ...]:
        """The recipes that use this stage."""
        return tuple(dict.fromkeys(run.recipe for run in self.runs_of[key]))

    def trunk(self, key: str) -> Iterable[Node]:
        """The nodes whose models this one goes on from, nearest first, down to where it starts."""
        node = self.nodes[key]
        while node.parent is not None:
            node = self.nodes[node.parent]
            yield node

    def notes(self) -> list[str]:
        """What should be said of searches before anything is spent."""
        found = {
            f"{side_by_side(self.recipes_of(key))}: {node.stage.word()} searches {node.stage.search_told}, judged on dev": None
            for key, node in self.nodes.items()
            if node.search is not None
        }
        return list(found)

    @cached_property
    def selected(self) -> Mapping[str, str]:
        """The keys of the stages that choose corpora, by the name of the corpus."""
        return {name: key for node in self.nodes.values() for name, key in node.selected}

    def missing(self, there: Collection[str]) -> set[str]:
        """The keys of what is to be done where `there` is done: what leads to an end that is not there, and is not there itself.

        A model is measured where it is there or is made: none is made again to be measured.
        """
        open_keys = [run.end for run in self.runs]
        found: set[str] = set()
        while open_keys:
            key = open_keys.pop()
            if key not in there and key not in found:
                found.add(key)
                open_keys += self.nodes[key].parents
        return found | {by for key, by in self.measured.items() if by not in there and (key in there or key in found)}


@dataclass(frozen=True)
class _Paths:
    """The nodes of a study, made recipe by recipe as they are asked for."""

    study: Study
    data: Data
    chains: Chains
    choices: dict[str, Any]
    nodes: dict[str, Node] = field(default_factory=dict)
    given: dict[str, Sizes] = field(default_factory=dict)
    left: dict[str, Sizes] = field(default_factory=dict)
    ends: dict[tuple[str, int, str], str] = field(default_factory=dict)
    content: dict[tuple[str, str, int], str] = field(default_factory=dict)  # a budget is drawn once, not a time a stage
    selected: dict[str, str] = field(default_factory=dict)  # by corpus, the key of the stage that chooses it
    searches: dict[tuple[str, int, str, int], str] = field(default_factory=dict)  # by recipe, place of the stage in it, budget and seed

    def end(self, recipe: str, seed: int, labels: str) -> str:
        """The key of a run's last stage; all that it is made from stands in `nodes`."""
        known = self.ends.get((recipe, seed, labels))
        if known is None:
            known = self.ends[recipe, seed, labels] = self._made(recipe, seed, labels)
        return known

    def _made(self, recipe: str, seed: int, labels: str) -> str:
        chain, first = self.chains.of(recipe), self.study.seed_list[0]
        links, starts = chain.links, chain.starts
        # A stage that is run once for all seeds makes everything before it run once, too.
        shared = max((place for place, link in enumerate(links) if not link.stage.seeds_apart()), default=-1)
        before: Node | None = None
        start = ""  # the key of what the recipe starts from
        apart = False  # whether this seed's way differs from the others'
        for place, link in enumerate(links):
            stage, its_seed = link.stage, first if place <= shared else seed
            beside = tuple(
                (name, self._beside(model, start, of_seed, labels, recipe, stage)) for name, model, of_seed in self._needed(stage, its_seed)
            )
            if same := [name for name, key in beside if before is not None and key == before.key]:
                raise SettingsError(f"recipes.{recipe}: {stage.word()}: nothing stands between {same[0]} and this model: the two are one")
            apart = apart or (place > shared and (stage.draws() or "labels" in stage.reads() or bool(beside)))
            at, earlier = (before, its_seed, labels, beside), _earlier(stage, links[:place])
            search = None
            if stage.searches:
                its_first = its_seed if stage.searched_by_all else first
                if its_seed == its_first:
                    looked = self._node(link._replace(stage=Searching(of=stage)), *at, earlier)
                    self.searches[recipe, place, labels, its_seed] = self._kept(looked, link, recipe, stage.searched_by_all).key
                else:
                    self.end(recipe, first, labels)
                search = self.searches[recipe, place, labels, its_first]
            before = self._kept(self._node(link, *at, earlier, search), link, recipe, apart)
            self.left.setdefault(before.key, replace(chain.left(place), beside={}))
            start = before.key if place == starts - 1 else start
        assert before is not None, "a chain has a stage at least"
        return before.key

    def _needed(self, stage: Stage, seed: int) -> Iterator[tuple[str, str, int]]:
        """The models that a stage of a seed needs besides its own: what it calls each, of which recipe, or by which name, of which seed."""
        for name in stage.beside():
            yield name, name, seed
            for other in self.study.seed_list if stage.asks_all_seeds() else ():
                if other != seed:
                    yield f"{name} (seed {other})", name, other

    def _beside(self, name: str, start: str, seed: int, labels: str, recipe: str, stage: Stage) -> str:
        if name == OWN_BASE:
            return start
        if name in self.study.recipes:
            return self.end(name, seed, labels)
        return self._of_data(self.chains.named(name, recipe, stage).links[0], None).key

    def _kept(self, node: Node, link: ChainLink, recipe: str, apart: bool) -> Node:
        """The node with its title, or the one that is there already."""
        budget = "" if node.labels == "all" else f", {node.labels}{' labels' if node.labels.isdecimal() else ''}"
        node = replace(node, title=f"{recipe}{f', seed {node.seed}' if apart else ''}{budget}: {node.stage.title()}")
        self.given.setdefault(node.key, link.given)
        return self.nodes.setdefault(node.key, node)

    def _node(
        self, link: ChainLink, before: Node | None, seed: int, labels: str, beside: tuple[tuple[str, str], ...], earlier: int,
        search: str | None = None,
    ) -> Node:  # fmt: skip
        stage, parent = link.stage, None if before is None else before.key
        made_from = (*([before] if before is not None else []), *(self.nodes[key] for _, key in beside))
        selected = {name: self._selected(name, link) for name in stage.reads() if name in self.data.selections}
        fingerprints = tuple(
            selected.get(what) or self._content(what, labels if what == "labels" else "all", seed) for what in stage.reads()
        )
        draw = link.draw if stage.draws() else 0
        more: dict[str, Any] = ({"beside": [key for _, key in beside]} if beside else {}) | ({"draw": draw} if draw else {})
        more |= ({"earlier": earlier} if earlier else {}) | ({"search": search} if search is not None else {})
        key = key_of(stage, seed, fingerprints, parent, more | self.choices)
        budget = labels if "labels" in stage.reads() or any(node.labels != "all" for node in made_from) else "all"
        return Node(key, stage, parent, seed, budget, "", fingerprints, draw, earlier, beside, search, tuple(selected.items()))

    def _selected(self, name: str, link: ChainLink) -> str:
        """The key of the stage that chooses this corpus; `link` is a stage that reads it."""
        if name not in self.selected:
            stage = Selecting(of=self.data.selections[name], judged=self.data.task is not None, name=name)
            source, before = link.given.source, None
            given = Sizes() if source is None else Sizes.of(source)
            if stage.of.asks_base:
                chain = self.chains.base()
                before, given = self._of_data(chain.links[0], None), chain.end
            self.selected[name] = self._of_data(ChainLink(stage, 0, given), before).key
        return self.selected[name]

    def _of_data(self, link: ChainLink, before: Node | None) -> Node:
        """The node of a stage that stands before all recipes: the same for all of their seeds and label budgets."""
        link.stage.check(link.given, self.data.task)
        node = self._node(link, before, self.study.seed_list[0], "all", (), 0)
        self.given.setdefault(node.key, link.given)
        return self.nodes.setdefault(node.key, replace(node, title=link.stage.title()))

    def _content(self, what: str, labels: str, seed: int) -> str:
        if (what, labels, seed) not in self.content:
            self.content[what, labels, seed] = fingerprint_of(what, self.data, labels, seed)
        return self.content[what, labels, seed]


def key_of(stage: Stage, seed: int, fingerprints: tuple[str, ...], parent: str | None, more: Mapping[str, Any]) -> str:
    """The key of what a stage computes: SHA-256 over all that decides it. `more` is what most stages have not, and leaves no trace then."""
    return digest_json(
        {
            "stage": stage.keyed(),
            "version": stage.version,
            "parent": parent,
            "data": fingerprints,
            "seed": seed if stage.draws() else None,
            "libraries": {name: version(name) for name in stage.libraries},
            **more,
        }
    )


def _in_order(end: str, nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """What an end is made from and itself, parents before children."""
    found: dict[str, None] = {}

    def visit(key: str) -> None:
        if key not in found:
            for parent in nodes[key].parents:
                visit(parent)
            found[key] = None

    visit(end)
    return tuple(found)


def _earlier(stage: Stage, before: Iterable[ChainLink]) -> int:
    # Of a pretraining: those before it that have read some of its text.
    if stage.role != "pretrains":
        return 0
    return sum(link.stage.role == "pretrains" and not set(stage.reads()).isdisjoint(link.stage.reads()) for link in before)


def fingerprint_of(what: str, data: Data, labels: str, seed: int) -> str:
    """The content of what a stage reads: a corpus by name, or a part of the task at a label budget."""
    if what in data.corpora:
        return data.corpora[what].fingerprint
    if what.startswith(LABELS_OF):
        return task_at(data, labels, seed, what.removeprefix(LABELS_OF)).fingerprint
    if what == GENERAL_TEXT and data.general is not None:
        return data.general.fingerprint
    if data.task is None:
        raise SettingsError(f"this stage reads the task ({what}), and the study has none")
    match what:
        case "labels":
            return task_at(data, labels, seed).fingerprint
        case "exam":
            return data.task.exam_fingerprint
        case "task text":
            return data.task.text_fingerprint
        case "train text":
            return data.task.text
        case "dev text":
            return with_groups(data.task.dev.fingerprint, data.task.dev.groups)
        case "test text":
            return with_groups(data.task.test.fingerprint, data.task.test.groups)
    raise SettingsError(f"corpus {what!r} is not in `data`")
