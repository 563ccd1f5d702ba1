"""A language of studies from tables: which stages and which kinds of task a study file may name. `BUILT_IN` is acclimate's own.

toy = language(stages=(*STAGES, MyStage), kinds=(*KINDS, MyKind))
run_study(toy.load(Path("study.yaml")), Path("."), Options(...))
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, create_model

from acclimate.settings import OneOf, Settings
from acclimate.stages import STAGES
from acclimate.stages.base import Stage
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.schema import json_schema, reference_markdown
from acclimate.study.language.stage_table import StageTable
from acclimate.study.language.study import Study, load_study, parse_study
from acclimate.study.language.yaml import Document
from acclimate.tasks import KINDS
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.opened import data_settings


@dataclass(frozen=True)
class Language:
    """What can be said in a study, and how it is read; `model` is what a study is in it."""

    model: type[Study]

    @property
    def table(self) -> StageTable:
        """The stages, and their words."""
        return self.model.table

    def parse(self, mapping: Any, source: Document | None = None) -> Study:
        """As `parse_study`, in this language."""
        return parse_study(mapping, source, self.model)

    def load(self, path: Path) -> Study:
        """As `load_study`, in this language."""
        return load_study(path, self.model)

    def json_schema(self) -> dict[str, Any]:
        """What one may write, for editors."""
        return json_schema(self.model)

    def reference_markdown(self) -> str:
        """What one may write, for people."""
        return reference_markdown(self.model)


BUILT_IN = Language(Study)


def language(stages: Sequence[type[Stage]] = STAGES, kinds: Sequence[type[TaskKind]] = KINDS) -> Language:
    """The language of these stages and kinds of task (of which the first is meant where a study says none).

    Its studies are `Study`s, and run like any other.
    """
    table = StageTable(stages)
    its_table = (ClassVar[StageTable], table)
    stage = Annotated[Stage, OneOf("stage", table.stages), BeforeValidator(table.as_written)]
    recipe = _with(Recipe, table=its_table, stages=(tuple[stage, ...], _as_in(Recipe, "stages")))
    recipes = (dict[str, recipe], _as_in(Study, "recipes"))  # type: ignore[valid-type]
    data = (data_settings(tuple(kinds)), _as_in(Study, "data"))
    its_kinds = (ClassVar[tuple[type[TaskKind], ...]], tuple(kinds))
    return Language(_with(Study, table=its_table, kinds=its_kinds, recipes=recipes, data=data))


def _with(model: Any, **fields: Any) -> Any:
    # The same model, with some of its fields of another type.
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, __module__=__name__, **fields)


def _as_in(model: type[Settings], name: str) -> Any:
    # The default, the bounds and the meaning that the field has there.
    return copy(model.model_fields[name])
