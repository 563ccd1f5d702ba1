"""The language of a study: what a study file says, as frozen models. YAML is one way to write it, Python the other.

Study(base="sentence-transformers/all-MiniLM-L6-v2", data=..., recipes={"fine-tune": [Finetune()], "tfidf": {"base": "tfidf"}})
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from acclimate.errors import SettingsError
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.named import DEFAULT
from acclimate.modeling.shape import Shape
from acclimate.settings import LARGEST_SEED, Settings
from acclimate.stages import BASELINES, STAGES, AnyStage
from acclimate.stages.base import Stage
from acclimate.study.language.mistakes import Mistake, as_written, describe, did_you_mean, mistakes_in
from acclimate.study.language.yaml import Document, load
from acclimate.tasks.opened import DataSettings

MOST_RUNS = 20_000  # of a study: their plan alone takes half a minute
NOT_BASELINES = ("random", "layers_of", "keep")  # the keys of a base that is a mapping and no plain baseline
RANDOM = "random"  # a base that is not a pretrained model; nor are the plain baselines
TASK_READS = frozenset(("labels", "task text", "dev text", "test text"))  # what a stage reads of the task rather than of a corpus


def stage_name(stage: type[Stage] | Stage) -> str:
    """The word for a stage in a study file, e.g. `pretrain`."""
    name: str = (stage if isinstance(stage, type) else type(stage)).model_fields["stage"].default
    return name


STAGE_NAMES = tuple(stage_name(stage) for stage in STAGES)
BASELINE_NAMES = tuple(stage_name(stage) for stage in BASELINES)
TO_BE_COMPARED = f"to be compared, a recipe ends with finetune (or is a plain baseline: {', '.join(BASELINE_NAMES)})"


def _stage_as_written(value: Any) -> Any:
    """`finetune` or `{finetune: {lr: 2e-5}}` in the form of the models, `{stage: finetune, lr: 2e-5}`."""
    if isinstance(value, Stage):
        return value
    name: Any
    settings: Any
    if isinstance(value, str):
        name, settings = value, None
    elif isinstance(value, Mapping) and "stage" in value:  # the models' own form: model_dump() is read back, too
        name, settings = value["stage"], value
    elif isinstance(value, Mapping) and len(value) == 1:
        ((name, settings),) = value.items()
    elif isinstance(value, Mapping) and value:
        raise ValueError(
            f"a stage is one name with its settings, not {len(value)} keys ({', '.join(map(str, value))}); indent the settings"
        )
    else:
        raise ValueError("a stage is its name, or `name: {settings}`")
    if name not in STAGE_NAMES:
        raise ValueError(f"unknown stage {name!r}{did_you_mean(str(name), STAGE_NAMES)}; stages are {', '.join(STAGE_NAMES)}")
    if settings is not None and not isinstance(settings, Mapping):
        raise ValueError(f"the settings of {name} are a mapping, `{name}: {{key: value}}`, not {settings!r}")
    return {**(settings or {}), "stage": name}


def _base_as_written(value: Any) -> Any:
    return DEFAULT if value is None else value


def _no_truth(value: Any) -> Any:
    # To Python, and so to pydantic, true is the integer 1.
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "should be a whole number")
    return value


# The bound stands before the validator: only so does it reach the JSON Schema.
Count = Annotated[int, Field(ge=1), BeforeValidator(_no_truth)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED), BeforeValidator(_no_truth)]
Seeds = Count | Annotated[tuple[Seed, ...], Field(min_length=1)]
Budget = Count | Literal["all"]


class LayersOf(Settings):
    """A student: some layers of another model."""

    layers_of: str = Field(min_length=1)
    """A recipe (its model before the first supervised stage), a short name, a folder or a hub id."""
    keep: Count | Annotated[tuple[Seed, ...], Field(min_length=1)]
    """Which layers stay, ascending, 0 being the lowest; or how many, spread evenly with the first and the last among them."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not isinstance(self.keep, int) and list(self.keep) != sorted(set(self.keep)):
            raise ValueError(f"`keep: {list(self.keep)}` is not ascending: layers keep their order, and each stands there once")
        return self


class New(Settings):
    """A model that does not exist yet: BERT's architecture in sizes of your own, with random weights."""

    random: Shape
    """Its sizes, and whose vocabulary it speaks."""


