"""Interpolating a model's weights with those of another one: the cheap cure for forgetting (Wortsman et al. 2022, WiSE-FT)."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from acclimate.errors import SettingsError
from acclimate.modeling.base_files import NEW_FROM
from acclimate.modeling.families import dimensions_of
from acclimate.stages.base import OWN_BASE, Context, Outcome, Stage
from acclimate.stages.planned import Sizes
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class Merge(Stage):
    """Take a mean of the model's weights and another model's, tensor by tensor; nothing is trained."""

    reads_decoders: ClassVar[bool] = True
    stage: Literal["merge"] = "merge"
    model: str = OWN_BASE
    """The other model: `base`, what the recipe starts from, or the end of another recipe."""
    weight: float | tuple[float, ...] = 0.5
    """The share of the model that is given; the rest is the other's. Several, as `[0.25, 0.5]`, make a recipe of each: `NAME @0.25`, ..."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        weights = self.weight if isinstance(self.weight, tuple) else (self.weight,)
        if not weights or not all(0 <= weight <= 1 for weight in weights):
            raise ValueError("`weight` is a share from 0 to 1, or a list of some")
        if len({_named(weight) for weight in weights}) < len(weights):
            raise ValueError("`weight` names a share twice")
        return self

    def variants(self) -> Mapping[str, Stage]:
        if not isinstance(self.weight, tuple):
            return {}
        return {_named(weight): self.model_copy(update={"weight": weight}) for weight in self.weight}

    def title(self) -> str:
        assert isinstance(self.weight, float)
        return f"{self.word()} with {self.model}, {self.weight:g} of its own"

    def reads(self) -> tuple[str, ...]:
        return ()

    def beside(self) -> tuple[str, ...]:
        return (self.model,)

    def draws(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        # What the other model is called decides nothing: its key is part of this one's.
        return {name: value for name, value in super().keyed().items() if name != "model"}

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        other = given.beside[self.model]
        if _shape(other) != _shape(given):
            raise SettingsError(f"merge: {self.model} has another architecture, or other sizes: there is no mean of the two")
        if other.entries != given.entries and given.config.get(NEW_FROM) != other.entries:
            entries = f"{other.entries:,} entries in its vocabulary, and the model {given.entries:,}"
            raise SettingsError(f"merge: {self.model} has {entries}: their rows do not belong together")
        if other.source is not given.source and None not in (words := (other.vocabulary, given.vocabulary)) and words[0] != words[1]:
            raise SettingsError(f"merge: {self.model} has another vocabulary of the same size: their rows do not belong together")
        return given

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.evaluation.cost import Cost, disk_bytes
        from acclimate.modeling.merged import merged

        assert parent is not None
        assert isinstance(self.weight, float)
        began = time.monotonic()
        folder, measured = merged(parent, context.beside[self.model], self.weight, context.output / "model")
        return Outcome(measured, Cost(seconds=time.monotonic() - began, parameters=folder.parameters, disk_bytes=disk_bytes(folder.path)))


def _named(weight: float) -> str:
    return f" @{weight:g}"


def _shape(sizes: Sizes) -> tuple[object, ...]:
    # All but the vocabulary. Models of as many heads more, each narrower, have tensors of the same shapes, too.
    return sizes.config.get("model_type"), replace(dimensions_of(sizes.config), vocabulary=0)
