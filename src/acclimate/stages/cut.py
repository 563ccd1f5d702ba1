"""The start of a student: some layers of another model."""

import time
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from acclimate.errors import SettingsError
from acclimate.evaluation.cost import Cost, disk_bytes
from acclimate.modeling.families import dimensions_of
from acclimate.stages.base import Context, Outcome, Stage
from acclimate.stages.planned import Sizes
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class Cut(Stage):
    """Not written by users: `base: {layers_of: ..., keep: ...}` becomes one of these."""

    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    reads_decoders: ClassVar[bool] = True
    stage: Literal["cut"] = "cut"
    keep: tuple[int, ...] = Field(min_length=1)
    """The layers that stay, ascending, 0 being the one above the embeddings."""

    @classmethod
    def of(cls, keep: int | tuple[int, ...], whole: Sizes, named: str) -> Self:
        """The cut that keeps these layers, or so many, of the model `whole`, which messages call `named`.

        Raises:
            SettingsError: it has no such layers, or they cannot be cut apart.
        """
        family, layers = whole.family, whole.layers
        if (keep if isinstance(keep, int) else keep[-1] + 1) > layers:
            asked = f"{keep} layers" if isinstance(keep, int) else f"layer {keep[-1]}"
            raise SettingsError(f"keep: {asked} of {named}, which has {layers} layers (0 to {layers - 1})")
        kept = spread(keep, layers) if isinstance(keep, int) else keep
        if family.first_layer_differs and kept[0] != 0:
            raise SettingsError(f"keep: the first layer of {family.model_type} is built unlike the others: begin with 0")
        if family.shares_layers:
            if dimensions_of(whole.config).distinct > 1:
                raise SettingsError(f"layers_of: {named} shares its layers in several groups, which cannot be cut")
            kept = tuple(range(len(kept)))  # all of them are one
        return cls(keep=kept)

    def title(self) -> str:
        return f"{len(self.keep)} of its layers"

    def reads(self) -> tuple[str, ...]:
        return ()

    def draws(self) -> bool:
        return False

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        return given.of_layers(len(self.keep))

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.modeling.cut_layers import cut_layers

        assert parent is not None
        began = time.monotonic()
        output = context.output / "model"
        folder = cut_layers(parent, self.keep, output)
        cost = Cost(seconds=time.monotonic() - began, parameters=folder.parameters, disk_bytes=disk_bytes(output))
        return Outcome({"kept_layers": list(self.keep)}, cost)


def spread(keep: int, of: int) -> tuple[int, ...]:
    """`keep` of the layers 0 ... `of` - 1 at equal distances, first and last included (one alone is the first)."""
    return tuple(round(number * (of - 1) / (keep - 1)) for number in range(keep)) if keep > 1 else (0,)