def _kind_of_base(value: Any) -> str | None:
    # A mapping is judged by its keys alone: what is wrong in it is then said of what was meant.
    if isinstance(value, Mapping):
        return "New" if "random" in value else "LayersOf"
    return type(value).__name__ if isinstance(value, LayersOf | New) else "Name"


Base = Annotated[
    Annotated[str, Field(min_length=1), Tag("Name")] | Annotated[LayersOf, Tag("LayersOf")] | Annotated[New, Tag("New")],
    Discriminator(_kind_of_base),
]


class Recipe(Settings):
    """A base and the stages that adapt it. In a study file: a list of stages, or `{base, stages}`."""

    base: Base | None = None
    """Where it starts: a hub id, a folder or a short name, `random` (the study's base with fresh weights), `random: {sizes}`,
    `{layers_of: model or recipe, keep: layers}`, or a plain baseline (`majority`, `tfidf`, `bilstm`); default the study's base."""
    stages: tuple[Annotated[AnyStage, BeforeValidator(_stage_as_written)], ...] = ()
    """What is done to it, in this order: each a stage's name, or `name: {settings}`."""
    draw: Seed = 0
    """Another number draws everything random anew (fresh heads, order, masks, dropout), on the same labelled texts: the same recipe once
    more, for an A/A study."""

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return {"stages": tuple(value)}
        if isinstance(value, Recipe):
            return value
        if not isinstance(value, Mapping):
            raise ValueError("a recipe is a list of stages, such as [finetune], or {base, stages}")
        for name in value:
            if name in STAGE_NAMES and name not in BASELINE_NAMES:
                raise ValueError(f"the stages of a recipe are a list: write [{name}: {{...}}]")
        base, stages = value.get("base"), value.get("stages")
        if isinstance(base, Mapping):
            name = next(iter(base), None)
            if name in NOT_BASELINES:
                return {**value, "stages": ()} if stages is None else value
            if len(base) != 1 or name not in BASELINE_NAMES:
                plain = ", ".join(f"`{name}`" for name in BASELINE_NAMES)
                raise ValueError(
                    f"base: should be a hub id, a folder, `random`, `random: {{sizes}}`, `{{layers_of: model, keep: layers}}`, "
                    f"a plain baseline ({plain}), or `tfidf: {{settings}}`"
                )
            if stages:
                raise ValueError(f"{name} is a plain baseline and takes no stages")
            return {**value, "base": name, "stages": (_stage_as_written(base),)}
        if base in BASELINE_NAMES and not stages:
            return {**value, "stages": (base,)}
        return {**value, "stages": ()} if stages is None else value


class Study(Settings):
    """Recipes x seeds x label budgets on one task, and their comparison.

    Raises:
        SettingsError: something in it is wrong; the message lists the first ten mistakes.
    """

    name: str = Field(default="study", pattern=r"^[^./\\\s][^/\\\n]*$")
    """Names the output folder; default the file's name."""
    base: Annotated[str, Field(min_length=1), BeforeValidator(_base_as_written)] = DEFAULT
    """The pretrained model where recipes start: a hub id, a folder, or a short name (`acclimate-mini`, `acclimate-tiny`, `minilm`)."""
    data: DataSettings
    """The task and the corpora; paths are relative to the study file."""
    seeds: Seeds = 3
    """How many seeds (0, 1, ...), or which: every recipe is run with each of them."""
    labels: tuple[Budget, ...] = Field(default=("all",), min_length=1)
    """Label budgets: train (and dev) are cut to so many labelled texts; `all` is no limit."""
    reference: str | None = None
    """The recipe that the others are compared with; default the first."""
    metric: Literal["macro_f1", "micro_f1", "accuracy", "mcc"] = "macro_f1"
    """The score that is compared: on test for verdicts, on dev for the choice of the best."""
    fast_paths: FastPaths = FastPaths()
    """Shortcuts of the engine, to switch off: the results are the same up to rounding."""
    recipes: dict[str, Recipe] = Field(min_length=1)
    """The ways of adapting the base that are compared, by name."""

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds themselves."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @property
    def number_of_runs(self) -> int:
        """Recipes x seeds x label budgets."""
        return len(self.recipes) * (self.seeds if isinstance(self.seeds, int) else len(self.seeds)) * len(self.labels)

    @property
    def label_budgets(self) -> tuple[str, ...]:
        """The label budgets as words, as they stand in results."""
        return tuple(str(budget) for budget in self.labels)

    @property
    def reference_name(self) -> str:
        """The recipe that the others are compared with."""
        return self.reference or next(iter(self.recipes))

    @property
    def is_classification(self) -> bool:
        """Whether its recipes end with a classifier and are compared; if not, no recipe reads labels, and models are only made."""
        return self.data.task is not None and all(_ends_supervised(recipe) for recipe in self.recipes.values())

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        document: Document | None = info.context
        try:
            study = handler(value)
            if (runs := study.number_of_runs) > MOST_RUNS:
                raise SettingsError(describe([Mistake(_largest(study), _too_many(study, runs))], document))
        except ValidationError as error:
            raise SettingsError(describe(mistakes_in(error, cls, value), document)) from error
        if found := [Mistake(as_written(mistake.path, value), mistake.message) for mistake in _contradictions(study)]:
            raise SettingsError(describe(found, document))
        return study


