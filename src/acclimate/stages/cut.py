"""The start of a student: some layers of another model."""

import time
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from acclimate.evaluation.cost import Cost, disk_bytes
from acclimate.stages.base import Context, Outcome, Stage

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class Cut(Stage):
    """Not written by users: `base: {layers_of: ..., keep: ...}` becomes one of these."""

    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    stage: Literal["cut"] = "cut"
    keep: tuple[int, ...] = Field(min_length=1)
    """The layers that stay, ascending, 0 being the one above the embeddings."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def draws(self) -> bool:
        return False

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
