"""The language of a study: what a study file says, as frozen models. YAML is one way to write it, Python the other.

Study(base="sentence-transformers/all-MiniLM-L6-v2", data=..., recipes={"fine-tune": [Finetune()], "tfidf": {"base": "tfidf"}})
"""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import BeforeValidator, Field, ModelWrapValidatorHandler, ValidationError, ValidationInfo, model_validator

from acclimate.errors import SettingsError
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.named import DEFAULT
from acclimate.settings import Settings
from acclimate.study.language.bases import EndOf, LayersOf
from acclimate.study.language.contradictions import MOST_RUNS, contradictions, too_many_runs
from acclimate.study.language.counts import Budget, Seeds
from acclimate.study.language.general_text import general_text_of
from acclimate.study.language.mistakes import Mistake, as_written, describe, mistakes_in
from acclimate.study.language.recipe import TABLE, Recipe
from acclimate.study.language.replayed import with_general
from acclimate.study.language.stage_table import StageTable, written_out
from acclimate.study.language.yaml import Document, load
from acclimate.tasks import KINDS
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.opened import DataSettings


def _base_as_written(value: Any) -> Any:
    return DEFAULT if value is None else value


S = TypeVar("S", bound="Study")


class _Written(NamedTuple):
    """What is read from something written: it must say where all of its data is. A study that Python makes may get some of it later."""

    document: Document | None


class Study(Settings):
    """Recipes x seeds x label budgets on one task, and their comparison.

    Raises:
        SettingsError: something in it is wrong; the message lists the first ten mistakes.
    """

    table: ClassVar[StageTable] = TABLE
    kinds: ClassVar[tuple[type[TaskKind], ...]] = KINDS

    name: str = Field(default="study", pattern=r"^[^./\\\s][^/\\\n]*$")
    """Names the output folder; default the file's name."""
    base: Annotated[str, Field(min_length=1), BeforeValidator(_base_as_written)] = DEFAULT
    """The pretrained model where recipes start: a hub id, a folder, or a short name (`acclimate-mini`, `acclimate-tiny`, `minilm`)."""
    data: DataSettings
    """The task and the corpora; paths are relative to the study file."""
    seeds: Seeds = 3
    """How many seeds (0, 1, ...), or which: every recipe is run with each of them."""
    labels: tuple[Budget, ...] = Field(default=("all",), min_length=1)
    """Label budgets: train (and dev) are cut to so many labelled texts, or so many of each class, as `8 per class`; `all` is no limit."""
    reference: str | None = None
    """The recipe that the others are compared with; default the first."""
    metric: str | None = None
    """The score that is compared, on test for verdicts, on dev for the choice of the best: of classify `macro_f1` (when not given),
    `accuracy`, `micro_f1` or `mcc`."""
    forgetting: bool | str | None = None
    """Whether every model on the way is asked for held-out general text, in bits per byte: before, after each stage that pretrains or
    changes it, and after fine-tuning, with the head that it carried along. `true`, on text that comes with acclimate; or a corpus of
    `data`, some documents of which no stage reads then; default `true` where a recipe pretrains or changes a model, else `false`."""
    speed: bool | None = None
    """Whether the model of each recipe is timed on test once all runs are done: one text alone, and batches of 32 (a few seconds a model,
    kept in the store); default `true` where one transformer is a tenth larger than another, else `false`."""
    attention: bool | str = False
    """Whether the report shows what heads attend to before and after each stage, and how far each moved: `true`, of the best recipe on dev
    with attention, or of the recipe that is named. Over 50 texts of dev, kept in the store; no result depends on it."""
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
        return len(self.compared) * (self.seeds if isinstance(self.seeds, int) else len(self.seeds)) * len(self.labels)

    @property
    def label_budgets(self) -> tuple[str, ...]:
        """The label budgets as words, as they stand in results."""
        return tuple(str(budget) for budget in self.labels)

    @property
    def reference_name(self) -> str:
        """The recipe that the others are compared with."""
        return self.reference or next(iter(self.compared))

    @property
    def compared(self) -> dict[str, Recipe]:
        """The recipes that are run, by name: all but those that only make a model for others, and answer nothing."""
        needed = {recipe.base.end_of for recipe in self.recipes.values() if isinstance(recipe.base, EndOf)}
        needed |= {name for recipe in self.recipes.values() for stage in recipe.stages for name in stage.beside()}
        found = {name: recipe for name, recipe in self.recipes.items() if recipe.answers or name not in needed}
        return found or self.recipes

    @property
    def general_text(self) -> str | None:
        """The text on which forgetting is measured, by its name (`GeneralText.open`); None where it is not."""
        return general_text_of(self)

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        written: _Written | None = info.context
        document = written.document if written is not None else None
        try:
            made = handler(value)
            study, written_as = _each_variant(made)
            study = with_general(study)
            if study.number_of_runs > MOST_RUNS:
                raise SettingsError(describe([too_many_runs(study)], document))
        except ValidationError as error:
            raise SettingsError(describe(mistakes_in(error, cls, value), document)) from error
        found: dict[Mistake, None] = {}  # of the variants of a recipe, each once
        for mistake in contradictions(study, written is not None):
            place = tuple(written_as.get(str(part), part) if number == 1 else part for number, part in enumerate(mistake.path))
            found[Mistake(as_written(place, value), mistake.message)] = None
        if found:
            raise SettingsError(describe(list(found), document))
        if made is not value:
            # Whoever calls `Study(...)` gets the object that was begun with, whatever is returned here.
            made.__dict__.update(study.__dict__)
            return made
        return study