def _largest(study: Study) -> tuple[str, ...]:
    # The setting that makes most of the runs.
    sizes = {"recipes": len(study.recipes), "labels": len(study.labels)}
    sizes["seeds"] = study.number_of_runs // (sizes["recipes"] * sizes["labels"])
    return (max(sizes, key=sizes.__getitem__),)


def _too_many(study: Study, runs: int) -> str:
    seeds = runs // (len(study.recipes) * len(study.labels))
    parts = f"{len(study.recipes):,} recipes x {seeds:,} seeds x {len(study.labels):,} label budgets"
    return f"{parts} are {runs:,} runs, and a study has at most {MOST_RUNS:,}; split it, or take fewer"


def unsupervised(recipe: Recipe) -> tuple[Stage, ...]:
    """The stages before the first that reads labels: what a student of this recipe is cut from."""
    return tuple(takewhile(lambda stage: not _supervised(stage), recipe.stages))


def _supervised(stage: Stage) -> bool:
    return "labels" in stage.reads()


def _ends_supervised(recipe: Recipe) -> bool:
    return bool(recipe.stages) and _supervised(recipe.stages[-1])


def _contradictions(study: Study) -> Iterator[Mistake]:
    """What each setting allows alone, but not together with the others."""
    seeds = study.seed_list
    if twice := sorted(seed for seed, times in Counter(seeds).items() if times > 1):
        yield Mistake(("seeds",), f"the seed {twice[0]} stands here twice")
    if doubled := [budget for budget, times in Counter(study.labels).items() if times > 1]:
        yield Mistake(("labels",), f"the budget {doubled[0]} stands here twice")
    if study.reference is not None and study.reference not in study.recipes:
        names = tuple(study.recipes)
        near = did_you_mean(study.reference, names)
        yield Mistake(("reference",), f"{study.reference!r} is not a recipe{near}; recipes are {', '.join(names)}")
    needing = [name for name, recipe in study.recipes.items() if _needs_base(recipe)]
    if needing and study.base in (RANDOM, *BASELINE_NAMES):
        yield Mistake(
            ("base",), f"{study.base!r} is not a pretrained model, and {_some(needing)} from it; give a hub id or a folder, or leave it out"
        )
    reading = [name for name, recipe in study.recipes.items() if any(set(stage.reads()) & TASK_READS for stage in recipe.stages)]
    if reading and study.data.task is None:
        yield Mistake(("data",), f"there is no `task`, and {_some(reading, 'reads', 'read')} it")
    compared = any(_ends_supervised(recipe) for recipe in study.recipes.values())
    if not compared and study.labels != ("all",):
        yield Mistake(("labels",), f"no recipe reads labels; {TO_BE_COMPARED}")
    for name, recipe in study.recipes.items():
        path = ("recipes", name)
        if not name or name != name.strip():
            yield Mistake(path, f"the recipe's name {name!r} is empty, or has spaces around it")
        yield from (Mistake((*path, *mistake.path), mistake.message) for mistake in _recipe_contradictions(study, recipe))
        yield from _layers_of(study, name)
        if compared and recipe.stages and not _ends_supervised(recipe):
            yield Mistake(path, f"ends with {stage_name(recipe.stages[-1])}; {TO_BE_COMPARED}")


def _needs_base(recipe: Recipe) -> bool:
    return recipe.base in (None, RANDOM) or (isinstance(recipe.base, New) and recipe.base.random.tokenizer is None)


