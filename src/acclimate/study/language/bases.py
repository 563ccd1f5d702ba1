"""Where a recipe starts: a model by name, some layers of another, what another recipe comes to, or one that does not exist yet."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from acclimate.modeling.shape import Shape
from acclimate.settings import Settings
from acclimate.study.language.counts import Count, Seed

RANDOM = "random"  # a base that is not a pretrained model; nor are the plain baselines
NOT_BASELINES = ("random", "layers_of", "keep", "end_of")  # the keys of a base that is a mapping and no plain baseline


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


class EndOf(Settings):
    """What another recipe comes to, whatever it learned, with its classifier; a model by name is taken as it is."""

    end_of: str = Field(min_length=1)
    """A recipe, a short name, a folder or a hub id."""


class New(Settings):
    """A model that does not exist yet: BERT's architecture in sizes of your own, with random weights."""

    random: Shape
    """Its sizes, and whose vocabulary it speaks."""


def _kind_of_base(value: Any) -> str | None:
    # A mapping is judged by its keys alone: what is wrong in it is then said of what was meant.
    if isinstance(value, Mapping):
        return "New" if "random" in value else "EndOf" if "end_of" in value else "LayersOf"
    return type(value).__name__ if isinstance(value, LayersOf | EndOf | New) else "Name"


Base = Annotated[
    Annotated[str, Field(min_length=1), Tag("Name")]
    | Annotated[LayersOf, Tag("LayersOf")]
    | Annotated[EndOf, Tag("EndOf")]
    | Annotated[New, Tag("New")],
    Discriminator(_kind_of_base),
]
