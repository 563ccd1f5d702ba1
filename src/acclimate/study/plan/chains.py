"""From a recipe as it is written to the chain of stages that it is: where it starts, and all that is done from there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from acclimate.errors import SettingsError
from acclimate.modeling.families import ONE_LAYER
from acclimate.modeling.source import Source, new_source, resolve_base
from acclimate.stages.base import Stage
from acclimate.stages.cut import Cut, spread
from acclimate.stages.start import Start
from acclimate.study.language.bases import RANDOM, LayersOf, New
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.study import Study

KEEPS_ITS_FIRST = ("modernbert",)  # whose first layer is built unlike the others


@dataclass(frozen=True)
class Chain:
    """The stages of a recipe from its base on, each with the draw of the recipe that it was written in."""

    links: tuple[tuple[Stage, int], ...]
    source: Source | None  # None for plain baselines
    layers: int | None  # of its model


class Chains:
    """The chains of a study's recipes; what they start from is looked at once."""

    def __init__(self, study: Study, root: Path) -> None:
        self._study = study
        self._root = root
        self.sources: dict[str, Source] = {}  # by digest
        self._seen: dict[str, Source] = {}

    def of(self, name: str) -> Chain:
        """The chain of the recipe called `name`.

        Raises:
            ModelError: a base is refused.
            SettingsError: layers were asked for that a model does not have.
        """
        recipe = self._study.recipes[name]
        start = self._start_of(name, recipe)
        return Chain((*start.links, *((stage, recipe.draw) for stage in recipe.stages)), start.source, start.layers)

    def _start_of(self, name: str, recipe: Recipe) -> Chain:
        if recipe.is_baseline:
            return Chain((), None, None)
        if isinstance(recipe.base, LayersOf):
            return self._cut(name, recipe.base, recipe.draw)
        return self._start(recipe.base or self._study.base, recipe.draw)

    def _start(self, base: str | New, draw: int) -> Chain:
        if isinstance(base, New):
            shape = base.random
            tokenizer = shape.tokenizer or self._study.base
            source = self._once(f"{shape.model_dump_json()} {tokenizer}", lambda: new_source(shape, tokenizer, self._root))
        else:
            named = self._study.base if base == RANDOM else base
            source = self._once(named, lambda: resolve_base(named, self._root))
        random = base == RANDOM or isinstance(base, New)
        start = Start(digest=source.digest, random=random, shape=source.shape, name=source.name, folder=str(source.folder))
        layers = source.config.get("num_hidden_layers") or source.config.get("n_layers")
        return Chain(((start, draw),), source, layers)

    def _cut(self, name: str, base: LayersOf, draw: int) -> Chain:
        teacher = self._study.recipes.get(base.layers_of)
        if teacher is None:
            whole = self._start(base.layers_of, draw)
        else:
            start = self._start_of(base.layers_of, teacher)
            steps = tuple((stage, teacher.draw) for stage in teacher.unsupervised)
            whole = Chain((*start.links, *steps), start.source, start.layers)
        assert whole.source is not None and whole.layers is not None
        keep = base.keep
        if (keep if isinstance(keep, int) else keep[-1] + 1) > whole.layers:
            asked = f"{keep} layers" if isinstance(keep, int) else f"layer {keep[-1]}"
            raise SettingsError(
                f"recipes.{name}: keep: {asked} of {base.layers_of}, which has {whole.layers} layers (0 to {whole.layers - 1})"
            )
        kept = spread(keep, whole.layers) if isinstance(keep, int) else keep
        kind = whole.source.config["model_type"]
        if kind in KEEPS_ITS_FIRST and kept[0] != 0:
            raise SettingsError(f"recipes.{name}: keep: the first layer of {kind} is built unlike the others: begin with 0")
        if kind in ONE_LAYER:
            if whole.source.config.get("num_hidden_groups", 1) > 1:
                raise SettingsError(f"recipes.{name}: layers_of: {base.layers_of} shares its layers in several groups, which cannot be cut")
            kept = tuple(range(len(kept)))  # all of them are one
        return Chain((*whole.links, (Cut(keep=kept), draw)), whole.source, len(kept))

    def _once(self, key: str, look: Callable[[], Source]) -> Source:
        if key not in self._seen:
            source = look()
            self._seen[key] = self.sources.setdefault(source.digest, source)
        return self._seen[key]