def _layers_of(study: Study, name: str) -> Iterator[Mistake]:
    # A student of a recipe, of a recipe ...: the way down must end.
    base, seen = study.recipes[name].base, [name]
    if isinstance(base, LayersOf) and base.layers_of not in study.recipes and base.layers_of in (RANDOM, *BASELINE_NAMES):
        yield Mistake(("recipes", name, "base", "layers_of"), f"{base.layers_of} is neither a recipe nor a pretrained model")
    while isinstance(base, LayersOf) and base.layers_of in study.recipes:
        teacher = study.recipes[base.layers_of]
        if base.layers_of in seen:
            yield Mistake(("recipes", name, "base", "layers_of"), f"goes in a circle: {' of '.join((*seen, base.layers_of))}")
            return
        if teacher.base in BASELINE_NAMES:
            yield Mistake(("recipes", name, "base", "layers_of"), f"{base.layers_of} is a plain baseline and has no layers")
        seen, base = [*seen, base.layers_of], teacher.base


def _some(recipes: list[str], one: str = "starts", several: str = "start") -> str:
    if len(recipes) == 1:
        return f"the recipe {recipes[0]} {one}"
    return f"the recipes {', '.join(recipes[:3])}{', ...' if len(recipes) > 3 else ''} {several}"


def _recipe_contradictions(study: Study, recipe: Recipe) -> Iterator[Mistake]:
    corpora = tuple(study.data.corpora_by_name())
    if not recipe.stages:
        yield Mistake((), "has no stages; the shortest recipe is [finetune]")
    random = recipe.base == RANDOM or isinstance(recipe.base, New)
    if recipe.draw and not random and not any(stage.draws() for stage in recipe.stages):
        yield Mistake(("draw",), "nothing in this recipe is drawn at random, so another draw is the same model")
    if recipe.base in BASELINE_NAMES and [stage_name(stage) for stage in recipe.stages] != [recipe.base]:
        yield Mistake((), f"{recipe.base} is a plain baseline and takes no stages")
    for place, stage in enumerate(recipe.stages):
        path = ("stages", place, stage_name(stage))
        name = stage_name(stage)
        if name in BASELINE_NAMES and name != recipe.base:
            yield Mistake(path, f"{name} is a base, not a step on the way: write {{base: {name}}}")
        elif _supervised(stage) and place != len(recipe.stages) - 1:
            yield Mistake(path, f"{stage_name(stage)} must be the last stage, and the only one of its kind")
        for what in stage.reads():
            if what not in TASK_READS and what not in corpora:
                known = (*corpora, *(["task"] if study.data.task is not None else []))
                among = f"those in `data` are {', '.join(known)}" if known else "`data` has none"
                yield Mistake((*path, "corpus"), f"there is no corpus {what!r}{did_you_mean(what, known)}; {among}")


def parse_study(mapping: Any, source: Document | None = None) -> Study:
    """The study that a mapping describes; `source` gives the lines for messages.

    Raises:
        SettingsError: the mapping is not a study; the message lists the first ten mistakes, a line each.
    """
    if not isinstance(mapping, Mapping):
        where = f"{source.where(())}: " if source is not None else ""
        raise SettingsError(f"{where}a study is a mapping with the keys data and recipes, not {type(mapping).__name__}")
    return Study.model_validate(mapping, context=source)


def load_study(path: Path) -> Study:
    """Read a study file. Its name is the file's unless it says another; paths in it are relative to its folder.

    Raises:
        SettingsError: the file cannot be read, or what it says is no study; names file, line and column.
    """
    document = load(path)
    value = document.value
    return parse_study({"name": path.stem, **value} if isinstance(value, Mapping) else value, document)


def resolved(study: Study) -> dict[str, Any]:
    """The study with every default written out, in plain values and as one would write it; `parse_study` reads it back."""
    recipes: dict[str, Any] = {}
    for name, recipe in study.recipes.items():
        if recipe.base in BASELINE_NAMES:
            recipes[name] = {"base": _stage_written_out(recipe.stages[0]), "draw": recipe.draw}
        else:
            base = recipe.base.model_dump(mode="json") if isinstance(recipe.base, Settings) else recipe.base or study.base
            recipes[name] = {"base": base, "stages": [_stage_written_out(stage) for stage in recipe.stages], "draw": recipe.draw}
    plain = study.model_dump(mode="json", exclude={"recipes"})
    return {**plain, "reference": study.reference_name, "recipes": recipes}


def _stage_written_out(stage: Stage) -> dict[str, Any]:
    return {stage_name(stage): stage.model_dump(mode="json", exclude={"stage"})}