def _each_variant(study: S) -> tuple[S, dict[str, str]]:
    """(the study with a recipe of its own for each variant of a stage that was written as several; what each of them is called there)

    Raises:
        SettingsError: another recipe has that name, or goes on from the one that is several now.
    """
    found: dict[str, Recipe] = {}
    several: dict[str, list[str]] = {}
    for name, recipe in study.recipes.items():
        stages = [stage.variants() or {"": stage} for stage in recipe.stages]
        for chosen in product(*(each.items() for each in stages)):
            one = name + "".join(added for added, _ in chosen)
            if one in found or (one != name and one in study.recipes):
                raise SettingsError(f"recipes: {one!r} is two recipes, one of them a variant of {name!r}; give one of them another name")
            found[one] = recipe.model_copy(update={"stages": tuple(stage for _, stage in chosen)})
            if one != name:
                several.setdefault(name, []).append(one)
    for name, recipe in study.recipes.items():
        match recipe.base:
            case EndOf(end_of=start) | LayersOf(layers_of=start) if start in several:
                raise SettingsError(f"recipes.{name}: {start} is several recipes; name one of them: {', '.join(several[start])}")
    return study.model_copy(update={"recipes": found}) if several else study, {one: name for name, made in several.items() for one in made}


def parse_study(mapping: Any, source: Document | None = None, model: type[Study] = Study) -> Study:
    """The study that a mapping describes; `source` gives the lines for messages, `model` the language (`language.py` makes others).

    Raises:
        SettingsError: the mapping is not a study; the message lists the first ten mistakes, a line each.
    """
    if not isinstance(mapping, Mapping):
        where = f"{source.where(())}: " if source is not None else ""
        raise SettingsError(f"{where}a study is a mapping with the keys data and recipes, not {type(mapping).__name__}")
    return model.model_validate(mapping, context=_Written(source))


def refuse_incomplete(study: Study) -> None:
    """Refuse a study that was made in Python and lacks data which its recipes read.

    Raises:
        SettingsError: what is missing, or does not go with the data that came later.
    """
    if found := [*contradictions(study)]:
        raise SettingsError(describe(found, None))


def load_study(path: Path, model: type[Study] = Study) -> Study:
    """Read a study file, in the language of `model`. Its name is the file's unless it says another; paths in it are relative to its folder.

    Raises:
        SettingsError: the file cannot be read, or what it says is no study; names file, line and column.
    """
    document = load(path)
    value = document.value
    return parse_study({"name": path.stem, **value} if isinstance(value, Mapping) else value, document, model)


def resolved(study: Study) -> dict[str, Any]:
    """The study with every default written out, in plain values and as one would write it; `parse_study` reads it back."""
    recipes: dict[str, Any] = {}
    for name, recipe in study.recipes.items():
        if recipe.is_baseline:
            recipes[name] = {"base": written_out(recipe.stages[0]), "draw": recipe.draw}
        else:
            base = recipe.base.model_dump(mode="json") if isinstance(recipe.base, Settings) else recipe.base or study.base
            recipes[name] = {"base": base, "stages": [written_out(stage) for stage in recipe.stages], "draw": recipe.draw}
    plain = study.model_dump(mode="json", exclude={"recipes"})
    metric = study.data.task.metric(study.metric).name if study.data.task is not None else study.metric
    asked = study.general_text is not None if study.forgetting is None else study.forgetting
    return {**plain, "reference": study.reference_name, "metric": metric, "forgetting": asked, "recipes": recipes}
