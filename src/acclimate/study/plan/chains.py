"""From a recipe as it is written to the chain of stages that it is: where it starts, and all that is done from there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Self

from acclimate.errors import DataError, ModelError, SettingsError
from acclimate.modeling.source import Source, new_source, resolve_base
from acclimate.stages import Cut, Searching, Start
from acclimate.stages.base import OWN_BASE, Stage
from acclimate.stages.planned import Sizes
from acclimate.study.language.bases import RANDOM, EndOf, LayersOf, New
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.study import Study
from acclimate.tasks.opened import Data
from acclimate.tasks.task import Task

UNCHANGED = ("start", "answers", "measures", "selects")  # roles of stages that leave weights as they are


class ChainLink(NamedTuple):
    """A stage of a chain."""

    stage: Stage
    draw: int  # of the recipe that it is written in
    given: Sizes  # what it begins with


@dataclass(frozen=True)
class Chain:
    """The stages of a recipe from its base on, each checked against what those before it leave."""

    links: tuple[ChainLink, ...] = ()
    end: Sizes = field(default_factory=Sizes)
    start: Sizes = field(default_factory=Sizes)
    """What its recipe starts from: a base, or what another recipe leaves."""
    starts: int = 0
    """How many of the links lead to that."""

    def then(self, stage: Stage, recipe: str, draw: int, task: Task | None, beside: Mapping[str, Sizes] = MappingProxyType({})) -> Self:
        """The chain with one stage more, which stands in `recipe`, is about `task`, and has the models of other recipes `beside` it.

        Raises:
            DataError, ModelError, SettingsError: the stage cannot be done there, or not with these data.
        """
        given = replace(self.end, beside=beside)
        try:
            _refuse_decoder(stage, given)
            stage = stage.settled(given)
            after = stage.check(given, task)
            if stage.searches:
                Searching(of=stage).check(given, task)
        except (DataError, ModelError, SettingsError) as error:
            raise type(error)(f"recipes.{recipe}: {error}") from error
        trained = after.trained or stage.role not in UNCHANGED
        return replace(self, links=(*self.links, ChainLink(stage, draw, given)), end=replace(after, beside={}, trained=trained))

    def left(self, place: int) -> Sizes:
        """What the stage at this place leaves."""
        return self.links[place + 1].given if place + 1 < len(self.links) else self.end

    def begun(self) -> Self:
        """The chain as that which a recipe starts from."""
        return replace(self, start=self.end, starts=len(self.links))


class Chains:
    """The chains of a study's recipes; what they start from is looked at once."""

    def __init__(self, study: Study, root: Path, data: Data) -> None:
        self._study = study
        self._root = root
        self._data = data
        self.sources: dict[str, Source] = {}  # by digest
        self._seen: dict[str, Source] = {}
        self._made: dict[str, Chain] = {}

    def of(self, name: str) -> Chain:
        """The chain of the recipe called `name`.

        Raises:
            ModelError: a base is refused.
            SettingsError: a stage cannot be done on what stands before it.
        """
        if name not in self._made:
            recipe = self._study.recipes[name]
            self._made[name] = self._with(self._start_of(name, recipe).begun(), name, recipe.stages, recipe.draw)
        return self._made[name]

    def base(self) -> Chain:
        """The chain of the study's base alone."""
        return self._start("data", self._study.base, 0)

    def _with(self, chain: Chain, recipe: str, stages: tuple[Stage, ...], draw: int) -> Chain:
        for stage in stages:
            task = self._data.task_called(stage.about())
            beside = {name: self._sizes_of(name, chain, recipe, stage) for name in stage.beside()}
            chain = chain.then(self._located(stage, recipe), recipe, draw, task, beside)
        return chain

    def _sizes_of(self, name: str, chain: Chain, recipe: str, stage: Stage) -> Sizes:
        if name == OWN_BASE:
            return chain.start
        return (self.of(name) if name in self._study.recipes else self.named(name, recipe, stage)).end

    def named(self, model: str, recipe: str, stage: Stage) -> Chain:
        """The chain of a model by name that a stage of a recipe needs besides its own.

        Raises:
            ModelError: it is refused, or there is none.
        """
        return self._by_name(recipe, model, 0, classifier=stage.beside_models == "trained")

    def _located(self, stage: Stage, recipe: str) -> Stage:
        try:
            return stage.located(self._root)
        except SettingsError as error:
            raise SettingsError(f"recipes.{recipe}: {error}") from error

    def _start_of(self, name: str, recipe: Recipe) -> Chain:
        if recipe.is_baseline:
            made_from = recipe.stages[0].made_from()
            named = self._study.base if made_from == OWN_BASE else made_from
            return Chain() if named is None else self._start(name, named, recipe.draw)
        if isinstance(recipe.base, LayersOf):
            return self._cut(name, recipe.base, recipe.draw)
        # What pretrains or changes a model leaves its classifier with it, for what asks it then.
        asks = next((stage.asks_trained for stage in recipe.stages if stage.role not in ("changes", "pretrains", "embeds")), False)
        if isinstance(recipe.base, EndOf):
            return self._end(name, recipe.base.end_of, recipe.draw, asks)
        return self._start(name, recipe.base or self._study.base, recipe.draw, asks)

    def _end(self, name: str, end_of: str, draw: int, asks: bool) -> Chain:
        if end_of in self._study.recipes:
            chain = self.of(end_of)
            # What answers and trains nothing leaves the model as it was.
            learned = [place for place, link in enumerate(chain.links) if link.stage.role != "answers"]
            return replace(chain, links=chain.links[: learned[-1] + 1])
        return self._by_name(name, end_of, draw, asks)

    def _by_name(self, recipe: str, model: str, draw: int, classifier: bool) -> Chain:
        """The start that a model makes which is no recipe, said of `recipe`."""
        try:
            return self._start(recipe, model, draw, classifier)
        except ModelError as error:
            there = (self._root / Path(model).expanduser()).is_dir()
            recipes = "" if there else f"; nor is it a recipe: those are {', '.join(self._study.recipes)}"
            raise ModelError(f"recipes.{recipe}: {error}{recipes}") from error

    def _start(self, name: str, base: str | New, draw: int, classifier: bool = False) -> Chain:
        if isinstance(base, New):
            shape = base.random
            tokenizer = shape.tokenizer or self._study.base
            source = self._once(f"{shape.model_dump_json()} {tokenizer}", lambda: new_source(shape, tokenizer, self._root))
        else:
            named = self._study.base if base == RANDOM else base
            source = self._once(named, lambda: resolve_base(named, self._root))
        start = Start.of(source, random=base == RANDOM or isinstance(base, New), classifier=classifier)
        return self._with(Chain(end=Sizes.of(source)), name, (start,), draw)

    def _cut(self, name: str, base: LayersOf, draw: int) -> Chain:
        teacher = self._study.recipes.get(base.layers_of)
        if teacher is None:
            whole = self._start(name, base.layers_of, draw)
        else:
            start = self._start_of(base.layers_of, teacher)
            whole = self._with(start, base.layers_of, teacher.unsupervised, teacher.draw)
        try:
            cut = Cut.of(base.keep, whole.end, base.layers_of)
        except SettingsError as error:
            raise SettingsError(f"recipes.{name}: {error}") from error
        return self._with(whole, name, (cut,), draw)

    def _once(self, key: str, look: Callable[[], Source]) -> Source:
        if key not in self._seen:
            source = look()
            self._seen[key] = self.sources.setdefault(source.digest, source)
        return self._seen[key]


def _refuse_decoder(stage: Stage, given: Sizes) -> None:
    if given.source is not None and given.family.decoder and not stage.reads_decoders:
        raise SettingsError(
            f"{stage.word()}: {given.source.name} is a decoder ({given.family.model_type}), and {stage.word()} is there for encoders only; "
            "what decoders can do: docs/decoders.md"
        )
